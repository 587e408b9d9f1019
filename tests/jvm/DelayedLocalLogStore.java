import io.delta.storage.LocalLogStore;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/** Delta's own local store, unchanged but for a wait at the place where LinkLogStore has its: found free, not yet claimed. */
public final class DelayedLocalLogStore extends LocalLogStore {

    public DelayedLocalLogStore(Configuration conf) {
        super(conf);
    }

    /** Called by Delta between its check that the name is free and its write and rename. */
    @Override
    protected Path createTempPath(Path path) {
        try {
            Thread.sleep(Long.getLong("tidemark.logstore.publish.delay.ms", 0));
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        return super.createTempPath(path);
    }
}
