package io.tidemark;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;
import static java.nio.file.StandardOpenOption.READ;

import io.delta.storage.CloseableIterator;
import io.delta.storage.HadoopFileSystemLogStore;
import io.delta.storage.LineCloseableIterator;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.InterruptedIOException;
import java.io.OutputStreamWriter;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.util.Iterator;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/**
 * Publishes Delta commits on a local disk so that of two JVMs only one can claim a version.
 *
 * <p>Delta's own stores check that the name is free and then rename onto it, which on a local disk is two steps: two JVMs
 * can both pass the check, and the second rename silently replaces the first one's commit. link(2) is one step and
 * fails if the name exists. It needs a file system with hard links.
 *
 * <p>Files are written below Hadoop's checksummed file system, so no {@code .crc} twin is made in {@code _delta_log}.
 */
public final class LinkLogStore extends HadoopFileSystemLogStore {

    /**
     * Milliseconds to wait after the name was found free and before it is claimed. For tests only: the race is
     * microseconds wide by nature, and a test that can't lose it proves nothing. Read at each write, 0 by default.
     */
    static final String PUBLISH_DELAY = "tidemark.logstore.publish.delay.ms";

    public LinkLogStore(Configuration conf) {
        super(conf);
    }

    /**
     * Writes the actions as lines and makes them visible all at once and durably.
     *
     * @throws FileAlreadyExistsException if the name is taken and may not be overwritten: Delta's sign of a conflict
     * @throws IllegalArgumentException if the path is not a {@code file:} path
     */
    @Override
    public void write(Path path, Iterator<String> actions, Boolean overwrite, Configuration conf) throws IOException {
        File target = localFile(path);
        // Only spares a lost writer the work: it is the link that decides.
        if (!overwrite && target.exists()) {
            throw new FileAlreadyExistsException(target.toString());
        }
        File temp = localFile(createTempPath(path));
        try {
            writeDurably(temp, actions);
            delayForTest();
            deleteChecksumOf(target);
            publish(temp, target, overwrite);
        } finally {
            // A failed delete must not make a published commit look failed: what it leaves is hidden and never read.
            temp.delete();
        }
        syncDirectory(target.getParentFile());
    }

    /** Reads below the checksummed file system: a stale {@code .crc} of another writer must not hide a good file. */
    @Override
    public CloseableIterator<String> read(Path path, Configuration conf) throws IOException {
        // Not Files.newInputStream: Delta takes FileNotFoundException, not NoSuchFileException, as "is not there".
        FileInputStream stream = new FileInputStream(localFile(path));
        return new LineCloseableIterator(new BufferedReader(new InputStreamReader(stream, UTF_8)));
    }

    /**
     * True, though this store's own writes are never seen half done: Delta asks in order to know about the files which
     * it writes <em>past</em> the store. On false it writes a checkpoint straight to its final name, where another JVM
     * could read half of it.
     */
    @Override
    public Boolean isPartialWriteVisible(Path path, Configuration conf) {
        return true;
    }

    private static void writeDurably(File file, Iterator<String> lines) throws IOException {
        // Not a FileChannel: an interrupt, which is how Spark stops a stream, would close it under the write.
        try (FileOutputStream stream = new FileOutputStream(file);
                BufferedWriter writer = new BufferedWriter(new OutputStreamWriter(stream, UTF_8))) {
            while (lines.hasNext()) {
                writer.write(lines.next());
                writer.write('\n');
            }
            writer.flush();
            stream.getFD().sync();
        }
    }

    private static void publish(File temp, File target, boolean overwrite) throws IOException {
        if (overwrite) {
            Files.move(temp.toPath(), target.toPath(), ATOMIC_MOVE);
        } else {
            Files.createLink(target.toPath(), temp.toPath());
        }
    }

    /**
     * Deletes the checksum which another writer left under the target's name. Spark reads commits through the
     * checksummed file system and would call ours corrupt. Before publishing, so that no reader sees the new file with it.
     */
    private static void deleteChecksumOf(File target) throws IOException {
        Files.deleteIfExists(target.toPath().resolveSibling("." + target.getName() + ".crc"));
    }

    /** Makes the new name itself survive a power cut. */
    private static void syncDirectory(File directory) throws IOException {
        // The commit is out: an interrupt of now must not make it look failed, and is passed on afterwards.
        boolean interrupted = Thread.interrupted();
        try (FileChannel channel = FileChannel.open(directory.toPath(), READ)) {
            channel.force(true);
        } catch (ClosedByInterruptException e) {
            interrupted = true;
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static void delayForTest() throws InterruptedIOException {
        long delay = Long.getLong(PUBLISH_DELAY, 0);
        try {
            Thread.sleep(delay);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted before the commit was published");
        }
    }

    private static File localFile(Path path) {
        String scheme = path.toUri().getScheme();
        if (!"file".equals(scheme)) {
            throw new IllegalArgumentException(
                    "LinkLogStore publishes with hard links and so serves file: paths only, not " + path + ". Fix: take "
                            + "it out of spark.delta.logStore.class and spark.delta.logStore." + scheme + ".impl; for S3, "
                            + "which several JVMs write, set the latter to io.delta.storage.S3DynamoDBLogStore");
        }
        return new File(path.toUri().getPath());
    }
}
