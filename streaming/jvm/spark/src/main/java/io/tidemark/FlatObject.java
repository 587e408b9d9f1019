package io.tidemark;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Arrays;
import java.util.List;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * Reads the plainest of JSON objects (RFC 8259) by a schema, and gives up on every other value.
 *
 * <p>It never guesses: what it reads is exactly what was written, and of the schema's kinds. It gives up on nested
 * values, escapes, a member of another kind than the schema has, one that stands twice, numbers that need care, and on
 * all that is no JSON. Whoever calls it has a slower parser for those.
 */
final class FlatObject {

    enum Kind {
        TEXT,
        INTEGER,
        NUMBER,
        BOOLEAN
    }

    /** What names begin with that no member has: they are the caller's own. */
    static final String OURS = "~";

    private static final int LONGEST = 50_000; // bytes of a value; Jackson reads no longer name
    private static final int LONGEST_NUMBER = 100; // characters
    private static final int EXACT_LONG = 18; // as many digits always fit
    private static final int EXACT_DOUBLE = 15;
    private static final byte[] TRUE = "true".getBytes(UTF_8);
    private static final byte[] FALSE = "false".getBytes(UTF_8);
    private static final byte[] NULL = "null".getBytes(UTF_8);
    private static final double[] TENS = new double[EXACT_DOUBLE + 1];

    static {
        TENS[0] = 1;
        for (int power = 1; power < TENS.length; power++) {
            TENS[power] = 10 * TENS[power - 1];
        }
    }

    private final byte[][] names;
    private final Kind[] kinds;

    /** Takes the names of all members that are wanted, and of each, at the same place, the only kind that it may be. */
    FlatObject(List<String> names, List<Kind> kinds) {
        this.names = names.stream().map(name -> name.getBytes(UTF_8)).toArray(byte[][]::new);
        this.kinds = kinds.toArray(Kind[]::new);
    }

    /**
     * Reads a value.
     *
     * @param into gets a UTF8String, Long, Double or Boolean for each name, at its place; null stays for what is not
     *     there or null. It is worth nothing after a false.
     * @return whether it was read.
     */
    boolean read(byte[] json, Object[] into) {
        return new Reading(json, into).object();
    }

    /** One value, and how far it has been read. */
    private final class Reading {

        private final byte[] json;
        private final Object[] into;
        private int at;
        private int expected; // the place of the next member, where members come in the schema's order

        Reading(byte[] json, Object[] into) {
            this.json = json;
            this.into = into;
        }

        boolean object() {
            int last = json.length - 1;
            if (last < 1 || last >= LONGEST || json[0] != '{' || json[last] != '}') {
                return false;
            }
            at = 1;
            skipBlanks();
            if (at == last) {
                return true;
            }
            while (member()) {
                skipBlanks();
                if (at == last) {
                    return true;
                }
                if (json[at] != ',') {
                    return false;
                }
                at++;
                skipBlanks();
            }
            return false;
        }

        /** Reads a name and its value; the value's last byte is before the document's, which is a brace. */
        private boolean member() {
            int from = at + 1;
            if (json[at] != '"' || !text()) {
                return false;
            }
            int to = at - 1;
            if (json[from] == OURS.charAt(0)) {
                return false;
            }
            int place = place(from, to);
            skipBlanks();
            if (json[at] != ':') {
                return false;
            }
            at++;
            skipBlanks();
            return value(place);
        }

        private boolean value(int place) {
            switch (json[at]) {
                case '"':
                    return textValue(place);
                case 't':
                    return word(TRUE) && put(place, Kind.BOOLEAN, Boolean.TRUE);
                case 'f':
                    return word(FALSE) && put(place, Kind.BOOLEAN, Boolean.FALSE);
                case 'n':
                    return word(NULL) && (place < 0 || into[place] == null);
                default:
                    return number(place);
            }
        }

        private boolean textValue(int place) {
            int from = at + 1;
            if (!text()) {
                return false;
            }
            return place < 0 || put(place, Kind.TEXT, UTF8String.fromBytes(json, from, at - 1 - from));
        }

        /** Goes behind the end of a text that has no escapes and is valid UTF-8. */
        private boolean text() {
            int from = ++at;
            boolean isAscii = true;
            for (; at < json.length; at++) {
                byte next = json[at];
                if (next == '"') {
                    at++;
                    return at < json.length && (isAscii || UTF8String.fromBytes(json, from, at - 1 - from).isValid());
                }
                if (next == '\\' || (next >= 0 && next < ' ')) {
                    return false;
                }
                isAscii &= next >= 0;
            }
            return false;
        }

        private boolean number(int place) {
            int from = at;
            boolean isNegative = json[at] == '-';
            if (isNegative) {
                at++;
            }
            int whole = digits();
            if (whole == 0 || (whole > 1 && json[at - whole] == '0')) {
                return false;
            }
            int fraction = 0;
            if (json[at] == '.') {
                at++;
                fraction = digits();
                if (fraction == 0) {
                    return false;
                }
            }
            boolean hasExponent = json[at] == 'e' || json[at] == 'E';
            if (hasExponent) {
                at++;
                if (json[at] == '-' || json[at] == '+') {
                    at++;
                }
                if (digits() == 0) {
                    return false;
                }
            }
            if (place < 0) {
                return true;
            }
            boolean isWhole = fraction == 0 && !hasExponent;
            if (kinds[place] == Kind.INTEGER) {
                return isWhole && whole <= EXACT_LONG && put(place, Kind.INTEGER, asLong(from, at));
            }
            return kinds[place] == Kind.NUMBER && real(place, from, whole + fraction, fraction, isWhole, hasExponent);
        }

        private boolean real(int place, int from, int digits, int fraction, boolean isWhole, boolean hasExponent) {
            double found;
            if (digits <= EXACT_DOUBLE && !hasExponent) {
                long all = asLong(from, at);
                if (all == 0 && json[from] == '-') {
                    return false; // which zero it is depends on how it is written
                }
                // Both are exact, so one division rounds as it should (Clinger, 1990).
                found = all / TENS[fraction];
            } else if (at - from > LONGEST_NUMBER || isWhole) {
                return false;
            } else {
                found = Double.parseDouble(new String(json, from, at - from, ISO_8859_1));
            }
            return Double.isFinite(found) && put(place, Kind.NUMBER, found);
        }

        /** Makes one number of all digits; a decimal point is passed over. */
        private Long asLong(int from, int to) {
            long found = 0;
            for (int digit = from; digit < to; digit++) {
                if (json[digit] >= '0') {
                    found = 10 * found + (json[digit] - '0');
                }
            }
            return json[from] == '-' ? -found : found;
        }

        private int digits() {
            int from = at;
            while (json[at] >= '0' && json[at] <= '9') {
                at++;
            }
            return at - from;
        }

        private boolean word(byte[] word) {
            int end = at + word.length;
            if (end >= json.length || !Arrays.equals(json, at, end, word, 0, word.length)) {
                return false;
            }
            at = end;
            return true;
        }

        private boolean put(int place, Kind kind, Object found) {
            if (place < 0) {
                return true;
            }
            if (kinds[place] != kind || into[place] != null) {
                return false;
            }
            into[place] = found;
            return true;
        }

        /** Finds a name's place; -1: the schema has no such name. */
        private int place(int from, int to) {
            for (int tried = 0; tried < names.length; tried++) {
                int place = expected + tried < names.length ? expected + tried : expected + tried - names.length;
                if (Arrays.equals(json, from, to, names[place], 0, names[place].length)) {
                    expected = place + 1;
                    return place;
                }
            }
            return -1;
        }

        private void skipBlanks() {
            while (json[at] == ' ' || json[at] == '\n' || json[at] == '\t' || json[at] == '\r') {
                at++;
            }
        }
    }
}
