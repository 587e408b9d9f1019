package io.tidemark;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenContext;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenFallback;
import org.apache.spark.sql.catalyst.expressions.codegen.ExprCode;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/**
 * SQL's {@code read_flat_object(value, schema)}: the members of a JSON object, or null where {@link FlatObject} gives
 * up.
 *
 * <p>The schema is a struct as Spark writes it in JSON. Its fields whose names begin with {@code ~} are the caller's
 * own and no members: they are null, but a text among them is empty, by which one sees who has read the value.
 */
public final class ReadFlatObject extends Expression implements CodegenFallback, Serializable {

    /** The name in SQL. */
    static final String NAME = "read_flat_object";

    private static final long serialVersionUID = 1L;
    private static final Map<DataType, FlatObject.Kind> KINDS = Map.of(
            DataTypes.StringType, FlatObject.Kind.TEXT,
            DataTypes.LongType, FlatObject.Kind.INTEGER,
            DataTypes.DoubleType, FlatObject.Kind.NUMBER,
            DataTypes.BooleanType, FlatObject.Kind.BOOLEAN);

    private final Expression value;
    private final StructType schema;

    private transient FlatObject reader;
    private transient Object[] blank;

    ReadFlatObject(Expression value, StructType schema) {
        this.value = value;
        this.schema = schema;
    }

    /** Makes one of what stands between the brackets; the schema is a literal. */
    static Expression of(Seq<Expression> arguments) {
        if (arguments.size() != 2 || !arguments.apply(1).foldable()) {
            throw new IllegalArgumentException(NAME + " takes a BINARY and a literal of a schema");
        }
        StructType schema = (StructType) DataType.fromJson(arguments.apply(1).eval(null).toString());
        return new ReadFlatObject(arguments.apply(0), schema);
    }

    @Override
    public Object eval(InternalRow row) {
        byte[] json = (byte[]) value.eval(row);
        if (reader == null) {
            prepare();
        }
        Object[] found = blank.clone();
        return json != null && reader.read(json, found) ? new GenericInternalRow(found) : null;
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
    public ExprCode doGenCode(CodegenContext context, ExprCode code) {
        return CodegenFallback.super.doGenCode(context, code);
    }

    @Override
    public Seq<Expression> children() {
        return CollectionConverters.asScala(List.of(value)).toSeq();
    }

    @Override
    public Expression withNewChildrenInternal(IndexedSeq<Expression> children) {
        return new ReadFlatObject(children.apply(0), schema);
    }

    @Override
    public DataType dataType() {
        return schema;
    }

    @Override
    public boolean nullable() {
        return true;
    }

    @Override
    public String prettyName() {
        return NAME;
    }

    @Override
    public int productArity() {
        return 2;
    }

    @Override
    public Object productElement(int place) {
        return List.of(value, schema).get(place);
    }

    @Override
    public boolean canEqual(Object other) {
        return other instanceof ReadFlatObject;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ReadFlatObject same && value.equals(same.value) && schema.equals(same.schema);
    }

    @Override
    public int hashCode() {
        return 31 * value.hashCode() + schema.hashCode();
    }
}
