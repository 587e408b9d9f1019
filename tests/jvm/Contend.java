import io.delta.storage.LogStore;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.util.Iterator;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/**
 * One of several JVMs that all try to commit every version of one table, as Delta's commit loop would.
 *
 * <p>Arguments: log store class, log folder, writer's name, number of versions. Says "ready", waits for a line, then prints
 * for each version "won" (this store said that the commit is ours), "late" (taken before we began) or "beaten" (taken
 * while we were publishing: the race itself).
 */
public final class Contend {

    public static void main(String[] args) throws Exception {
        Configuration conf = new Configuration();
        // Hadoop's own. Hive's wrapper, which pyspark's jars register, looks once more before a rename, past the delay.
        conf.set("fs.file.impl", "org.apache.hadoop.fs.LocalFileSystem");
        LogStore store = (LogStore) Class.forName(args[0]).getConstructor(Configuration.class).newInstance(conf);
        Path log = new Path("file://" + args[1]);
        log.getFileSystem(conf).exists(log); // loads Hadoop now, so that both begin together
        System.out.println("ready");
        System.in.read();
        StringBuilder outcomes = new StringBuilder();
        for (int version = 0; version < Integer.parseInt(args[3]); version++) {
            outcomes.append(outcomeOf(store, log, args[2], version, conf)).append('\n');
        }
        System.out.print(outcomes);
    }

    private static String outcomeOf(LogStore store, Path log, String writer, int version, Configuration conf)
            throws IOException {
        Iterator<String> actions = List.of(writer + " " + version, "last line").iterator();
        try {
            store.write(new Path(log, String.format("%020d.json", version)), actions, false, conf);
            return "won";
        } catch (FileAlreadyExistsException taken) {
            // A store that finds the name taken at first sight writes nothing, so it has read nothing.
            return actions.hasNext() ? "late" : "beaten";
        }
    }
}
