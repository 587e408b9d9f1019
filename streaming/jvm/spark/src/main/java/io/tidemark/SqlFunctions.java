package io.tidemark;

import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import scala.Function1;
import scala.Tuple3;
import scala.collection.immutable.Seq;
import scala.runtime.AbstractFunction1;
import scala.runtime.BoxedUnit;

/** Makes SQL know our functions: named in {@code spark.sql.extensions}. */
public final class SqlFunctions extends AbstractFunction1<SparkSessionExtensions, BoxedUnit> {

    @Override
    public BoxedUnit apply(SparkSessionExtensions extensions) {
        add(extensions, ReadFlatObject.NAME, ReadFlatObject.class, ReadFlatObject::of);
        add(extensions, ReadFlatRecord.NAME, ReadFlatRecord.class, ReadFlatRecord::of);
        return BoxedUnit.UNIT;
    }

    private static void add(
            SparkSessionExtensions extensions,
            String name,
            Class<? extends Expression> kind,
            Function1<Seq<Expression>, Expression> maker) {
        ExpressionInfo told = new ExpressionInfo(kind.getName(), name);
        extensions.injectFunction(new Tuple3<>(FunctionIdentifier.apply(name), told, maker));
    }
}
