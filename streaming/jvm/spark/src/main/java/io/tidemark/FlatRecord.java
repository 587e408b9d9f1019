package io.tidemark;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Locale;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * Reads a record of Avro (Apache Avro's specification, "Binary encoding") whose fields are all plain, and gives up on
 * every one that is not as its schema says: cut short, longer, or with text that is not UTF-8.
 *
 * <p>Its plan has a word for each field as it was written, in that order: the type (`int`, `long`, `float`, `double`,
 * `string` or `boolean`), the branch of its union that is null (`-` where it is no union), the place in what is read
 * (`-` where nobody wants it), and whether a number is wanted as `long` or as `double`; with colons between.
 */
final class FlatRecord {

    private enum Type {
        INT,
        LONG,
        FLOAT,
        DOUBLE,
        STRING,
        BOOLEAN
    }

    private static final int LONGEST_VARINT = 10; // bytes

    private final Step[] steps;
    private final int width;

    private record Step(Type type, int nullBranch, int place, boolean isReal) {

        static Step of(String word) {
            String[] parts = word.split(":");
            Type type = Type.valueOf(parts[0].toUpperCase(Locale.ROOT));
            return new Step(type, number(parts[1]), number(parts[2]), parts[3].equals("double"));
        }

        private static int number(String part) {
            return part.equals("-") ? -1 : Integer.parseInt(part);
        }
    }

    /**
     * Takes a plan.
     *
     * @param plan words with blanks between.
     * @param width how many places there are.
     */
    FlatRecord(String plan, int width) {
        this.steps = Arrays.stream(plan.split(" ")).map(Step::of).toArray(Step[]::new);
        this.width = width;
    }

    /** Reads what stands from a byte on; null: it is not exactly one such record. */
    Object[] read(byte[] bytes, int from) {
        return new Reading(bytes, from).record();
    }

    /** One value, and how far it has been read. */
    private final class Reading {

        private final byte[] bytes;
        private int at;
        private boolean isBroken;

        Reading(byte[] bytes, int at) {
            this.bytes = bytes;
            this.at = at;
        }

        Object[] record() {
            Object[] found = new Object[width];
            for (Step step : steps) {
                Object field = field(step);
                if (isBroken) {
                    return null;
                }
                if (step.place >= 0) {
                    found[step.place] = field;
                }
            }
            return at == bytes.length ? found : null;
        }

        private Object field(Step step) {
            if (step.nullBranch >= 0) {
                long branch = varint();
                isBroken |= branch < 0 || branch > 1;
                if (branch == step.nullBranch) {
                    return null;
                }
            }
            switch (step.type) {
                case INT:
                    long small = varint();
                    isBroken |= small != (int) small;
                    return number(step, small);
                case LONG:
                    return number(step, varint());
                case FLOAT:
                    return has(Float.BYTES) ? (Object) (double) little(Float.BYTES).getFloat() : null;
                case DOUBLE:
                    return has(Double.BYTES) ? (Object) little(Double.BYTES).getDouble() : null;
                case STRING:
                    return text();
                case BOOLEAN:
                    return truth();
                default:
                    throw new IllegalStateException("no reader of " + step.type);
            }
        }

        private Object number(Step step, long found) {
            return step.isReal ? (Object) (double) found : (Object) found;
        }

        private UTF8String text() {
            long length = varint();
            if (isBroken || length < 0 || length > Integer.MAX_VALUE || !has((int) length)) {
                isBroken = true;
                return null;
            }
            UTF8String found = UTF8String.fromBytes(bytes, at, (int) length);
            at += (int) length;
            isBroken = !found.isValid();
            return found;
        }

        private Boolean truth() {
            if (!has(1)) {
                return null;
            }
            byte found = bytes[at++];
            isBroken |= found != 0 && found != 1;
            return found == 1;
        }

        private long varint() {
            long found = 0;
            for (int place = 0; place < LONGEST_VARINT && at < bytes.length; place++) {
                byte next = bytes[at++];
                found |= (long) (next & 0x7F) << (7 * place);
                if (next >= 0) {
                    return (found >>> 1) ^ -(found & 1);
                }
            }
            isBroken = true;
            return 0;
        }

        private ByteBuffer little(int size) {
            at += size;
            return ByteBuffer.wrap(bytes, at - size, size).order(ByteOrder.LITTLE_ENDIAN);
        }

        private boolean has(int size) {
            isBroken |= bytes.length - at < size;
            return !isBroken;
        }
    }
}
