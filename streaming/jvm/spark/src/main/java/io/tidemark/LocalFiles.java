package io.tidemark;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.attribute.PosixFilePermissions;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;

/**
 * Hadoop's local file system, with permissions that Java sets.
 *
 * <p>Without its native library, which no registry has, Hadoop starts a {@code chmod} for each file and folder that it
 * makes, its checksum's file included: a micro-batch of a stateful stream waits for a dozen of them.
 */
public final class LocalFiles extends LocalFileSystem {

    /** Used by Hadoop, by the name in {@code fs.file.impl}. */
    public LocalFiles() {
        super(new Raw());
    }

    private static final class Raw extends RawLocalFileSystem {

        @Override
        public void setPermission(Path path, FsPermission permission) throws IOException {
            if (permission.getStickyBit()) { // Java has no name for it
                super.setPermission(path, permission);
                return;
            }
            var bits = PosixFilePermissions.fromString(permission.toString());
            try {
                Files.setPosixFilePermissions(pathToFile(path).toPath(), bits);
            } catch (NoSuchFileException e) {
                throw (IOException) new FileNotFoundException(path.toString()).initCause(e);
            }
        }
    }
}
