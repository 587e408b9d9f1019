package io.tidemark;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Puts a token in the place of personal data: its HMAC-SHA-256 (RFC 2104) in hex, the same for the same text.
 *
 * <p>SQL calls it by {@code java_method}. The key is read here, from the file that a system property names, so that it
 * stands in no statement, plan, log or command line.
 */
public final class Token {

    private static final String KEY_FILE = "tidemark.pii.key.file";
    private static final String ALGORITHM = "HmacSHA256";
    private static final int SHORTEST = 32;

    /** One for each thread: it has a state. Where it can't be made, each call says why. */
    private static final ThreadLocal<Mac> KEYED = ThreadLocal.withInitial(Token::keyed);

    private Token() {}

    /** Gives the token of a text. SQL keeps null away: {@code java_method} would make the text "null" of it. */
    public static String of(String text) {
        return HexFormat.of().formatHex(KEYED.get().doFinal(text.getBytes(UTF_8)));
    }

    private static Mac keyed() {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(new SecretKeySpec(key(), ALGORITHM));
            return mac;
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException("this Java has no " + ALGORITHM, error);
        }
    }

    private static byte[] key() {
        String file = System.getProperty(KEY_FILE);
        if (file == null) {
            throw new IllegalStateException("no key for tokens: this JVM has no property " + KEY_FILE);
        }
        try {
            String text = Files.readString(Path.of(file)).strip();
            if (text.length() < SHORTEST) {
                throw new IllegalStateException(file + ": the key for tokens has fewer than " + SHORTEST + " characters");
            }
            return text.getBytes(UTF_8);
        } catch (IOException error) {
            throw new UncheckedIOException(file + ": the key for tokens can't be read", error);
        }
    }
}
