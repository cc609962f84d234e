"""A local Spark session for tests of what must also run on a cluster: one for the test session, loopback only.

Every test gets it by the fixture ``spark`` (see ``conftest.py``); where pyspark or Java is absent the test is skipped.
Ibis takes it as it is: ``ibis.pyspark.connect(spark)``.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def session(folder: Path) -> Iterator[Any]:
    """The session, stopped in the end; what it writes lies in ``folder``."""
    pyspark = pytest.importorskip("pyspark", reason="pyspark is not installed (make cluster); nothing ran on Spark")
    home = os.environ.get("JAVA_HOME")
    if not (shutil.which("java") or (home and (Path(home) / "bin" / "java").is_file())):
        pytest.skip("there is no Java (Spark needs 17 or later); nothing ran on Spark")
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("PYSPARK_DRIVER_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("SPARK_HOME", str(Path(pyspark.__file__).parent))  # not another Spark of this machine
        builder = SparkSession.builder.master("local[2]").appName("hucheng tests")
        for key, value in {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.memory": "1g",
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # up in half the time
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
            "spark.local.dir": str(folder / "local"),
        }.items():
            builder = builder.config(key, value)
        found = builder.getOrCreate()
        found.sparkContext.setLogLevel("ERROR")
        gateway = found.sparkContext._gateway
        yield found
        found.stop()
        gateway.shutdown()
        gateway.proc.stdin.close()  # the Java process ends when nobody holds its input any more
        gateway.proc.wait()
