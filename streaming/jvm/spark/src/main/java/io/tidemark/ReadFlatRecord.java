package io.tidemark;

import java.util.List;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.types.StructType;
import scala.collection.immutable.Seq;

/**
 * SQL's {@code read_flat_record(value, schema, plan, mark)}: a record of Avro in the Confluent wire format, or null
 * where {@link FlatRecord} gives up. The schema, as Spark writes it in JSON, is a struct of the record and a BIGINT, which
 * gets the mark.
 */
public final class ReadFlatRecord extends FlatReading {

    /** The name in SQL. */
    static final String NAME = "read_flat_record";

    private static final long serialVersionUID = 1L;
    private static final int BODY_AT = 5; // behind a zero byte and the schema's id

    private final String plan;
    private final long mark;

    private transient FlatRecord reader;

    ReadFlatRecord(Expression value, StructType schema, String plan, long mark) {
        super(value, schema);
        this.plan = plan;
        this.mark = mark;
    }

    /** Makes one of what stands between the brackets. */
    static Expression of(Seq<Expression> arguments) {
        long mark = Long.parseLong(textIn(arguments.apply(3)));
        return new ReadFlatRecord(arguments.apply(0), schemaIn(arguments.apply(1)), textIn(arguments.apply(2)), mark);
    }

    @Override
    InternalRow read(byte[] bytes) {
        if (reader == null) {
            reader = new FlatRecord(plan, ((StructType) schema.fields()[0].dataType()).length());
        }
        Object[] found = reader.read(bytes, BODY_AT);
        return found == null ? null : new GenericInternalRow(new Object[] {new GenericInternalRow(found), mark});
    }

    @Override
    FlatReading of(Expression other) {
        return new ReadFlatRecord(other, schema, plan, mark);
    }

    @Override
    List<Object> parts() {
        return List.of(value, schema, plan, mark);
    }

    @Override
    public String prettyName() {
        return NAME;
    }
}
