"""Where readings come from besides the broker's own clients: one door for every kind of source.

A source gives batches of readings as they were written down, without judging them: what breaks the contract must reach
quarantine with its reason, and is therefore passed on as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from msgspec import Struct

from hucheng.base.contracts import Contract


class Batch(Struct):
    """Readings by column, ``resident_id`` None where the source does not say. Times: µs since 1970 UTC, or the
    source's own text where it is no time; values: numbers, or the source's own text where it is none."""

    device_id: list[str]
    metric: list[str]
    observed_at: list[Any]
    value: list[Any]
    unit: list[str]
    resident_id: list[str | None]

    def __len__(self) -> int:
        return len(self.device_id)


class Source(Protocol):
    """A place that holds readings of one dataset."""

    def batches(self, rows: int) -> Iterator[Batch]:
        """All readings by time of observation, at most ``rows`` at once."""
        ...

    def check(self, contract: Contract) -> None:
        """Raise BadRequest when the source lacks what the contract needs."""
        ...


REQUIRED = ("device_id", "metric", "observed_at", "value", "unit")
OPTIONAL = ("resident_id",)
"""Columns of a readings file. Without ``resident_id`` the register of devices says whose readings they are."""
