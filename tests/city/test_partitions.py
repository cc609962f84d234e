"""With several intakes each one misses only the devices of its own homes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hucheng.city.create import create
from hucheng.node.home import creation
from hucheng.node.intake.watching import Watching, standing_gate
from hucheng.settings import Settings


def test_every_device_is_missed_by_exactly_one_intake(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path / "home", residents=9_000, intakes=3)
    rooms = creation.create(settings)
    try:
        city = create(settings, datetime.now(UTC), rooms=rooms)
        creation.seal(settings, rooms)
        gate = standing_gate(rooms, lambda entry: None)
        listed = [
            set(
                Watching(rooms, gate, partition)("care.detect", ["city.devices"])["city.devices"][
                    "device_id"
                ].to_pylist()
            )
            for partition in range(3)
        ]
    finally:
        rooms.close()
    assert sum(len(one) for one in listed) == len(set().union(*listed)) == len(city.care.devices)
    assert sum(bool(one) for one in listed) > 1
