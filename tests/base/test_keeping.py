"""Every reading is kept exactly once, and whatever breaks its contract is set aside with the reason."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from hucheng.base.currentreader import CurrentReader
from hucheng.base.devices import DeviceRow, ListedDevices
from hucheng.base.keeping import Keeper
from hucheng.base.lake import Lake
from hucheng.base.quarantine import Quarantine
from hucheng.errors import Fenced
from tests.base.readingkit import NOW_US, SECOND, devices, message, metrics, one

HOUR = 3600 * SECOND


def open_keeper(home: Path, register: ListedDevices | None = None) -> Keeper:
    return Keeper(home, 0, 1, metrics(), register or devices())


def commit(keeper: Keeper) -> None:
    flight = keeper.close_round()
    if flight is not None:
        keeper.commit(flight)
        keeper.landed(flight)


def stored(home: Path) -> list[tuple[Any, ...]]:
    rows = Lake(home / "lake").read("test.pressure", "device_id, metric, epoch_us(observed_at) AS t, value")
    return sorted(tuple(row.values()) for row in rows.to_pylist())


def test_new_again_and_other_value(tmp_path: Path) -> None:
    keeper = open_keeper(tmp_path)
    keeper.take([message(1, [one(), one(at=NOW_US - SECOND), one(), one(value=130)])])
    commit(keeper)
    keeper.take([message(2, [one(at=NOW_US - SECOND), one(at=NOW_US - SECOND, value=99), one(at=NOW_US - 5 * SECOND)])])
    commit(keeper)
    counts = keeper.offset.counts
    assert (counts.received, counts.accepted, counts.duplicate, counts.quarantined) == (7, 3, 2, 2)
    assert Quarantine(tmp_path / "lake").counts() == {"conflict": 2}
    assert len(stored(tmp_path)) == 3


def test_what_is_only_taken_is_not_counted_as_committed(tmp_path: Path) -> None:
    keeper = open_keeper(tmp_path)
    for seq in (1, 2):
        keeper.take([message(seq, {"run": "r", "readings": [one(at=NOW_US - seq * SECOND)]}, replay=True)])
        assert (
            keeper.committed.counts.received == sum(run.received for run in keeper.committed.runs.values()) == seq - 1
        )
        commit(keeper)
    assert keeper.committed.counts.received == keeper.committed.runs["r"].received == 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff\xfe", "malformed"),
        ({"hello": 1}, "malformed"),
        ([one(value="high")], "malformed"),
        ([one(at="yesterday")], "malformed"),
        ([one(device="nobody")], "unknown_device"),
        ([one(resident_id="r1")], "wrong_resident"),
        ([one(metric="shoe_size")], "unknown_metric"),
        ({"dataset": "home.bed", "readings": [one()]}, "unknown_metric"),
        ([one() | {"unit": "kPa"}], "wrong_unit"),
        ([one(value=301)], "out_of_range"),
        ([one(metric="heart_rate", value=60.5) | {"unit": "/min"}], "out_of_range"),
        ([one(at=NOW_US + 3600 * SECOND)], "in_future"),
        ([one(at=10**30)], "in_future"),
        ([one(at=0)], "too_old"),
        ({"columns": {"device_id": "d0", "metric": "systolic_bp", "observed_at": [1] * 2, "value": [1], "unit": "x"}},
         "malformed"),
        ({"columns": {"device_id": "d0", "metric": "m", "observed_at": [1] * 100_001, "value": [1] * 100_001,
                      "unit": "x"}}, "too_large"),
    ],
)  # fmt: skip
def test_what_breaks_the_contract_is_set_aside_and_stops_nothing_else(tmp_path: Path, body: Any, reason: str) -> None:
    keeper = open_keeper(tmp_path)
    keeper.take([message(1, body), message(2, [one(device="d1")])])
    commit(keeper)
    held = Quarantine(tmp_path / "lake").rows()
    assert [row["reason"] for row in held] == [reason]
    assert held[0]["detail"] and held[0]["raw"]
    assert keeper.offset.counts.accepted == 1 and len(stored(tmp_path)) == 1
    assert keeper.offset.counts.received == 2


def test_a_device_must_come_by_its_own_gateway(tmp_path: Path) -> None:
    keeper = open_keeper(tmp_path)
    keeper.take([message(1, [one()], gateway="gw-2"), message(2, [one()], right=False)])
    commit(keeper)
    assert Quarantine(tmp_path / "lake").counts() == {"wrong_gateway": 2}


def test_one_bad_row_of_a_batch_leaves_the_others(tmp_path: Path) -> None:
    keeper = open_keeper(tmp_path)
    columns = {"device_id": ["d0", "d1", "d2"], "metric": "systolic_bp", "unit": "mm[Hg]"}
    body = {"columns": columns | {"observed_at": ["2026-03-01T04:00:00Z", "never", "2026-03-01T04:00:00+00:00"],
                                  "value": [120, 121, 122]}}  # fmt: skip
    keeper.take([message(1, body), message(2, {"columns": {**body["columns"], "value": [120, None, 122]}})])
    commit(keeper)
    assert [row[0] for row in stored(tmp_path)] == ["d0", "d2"]
    held = Quarantine(tmp_path / "lake").rows()
    assert {(row["seq"], row["row"]) for row in held} == {(1, 1), (2, 1)}


def test_a_device_entered_meanwhile_is_known_at_once_and_others_can_be_replayed(tmp_path: Path) -> None:
    register = devices(1)
    keeper = open_keeper(tmp_path, register)
    keeper.take([message(1, [one(device="d7")])])
    register.add([DeviceRow("d7", "r7", "gw-1", "test.pressure"), DeviceRow("d8", "r8", "gw-1", "test.pressure")])
    keeper.take([message(2, [one(device="d8")])])
    commit(keeper)
    again = Quarantine(tmp_path / "lake").waiting("unknown_device")
    assert len(again) == 1
    keeper.take([message(3, again[0].raw.encode(), gateway=again[0].gateway)])
    commit(keeper)
    assert [row[0] for row in stored(tmp_path)] == ["d7", "d8"]


def test_a_flooding_device_is_cut_and_the_others_are_not(tmp_path: Path) -> None:
    keeper = open_keeper(tmp_path)
    flood = [one(at=NOW_US - i) for i in range(1500)]
    keeper.take([message(1, flood), message(2, [one(device="d1", at=NOW_US - i) for i in range(900)])])
    assert keeper.offset.counts.quarantined == 500 and keeper.offset.counts.accepted == 1900
    keeper.take([message(3, [one(at=NOW_US - 10**6 - i) for i in range(100)], received=NOW_US + 10 * SECOND)])
    assert keeper.offset.counts.quarantined == 550
    backlog = [one(at=NOW_US - 3 * HOUR - i) for i in range(2000)]
    keeper.take([message(4, backlog)])  # older than fresh: not judged by the rate
    keeper.take(
        [message(5, {"run": "x", "readings": [one(at=NOW_US - 2 * SECOND - i) for i in range(1500)]}, replay=True)]
    )
    assert keeper.offset.counts.quarantined == 550


def test_only_fresh_readings_may_raise_a_finding_unless_replayed_live(tmp_path: Path) -> None:
    keeper = open_keeper(tmp_path)
    assert keeper.take([message(1, [one(at=NOW_US - 3 * HOUR)])]).fresh == {}
    assert keeper.take([message(2, {"replay": "live", "readings": [one(at=NOW_US - 4 * HOUR)]})]).fresh == {}
    body = {"replay": "live", "readings": [one(at=NOW_US - 5 * HOUR)]}
    assert keeper.take([message(3, body, replay=True)]).fresh["test.pressure"].num_rows == 1
    assert keeper.take([message(4, [one(at=NOW_US - HOUR)])]).fresh["test.pressure"].num_rows == 1
    assert keeper.take([message(5, [one(at=NOW_US - HOUR)])]).fresh == {}


def test_a_replay_is_counted_for_itself(tmp_path: Path) -> None:
    keeper = open_keeper(tmp_path)
    keeper.take([message(1, [one()])])
    body = {"run": "r1", "readings": [one(), one(device="d1"), one(device="nobody"), one(device="d2", value="x")]}
    keeper.take([message(2, body, replay=True), message(3, {**body, "run": "r2"}, replay=True)])
    first, second = keeper.offset.runs["r1"], keeper.offset.runs["r2"]
    assert (first.received, first.accepted, first.duplicate, first.quarantined) == (4, 1, 1, 2)
    assert (second.accepted, second.duplicate) == (0, 2)


def test_current_values_are_read_by_another_process_hand_and_bounded_by_the_contract(tmp_path: Path) -> None:
    keeper = open_keeper(tmp_path)
    keeper.take([message(1, [one(at=NOW_US - h * HOUR, value=100 + h) for h in range(72)])])
    keeper.take([message(2, [one(device="d1", at=NOW_US - 200 * HOUR)])])
    commit(keeper)
    reader = CurrentReader(tmp_path, 1, stale_s=0)
    day = reader.recent(0, "d0", ["systolic_bp"], NOW_US - 24 * HOUR, NOW_US)[0]
    assert len(day.value) == 25 and (np.diff(day.observed_us) < 0).all()
    assert reader.recent(0, "d0", ["systolic_bp"], 0, NOW_US, 2)[0].value.tolist()[1:] == [101]
    assert reader.last(0, "d1", ["systolic_bp"])[0].resident_id == "r1"
    assert reader.offsets()[0].counts.accepted == 73
    keeper.take([message(3, [one(device="d2", at=NOW_US + 48 * HOUR)], received=NOW_US + 48 * HOUR)])
    commit(keeper)
    keeper.sweep(1.0)
    assert (
        len(reader.recent(0, "d0", ["systolic_bp"], 0, NOW_US)[0].value) == 26
    )  # 72 h and the margin before the newest
    assert len(reader.last(0, "d1", ["systolic_bp"])) == 1
    again = keeper.take([message(4, [one(at=NOW_US - 60 * HOUR, value=160)], received=NOW_US + 48 * HOUR)])
    assert len(again.pair) == 0 and keeper.offset.counts.duplicate == 1  # the lake still knows it
    reader.close()


def test_a_device_whose_readings_are_erased_leaves_nothing_and_can_begin_anew(tmp_path: Path) -> None:
    register = devices(2)
    keeper = open_keeper(tmp_path, register)
    keeper.take([message(1, [one(), one(value=130), one(device="d1")])])
    commit(keeper)
    order = message(3, {"person": "r0", "devices": {"d0": None, "it's gone": None}})
    later = message(4, [one(value=125)])
    keeper.take([message(2, [one(at=NOW_US - SECOND)]), structs.replace(order, erase=True), later])
    commit(keeper)
    assert [(row[0], row[3]) for row in stored(tmp_path)] == [("d0", 125), ("d1", 120)]
    assert Quarantine(tmp_path / "lake").counts() == {}
    reader = CurrentReader(tmp_path, 1, stale_s=0)
    assert [r.value.tolist() for r in reader.recent(0, "d0", ["systolic_bp"], 0, NOW_US)] == [[125]]
    reader.close()
    keeper.close()
    keeper = open_keeper(tmp_path, register)
    keeper.take([message(5, [one(value=125), one(at=NOW_US - SECOND)])])
    assert keeper.offset.counts.duplicate == 1 and keeper.offset.counts.accepted == 5


def newest(keeper: Keeper) -> list[tuple[Any, ...]]:
    tables = keeper.newest_tables().values()
    rows = [row for table in tables for row in table.select(["device_id", "resident_id", "value"]).to_pylist()]
    return sorted(tuple(row.values()) for row in rows)


@pytest.mark.parametrize("lost", [False, True])
def test_of_a_device_that_was_given_on_nothing_of_its_earlier_wearer_is_handed_out(tmp_path: Path, lost: bool) -> None:
    keeper = open_keeper(tmp_path, devices(2))
    keeper.take([message(1, [one(value=185), one(device="d1")])])
    assert newest(keeper) == [("d0", "r0", 185), ("d1", "r1", 120)]
    commit(keeper)
    keeper.close()
    if lost:
        shutil.rmtree(tmp_path / "current")
    given = NOW_US + 10 * SECOND
    rows = [DeviceRow("d0", "r9", "gw-1", "test.pressure", True, given), *list(devices(2).rows())[1:]]
    keeper = open_keeper(tmp_path, ListedDevices(rows))
    assert newest(keeper) == [("d1", "r1", 120)]
    keeper.take([message(2, [one(at=given - SECOND, value=184)], received=given + SECOND)])  # late: of the one before
    assert newest(keeper) == [("d1", "r1", 120)]
    commit(keeper)
    keeper.close()
    keeper = open_keeper(tmp_path, ListedDevices(rows))
    assert newest(keeper) == [("d1", "r1", 120)]
    keeper.take([message(3, [one(at=given, value=130)], received=given + SECOND)])
    assert newest(keeper) == [("d0", "r9", 130), ("d1", "r1", 120)]
    commit(keeper)
    keeper.close()
    keeper = open_keeper(tmp_path, ListedDevices(rows))
    assert newest(keeper) == [("d0", "r9", 130), ("d1", "r1", 120)]
    keeper.close()


def test_a_second_writer_of_the_partition_is_fenced(tmp_path: Path) -> None:
    keeper = open_keeper(tmp_path)
    keeper.take([message(1, [one()])])
    commit(keeper)
    from hucheng.base.readings import READINGS

    rival = Lake(tmp_path / "lake").writer("test.pressure", READINGS, "intake-0")
    rival.append(pa.table({n: [] for n in READINGS.names}, schema=READINGS), 5)
    keeper.take([message(2, [one(at=NOW_US + SECOND)])])
    with pytest.raises(Fenced):
        commit(keeper)


class Crash(Exception):
    """Stands for kill -9 between two writes."""


def crash_after(keeper: Keeper, writes: int) -> None:
    """Commit a round but stop after so many of its writes."""
    flight = keeper.close_round()
    if flight is None:
        return
    left = [writes]

    def counted(write: Any) -> Any:
        def call(*args: Any, **more: Any) -> Any:
            if left[0] == 0:
                raise Crash
            left[0] -= 1
            return write(*args, **more)

        return call

    for table in keeper._tables.values():
        table.append = counted(table.append)  # type: ignore[method-assign]
    keeper.current.write = counted(keeper.current.write)  # type: ignore[method-assign]
    keeper.commit(flight)
    keeper.landed(flight)


TWO = [DeviceRow(f"d{i}", f"r{i}", "gw-1", "test.pressure" if i % 2 else "test.second") for i in range(4)]
READING = st.tuples(
    st.integers(0, 4), st.sampled_from(["systolic_bp", "diastolic_bp"]), st.integers(0, 5), st.integers(39, 42)
)


@settings(max_examples=20, deadline=None)
@given(
    batches=st.lists(st.lists(READING, min_size=1, max_size=8), min_size=1, max_size=8),
    stops=st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.booleans()), max_size=5),
    seed=st.integers(0, 99),
)
def test_whatever_the_crashes_the_lake_and_the_counts_are_those_of_a_run_without(
    tmp_path_factory: pytest.TempPathFactory, batches: Any, stops: Any, seed: int
) -> None:
    """Against brute force: the first value of each identity is kept, the same again counted, others set aside."""
    home = tmp_path_factory.mktemp("home")
    chance = random.Random(seed)
    stream = [
        message(
            i + 1, [one(f"d{d}", NOW_US + (t - 3) * 40 * HOUR // 10, v, metric=m) for d, m, t, v in batch],
            received=NOW_US + 20 * HOUR,
        )
        for i, batch in enumerate(batches)
    ]  # fmt: skip
    kept: dict[tuple[int, str, int], int] = {}
    again = aside = 0
    for d, m, t, v in (reading for batch in batches for reading in batch):
        if d == 4 or v < 40 or kept.setdefault((d, m, t), v) != v:
            aside += 1
        else:
            again += 1
    keeper = open_keeper(home, ListedDevices(TWO))
    todo = list(stops)
    while True:
        after = keeper.offset.seq
        try:
            for m in [m for m in stream if m.seq > after]:
                keeper.take([m])
                if todo and chance.random() < 0.5:
                    writes, lose_current, _ = todo.pop()
                    crash_after(keeper, writes)
                    todo and todo.pop()
                    raise Crash
                if chance.random() < 0.3:
                    commit(keeper)
            commit(keeper)
            break
        except Crash:
            keeper.close()
            if lose_current:
                shutil.rmtree(home / "current")
            keeper = open_keeper(home, ListedDevices(TWO))
    rows = [
        row
        for name in ("test.pressure", "test.second")
        for row in Lake(home / "lake").read(name, "device_id, metric, epoch_us(observed_at) AS t, value").to_pylist()
    ]
    found = {
        (int(r["device_id"][1:]), r["metric"], (r["t"] - NOW_US) * 10 // (40 * HOUR) + 3): r["value"] for r in rows
    }
    assert len(found) == len(rows) and found == kept
    counts = keeper.offset.counts
    assert (counts.accepted, counts.duplicate, counts.quarantined) == (len(kept), again - len(kept), aside)
    assert sum(Quarantine(home / "lake").counts().values()) == aside
    keeper.close()
