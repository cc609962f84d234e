"""A real node for the end-to-end tests, started once."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.running import RunningNode


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """A demo city of 400 without simulated devices: what happens in it is what a test does."""
    running = RunningNode(tmp_path_factory.mktemp("e2e"), "--port", "0", "--residents", "400", "--no-feed")
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture
def write_readings() -> Callable[[Path, Sequence[tuple[object, ...]]], Path]:
    """Write a readings file from rows (resident, device, metric, observed_at, value, unit)."""

    def write(path: Path, rows: Sequence[tuple[object, ...]]) -> Path:
        with path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(("resident_id", "device_id", "metric", "observed_at", "value", "unit"))
            writer.writerows(rows)
        return path

    return write
