"""Apache Spark, the one engine for several machines, named in this package alone."""
