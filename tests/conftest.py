"""What all tests share: where the real data lies, and a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.spark import session

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """Path of a real data file by its name below the shared data; skips where it is absent."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"real data not present: {name} (see the data notes; tests with real data run where it is)")
        return path

    return find


@pytest.fixture
def noon() -> datetime:
    """A fixed instant: 2026-03-01 12:00 in Shanghai."""
    return datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A local Spark session; skips where pyspark or Java is absent."""
    yield from session(tmp_path_factory.mktemp("spark"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that drive browsers or kill processes go first: begun last, one of them would run on alone for minutes."""
    slow = {item.path for item in items if item.get_closest_marker("crash") or item.get_closest_marker("browser")}
    items.sort(key=lambda item: item.path not in slow)
