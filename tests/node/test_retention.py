"""Readings are kept as long as their contract says and no longer, and none of them can come back."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from hucheng.base.currentreader import CurrentReader
from hucheng.base.keeping import Keeper
from hucheng.base.lake import Lake
from hucheng.base.quarantine import KEEP, Quarantine
from hucheng.node.intake.retention import MARGIN, Retention
from tests.base.readingkit import NOW_US, SECOND, devices, message, metrics, one

DAY = 86_400 * SECOND
CONTRACT = next(c for c in metrics().contracts if c.id == "test.pressure")
RETENTION_US = int(CONTRACT.retention.total_seconds()) * SECOND


def at(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1e6, UTC)


def commit(keeper: Keeper) -> None:
    flight = keeper.close_round()
    assert flight is not None
    keeper.commit(flight)
    keeper.landed(flight)


def kept(home: Path) -> list[int]:
    rows = Lake(home / "lake").read("test.pressure", "epoch_us(observed_at) AS t").to_pylist()
    return sorted(row["t"] for row in rows)


def retention(home: Path, now_us: int) -> Retention:
    return Retention(home, metrics().contracts, lambda: at(now_us), lambda: at(now_us), lambda: 0.0)


def test_what_is_past_its_retention_goes_and_is_refused_when_it_comes_again(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, 0, 1, metrics(), devices(2))
    keeper.take([message(1, [one(), one(at=NOW_US - 3 * DAY), one(device="d1")])])
    commit(keeper)
    later = NOW_US + RETENTION_US
    assert retention(tmp_path, later).once() == {"test.pressure": 1}
    assert kept(tmp_path) == [NOW_US, NOW_US]

    keeper.take([message(2, [one(at=NOW_US - 3 * DAY)], received=later)])
    commit(keeper)
    assert Quarantine(tmp_path / "lake").counts() == {"too_old": 1}
    later += 2 * DAY
    keeper.take([message(3, [one(device="d1", at=later)], received=later)])
    commit(keeper)
    assert retention(tmp_path, later).once() == {"test.pressure": 2}
    keeper.sweep(1.0)
    reader = CurrentReader(tmp_path, 1, stale_s=0)
    assert not reader.last(0, "d0", ["systolic_bp"]) and reader.last(0, "d1", ["systolic_bp"])
    reader.close()
    keeper.take([message(4, [one(), one(device="d1")], received=later)])
    commit(keeper)
    assert kept(tmp_path) == [later]
    assert Quarantine(tmp_path / "lake").counts() == {"too_old": 3}
    keeper.close()


def test_what_is_set_aside_is_kept_ninety_days(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, 0, 1, metrics(), devices())
    keeper.take([message(1, [one(device="nobody")])])
    commit(keeper)
    keeper.close()
    over = NOW_US + int((KEEP + MARGIN).total_seconds()) * SECOND
    assert retention(tmp_path, over).once() == {}
    assert retention(tmp_path, over + SECOND).once() == {"_quarantine": 1}


def test_a_clock_that_jumps_deletes_nothing(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, 0, 1, metrics(), devices())
    keeper.take([message(1, [one()])])
    commit(keeper)
    keeper.close()
    clock = [at(NOW_US)]
    watch = Retention(tmp_path, metrics().contracts, lambda: clock[0], lambda: clock[0], lambda: 0.0)
    clock[0] += timedelta(days=9_000)
    assert watch.once() == {}
    behind = Retention(tmp_path, metrics().contracts, lambda: clock[0], lambda: at(NOW_US), lambda: 0.0)
    assert behind.once() == {}  # the broker's time, by which readings are judged, is not there yet
    assert kept(tmp_path) == [NOW_US]


def test_readings_are_committed_while_others_are_deleted(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, 0, 1, metrics(), devices())
    keeper.take([message(1, [one(at=NOW_US - i * DAY) for i in range(10)])])
    commit(keeper)
    gone: list[int] = []

    def delete() -> None:
        for days in range(9, 0, -1):
            now = NOW_US - days * DAY + RETENTION_US + DAY + SECOND
            gone.append(retention(tmp_path, now).once().get("test.pressure", 0))

    thread = threading.Thread(target=delete)
    thread.start()
    seq = 1
    while thread.is_alive():
        seq += 1
        keeper.take([message(seq, [one(at=NOW_US + seq)], received=NOW_US + seq)])
        commit(keeper)
    thread.join()
    keeper.close()
    assert gone == [1] * 9 and len(kept(tmp_path)) == seq


def test_the_files_of_a_register_s_old_copies_go_too(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    for version in (1, 2, 3):
        lake.replace("city.residents", pa.table({"n": [version]}), "registers", version)
    files = sorted((tmp_path / "lake" / "city.residents").glob("*.parquet"))
    assert len(files) == 3
    now = {Path(name).name for name in lake.files("city.residents")}
    for entry in (tmp_path / "lake" / "city.residents" / "_delta_log").glob("*.json"):  # as if it were an hour later
        entry.write_text(re.sub(r'"deletionTimestamp":\d+', '"deletionTimestamp":0', entry.read_text()))
    retention(tmp_path, NOW_US).sweep()
    left = {path.name for path in (tmp_path / "lake" / "city.residents").glob("*.parquet")}
    assert left == now and lake.read("city.residents").to_pylist() == [{"n": 3}]
