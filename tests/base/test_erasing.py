"""Erased means that no file holds it: not the data, not an old version, not the words of a log; and nobody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs
from rocksdict import AccessType, Options, Rdict

from hucheng.base.currentreader import CurrentReader
from hucheng.base.devices import DeviceRow, ListedDevices
from hucheng.base.erasing import Erasure
from hucheng.base.keeping import Keeper
from hucheng.base.lake import Lake
from hucheng.base.quarantine import Quarantine
from hucheng.errors import LakeError
from tests.base.readingkit import NOW_US, SECOND, message, metrics, one

MARY = "resident-of-flat-7"
CUFF = "cuff-of-flat-7"


class Register(ListedDevices):
    """A register that a test changes."""

    def __init__(self, *rows: DeviceRow) -> None:
        super().__init__(list(rows))

    def become(self, *rows: DeviceRow) -> None:
        self._rows[:] = rows
        self._version += 1


def device(name: str, resident: str) -> DeviceRow:
    return DeviceRow(name, resident, "gw-1", "test.pressure", True)


def order(seq: int, devices: dict[str, int | None]) -> Any:
    return structs.replace(message(seq, msgspec.json.encode(Erasure(MARY, devices))), erase=True)


def commit(keeper: Keeper) -> None:
    flight = keeper.close_round()
    assert flight is not None
    keeper.commit(flight)
    keeper.landed(flight)


def naming(home: Path, *words: str) -> list[str]:
    """Files that hold one of the words, and keys of current values that do."""
    found = [
        str(path)
        for path in (home / "lake").rglob("*")
        if path.is_file() and any(word.encode() in path.read_bytes() for word in words)
    ]
    db = Rdict(str(home / "current" / "p0"), Options(raw_mode=True), access_type=AccessType.read_only())
    for key, value in db.items():
        found += [repr(key) for word in words if word.encode() in key or word.encode() in value]
    db.close()
    return found


def stored(home: Path) -> list[tuple[str, str, float]]:
    rows = Lake(home / "lake").read("test.pressure", "resident_id, device_id, value").to_pylist()
    return sorted((row["resident_id"], row["device_id"], row["value"]) for row in rows)


def test_no_file_names_who_was_erased_and_the_neighbour_keeps_everything(tmp_path: Path) -> None:
    register = Register(device(CUFF, MARY), device("cuff-8", "r8"))
    keeper = Keeper(tmp_path, 0, 1, metrics(), register)
    for n in range(1, 4):
        mine, theirs = one(CUFF, NOW_US + n, 110 + n), one("cuff-8", NOW_US + n, 120 + n)
        keeper.take([message(n, [mine, theirs, one(CUFF, NOW_US + n, 999), one("cuff-8", NOW_US + n, 998)])])
        commit(keeper)
    whole = f'{{"readings": [{{"device_id": "{CUFF}"}}, {{"device_id": "cuff-8", '.encode()
    keeper.take([message(4, whole), message(5, [one("cuff-8", NOW_US + 9, 121, resident_id=MARY)])])
    commit(keeper)
    assert naming(tmp_path, MARY, CUFF)

    register.become(device("cuff-8", "r8"))
    keeper.take([order(6, {CUFF: None})])
    commit(keeper)
    reader = CurrentReader(tmp_path, 1, stale_s=0)
    assert not reader.recent(0, CUFF, ["systolic_bp"], 0, NOW_US + SECOND)
    assert len(reader.recent(0, "cuff-8", ["systolic_bp"], 0, NOW_US + SECOND)[0].value) == 3
    reader.close()
    keeper.close()

    assert stored(tmp_path) == [("r8", "cuff-8", 121.0), ("r8", "cuff-8", 122.0), ("r8", "cuff-8", 123.0)]
    held = Quarantine(tmp_path / "lake")
    assert held.counts() == {"malformed": 1, "out_of_range": 3, "wrong_resident": 1}
    assert '"cuff-8"' in held.waiting("malformed")[0].raw  # the others' part of a message stays
    assert naming(tmp_path, MARY, CUFF) == []
    again = Keeper(tmp_path, 0, 1, metrics(), register)
    assert again.offset.seq == 6 and again.current.people(["r8"]).tolist() == [1]
    again.close()


def test_the_next_wearer_of_a_device_keeps_what_is_hers(tmp_path: Path) -> None:
    register = Register(device(CUFF, MARY))
    keeper = Keeper(tmp_path, 0, 1, metrics(), register)
    keeper.take([message(1, [one(CUFF, NOW_US, 111), one(CUFF, NOW_US, 999)])])
    commit(keeper)
    register.become(device(CUFF, "r9"))
    keeper.load_devices()
    later = NOW_US + 3600 * SECOND
    keeper.take([message(2, [one(CUFF, later, 130), one(CUFF, later, 998)], received=later)])
    commit(keeper)
    keeper.take([order(3, {CUFF: NOW_US + SECOND}), message(4, [one(CUFF, later, 130)], received=later)])
    commit(keeper)
    assert stored(tmp_path) == [("r9", CUFF, 130.0)]
    assert keeper.offset.counts.duplicate == 1  # what is hers is still known
    [kept] = Quarantine(tmp_path / "lake").rows()
    assert "998" in kept["raw"]
    reader = CurrentReader(tmp_path, 1, stale_s=0)
    assert [r.value.tolist() for r in reader.recent(0, CUFF, ["systolic_bp"], 0, later)] == [[130]]
    reader.close()
    keeper.close()
    assert naming(tmp_path, MARY) == []


def test_an_erasure_that_stops_half_way_is_done_by_the_next_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = Register(device(CUFF, MARY), device("cuff-8", "r8"))
    keeper = Keeper(tmp_path, 0, 1, metrics(), register)
    keeper.take([message(1, [one(CUFF), one("cuff-8")])])
    commit(keeper)
    keeper.take([message(2, [one(CUFF, NOW_US + 1), one("cuff-8", NOW_US + 1)])])
    register.become(device("cuff-8", "r8"))
    keeper.take([order(3, {CUFF: None})])
    flight = keeper.close_round()
    assert flight is not None
    write = keeper.current.write
    with monkeypatch.context() as patched:

        def full(*_: Any) -> None:
            raise LakeError("no room")

        patched.setattr(keeper.current, "write", full)
        with pytest.raises(LakeError):
            keeper.commit(flight)
    assert keeper.current.write == write
    keeper.commit(flight)
    keeper.landed(flight)
    keeper.close()
    assert naming(tmp_path, MARY, CUFF) == []
    assert [row[0] for row in stored(tmp_path)] == ["r8", "r8"]


def test_a_killed_intake_erases_what_it_reads_again(tmp_path: Path) -> None:
    """The register has lost the device by then: its readings come back as a stranger's, and go all the same."""
    register = Register(device(CUFF, MARY), device("cuff-8", "r8"))
    keeper = Keeper(tmp_path, 0, 1, metrics(), register)
    messages = [message(1, [one(CUFF), one("cuff-8")]), order(2, {CUFF: None})]
    keeper.take(messages)
    keeper.close()  # nothing was committed
    register.become(device("cuff-8", "r8"))
    again = Keeper(tmp_path, 0, 1, metrics(), register)
    again.take(messages)
    commit(again)
    again.close()
    assert naming(tmp_path, MARY, CUFF) == []
    assert [row[0] for row in stored(tmp_path)] == ["r8"]
