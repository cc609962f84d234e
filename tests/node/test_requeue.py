"""Sending again what lies in quarantine: what is mended leaves it, what is not lies there once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hucheng.base.devices import DeviceRow
from hucheng.base.lake import Lake
from hucheng.base.ledger import Ledger
from hucheng.base.quarantine import NAME, SCHEMA, Held, Quarantine, as_table
from hucheng.errors import BadRequest, LakeError
from hucheng.node.steward import requeue
from hucheng.node.steward.requeue import Requeue
from tests.base.nodekit import FileDevices, committed, running, stored, until
from tests.node.house import House
from tests.node.test_intake import body, now_us, publisher, rows

NOON_US = 1_772_337_600_000_000


def held(seq: int, device: str | None, raw: str) -> Held:
    return Held(NOON_US, seq, 0, 0, "gw-1", device, "malformed", "why", raw)


def test_who_is_in_a_reading_set_aside_sees_who_looked_at_it(house: House) -> None:
    rooms = house.steward.rooms
    device = rooms.registers.of_person("city.devices", house.mother)[0]["device_id"]
    others = [one.resident_id for one in rooms.principals.all(kind="resident") if one.resident_id != house.mother]
    table = Lake(rooms.settings.home / "lake").writer(NAME, SCHEMA, "test")
    desk: Any = house.steward.served["quarantine"]
    operator = house.who("operator:local")

    def seen() -> list[str]:
        lines = house.journal.of_person(house.chen, house.mother)
        return [line.action for line in lines if line.action == "quarantine.replay"]

    table.append(as_table([held(1, "x", f'{{"resident_id": "{others[0]}", "value": 1}}')]), 1)
    assert len(desk.rows(operator, "malformed")) == 1
    assert seen() == []
    table.append(as_table([held(2, device, '{"value": 1}')]), 2)
    assert len(desk.rows(operator)) == 2
    assert len(seen()) == 1
    desk.rows(operator, limit=1)
    table.append(as_table([held(3, None, f'{{"readings": [{{"resident_id": "{house.mother}", "val')]), 3)
    desk.rows(operator, limit=1)
    assert len(seen()) == 3


NOBODY: Any = SimpleNamespace(id="op")


def opened(here: Any) -> Requeue:
    gate: Any = SimpleNamespace(authorise=lambda *given, **more: None)
    return Requeue(here, gate, Ledger("sqlite://"), lambda: datetime.now(UTC))


def test_what_is_mended_leaves_and_what_is_not_lies_there_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requeue, "AT_ONCE", 2)
    with running(tmp_path, ["gw-1"], rows(["gw-1"], 1)) as (here, _, _):
        gateway = publisher(here, "gw-1")
        at = now_us()
        for n in range(3):
            gateway.publish("readings/gw-1/late", body("late", at + n, 120))
            gateway.publish("readings/gw-1/nobody", body("nobody", at + n, 120))
        assert gateway.wait(10)
        until(lambda: committed(here) == 6)
        desk = opened(here)
        lying = Quarantine(tmp_path / "lake")
        for n in range(1, 4):
            assert asyncio.run(desk.replay(NOBODY, "unknown_device")) == 6
            until(lambda n=n: committed(here) == 6 + 6 * n)
            assert desk.counts(NOBODY) == {"unknown_device": 6}

        FileDevices(tmp_path).put([*rows(["gw-1"], 1), DeviceRow("late", "r9", "gw-1", "test.pressure")])
        taking = Quarantine.take

        def dying(*given: Any, **more: Any) -> int:
            raise LakeError("killed between the stream's word and the quarantine's")

        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(Quarantine, "take", dying)
            with pytest.raises(LakeError, match="stopped after 0 of 6"):
                asyncio.run(desk.replay(NOBODY, "unknown_device"))
        assert Quarantine.take is taking
        assert asyncio.run(desk.replay(NOBODY, "unknown_device")) == 6  # two of them the broker knows
        until(lambda: committed(here) == 30)
        assert desk.counts(NOBODY) == {"unknown_device": 3}
        assert {row["device_id"] for row in lying.rows()} == {"nobody"}
        assert len(stored(tmp_path)) == 3

        assert asyncio.run(desk.replay(NOBODY, "unknown_device", "late")) == 0
        assert asyncio.run(desk.replay(NOBODY, "unknown_device", "nobody")) == 3
        until(lambda: committed(here) == 33)
        assert desk.counts(NOBODY) == {"unknown_device": 3}
        with pytest.raises(BadRequest, match="nothing is set aside"):
            asyncio.run(desk.replay(NOBODY, "malformed"))
