package io.tidemark;

import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import scala.Function1;
import scala.Tuple3;
import scala.runtime.AbstractFunction1;
import scala.runtime.BoxedUnit;

/** Makes SQL know our functions: named in {@code spark.sql.extensions}. */
public final class SqlFunctions extends AbstractFunction1<SparkSessionExtensions, BoxedUnit> {

    @Override
    public BoxedUnit apply(SparkSessionExtensions extensions) {
        extensions.injectFunction(new Tuple3<>(
                FunctionIdentifier.apply(ReadFlatObject.NAME),
                new ExpressionInfo(ReadFlatObject.class.getName(), ReadFlatObject.NAME),
                ReadFlatObject::of));
        return BoxedUnit.UNIT;
    }
}
