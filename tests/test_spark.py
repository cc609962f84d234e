"""What is asked through Ibis gives the same on DuckDB and on Spark, over the session that tests share."""

from __future__ import annotations

from typing import Any

import duckdb
import ibis
import pyarrow as pa
import pytest

VISITS = pa.table({"place": ["a", "a", "b", None], "minutes": pa.array([5, 7, None, 1], pa.int64())})


@pytest.mark.spark
def test_an_expression_of_ibis_gives_the_same_on_spark(spark: Any) -> None:
    spark.createDataFrame(VISITS).createOrReplaceTempView("visits")
    engine = duckdb.connect()
    engine.register("visits", VISITS)

    def longest(con: Any) -> list[dict[str, Any]]:
        visits = con.table("visits")
        found = visits.group_by("place").agg(minutes=visits.minutes.sum(), visits=visits.count()).order_by("place")
        return con.to_pyarrow(found).to_pylist()  # type: ignore[no-any-return]

    assert longest(ibis.pyspark.connect(spark)) == longest(ibis.duckdb.from_connection(engine))
