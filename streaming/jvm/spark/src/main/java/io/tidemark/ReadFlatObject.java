package io.tidemark;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import scala.collection.immutable.Seq;

/**
 * SQL's {@code read_flat_object(value, schema)}: the members of a JSON object, or null where {@link FlatObject} gives
 * up.
 *
 * <p>The schema is a struct as Spark writes it in JSON. Its fields whose names begin with {@code ~} are the caller's
 * own and no members: they are null, but a text among them is empty, by which one sees who has read the value.
 */
public final class ReadFlatObject extends FlatReading {

    /** The name in SQL. */
    static final String NAME = "read_flat_object";

    private static final long serialVersionUID = 1L;
    private static final Map<DataType, FlatObject.Kind> KINDS = Map.of(
            DataTypes.StringType, FlatObject.Kind.TEXT,
            DataTypes.LongType, FlatObject.Kind.INTEGER,
            DataTypes.DoubleType, FlatObject.Kind.NUMBER,
            DataTypes.BooleanType, FlatObject.Kind.BOOLEAN);

    private transient FlatObject reader;
    private transient Object[] blank;

    ReadFlatObject(Expression value, StructType schema) {
        super(value, schema);
    }

    /** Makes one of what stands between the brackets. */
    static Expression of(Seq<Expression> arguments) {
        return new ReadFlatObject(arguments.apply(0), schemaIn(arguments.apply(1)));
    }

    @Override
    InternalRow read(byte[] json) {
        if (reader == null) {
            prepare();
        }
        Object[] found = blank.clone();
        return reader.read(json, found) ? new GenericInternalRow(found) : null;
    }

    private void prepare() {
        List<String> names = new ArrayList<>();
        List<FlatObject.Kind> kinds = new ArrayList<>();
        for (StructField field : schema.fields()) {
            names.add(field.name());
            kinds.add(KINDS.get(field.dataType()));
        }
        blank = new Object[names.size()];
        for (int place = 0; place < blank.length; place++) {
            boolean isOurs = names.get(place).startsWith(FlatObject.OURS);
            blank[place] = isOurs && kinds.get(place) == FlatObject.Kind.TEXT ? UTF8String.EMPTY_UTF8 : null;
        }
        reader = new FlatObject(names, kinds);
    }

    @Override
    FlatReading of(Expression other) {
        return new ReadFlatObject(other, schema);
    }

    @Override
    List<Object> parts() {
        return List.of(value, schema);
    }

    @Override
    public String prettyName() {
        return NAME;
    }
}
