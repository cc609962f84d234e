"""The lake's copies of registers hold what holds now: after a change, and after time alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hucheng.base.catalogue import Catalogue
from hucheng.base.contracts import shipped
from hucheng.base.keys import Keys
from hucheng.base.lake import Lake
from hucheng.base.ledger import Ledger
from hucheng.base.projection import Projection
from hucheng.base.registers import Registers

START = datetime(2026, 1, 1, tzinfo=UTC)
CATALOGUE = Catalogue(shipped())
RESIDENTS = CATALOGUE.get("city.residents")


class House:
    """A register and its copy, under one clock."""

    def __init__(self, ledger: Ledger, home: Path) -> None:
        self.now = START
        self.registers = Registers(ledger, Keys(ledger, bytes(32)), CATALOGUE, clock=lambda: self.now)
        self.lake = Lake(home)
        self.restart()

    def restart(self) -> None:
        self.copies = Projection(self.registers, self.lake, clock=lambda: self.now)

    def put(self, rid: str, **more: Any) -> None:
        row = {"resident_id": rid, "name": rid, "born": "1950-01-01", "community": "c1"}
        self.registers.put(RESIDENTS.id, [row], **more)

    def there(self) -> list[str]:
        self.copies.ensure(RESIDENTS)
        return sorted(row["resident_id"] for row in self.lake.read(RESIDENTS.id).to_pylist())


def day(n: int) -> datetime:
    return START + timedelta(days=n)


@pytest.fixture
def house(ledger: Ledger, tmp_path: Path) -> Iterator[House]:
    yield House(ledger, tmp_path / "lake")


@pytest.mark.parametrize("restarts", [False, True])
def test_time_alone_brings_and_takes_rows(house: House, restarts: bool) -> None:
    house.put("now")
    house.put("moves in", valid_from=day(10))
    house.put("moves out", valid_to=day(20))
    for n, expected in (
        (0, ["moves out", "now"]),
        (9, ["moves out", "now"]),
        (10, ["moves in", "moves out", "now"]),
        (20, ["moves in", "now"]),
        (99, ["moves in", "now"]),
    ):
        house.now = day(n)
        if restarts:
            house.restart()
        assert house.there() == expected, n


def test_what_holds_on_is_not_written_again(house: House) -> None:
    house.put("now")
    house.put("moves out", valid_to=day(20))
    house.there()
    written = house.lake.files(RESIDENTS.id)
    house.now = day(19)
    house.there()
    house.restart()
    house.there()
    assert house.lake.files(RESIDENTS.id) == written
