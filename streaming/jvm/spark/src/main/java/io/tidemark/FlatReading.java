package io.tidemark;

import java.io.Serializable;
import java.util.List;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenContext;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenFallback;
import org.apache.spark.sql.catalyst.expressions.codegen.ExprCode;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/** What our functions of SQL have in common: they read a BINARY into a struct, or give up with null. */
abstract class FlatReading extends Expression implements CodegenFallback, Serializable {

    private static final long serialVersionUID = 1L;

    /** The value to read. */
    final Expression value;

    /** What it is read into. */
    final StructType schema;

    FlatReading(Expression value, StructType schema) {
        this.value = value;
        this.schema = schema;
    }

    /** Reads a value that is not null. */
    abstract InternalRow read(byte[] bytes);

    /** Makes one of another value. */
    abstract FlatReading of(Expression other);

    /** Tells all that one of these is made of. */
    abstract List<Object> parts();

    /** Gives the schema in a literal, written as Spark does in JSON. */
    static StructType schemaIn(Expression literal) {
        return (StructType) DataType.fromJson(textIn(literal));
    }

    /** Gives the text in a literal. */
    static String textIn(Expression literal) {
        if (!literal.foldable()) {
            throw new IllegalArgumentException(literal.sql() + " should be a literal");
        }
        return literal.eval(null).toString();
    }

    @Override
    public Object eval(InternalRow row) {
        byte[] bytes = (byte[]) value.eval(row);
        return bytes == null ? null : read(bytes);
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
        return of(children.apply(0));
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
    public int productArity() {
        return parts().size();
    }

    @Override
    public Object productElement(int place) {
        return parts().get(place);
    }

    @Override
    public boolean canEqual(Object other) {
        return other instanceof FlatReading;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof FlatReading same && getClass() == same.getClass() && parts().equals(same.parts());
    }

    @Override
    public int hashCode() {
        return parts().hashCode();
    }
}
