"""Everything that runs on Spark: the only home of pyspark."""
