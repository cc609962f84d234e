"""The index on disk: days added, refused, replaced; whole at every moment; damage is noticed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import meetings
import numpy as np
import pyarrow as pa
import pytest
from meetings import DAY, Row

from hucheng.apps.epidemic.contacts.index import Index
from hucheng.errors import BadRequest, LakeError, NotFound, Unavailable
from hucheng.files import write

CASES = [(0, 0, 9 * DAY)]


def some(day: int, seed: int = 0, many: int = 200) -> list[Row]:
    rng = np.random.default_rng([seed, day])
    starts = day * DAY + rng.integers(0, DAY, many)
    ends = starts + rng.integers(60, 50_000, many)
    rows = zip(rng.integers(0, 20, many), rng.integers(0, 5, many), starts, ends, strict=True)
    return [tuple(int(one) for one in row) for row in rows]


def answer(index: Index) -> list[Row]:
    return meetings.rows_of(index.contacts(meetings.cases_table(CASES)).overlaps)


def test_days_added_one_by_one_in_any_order_answer_like_all_at_once(tmp_path: Path) -> None:
    days = [some(day) for day in range(4)]
    for day in (2, 0, 3, 1):
        index, added = Index.build(meetings.visits_table(days[day]), tmp_path / "one")
        assert added.added == (f"1970-01-0{day + 1}",)
    every = [row for day in days for row in day]
    whole, _ = Index.build(meetings.visits_table(every), tmp_path / "all")
    assert answer(index) == answer(whole) == meetings.met(every, CASES, 15)
    index.verify()


def test_a_day_that_is_there_is_refused_unless_it_is_the_same_or_replaced(tmp_path: Path) -> None:
    Index.build(meetings.visits_table(some(0) + some(1)), tmp_path)
    before = (tmp_path / "manifest.json").read_bytes()
    shuffled = some(1)[::-1]
    _, added = Index.build(meetings.visits_table(shuffled), tmp_path)
    assert added.same == ("1970-01-02",) and not added.added
    with pytest.raises(BadRequest, match="1970-01-02") as caught:
        Index.build(meetings.visits_table(some(1, seed=5) + some(2)), tmp_path)
    assert "--replace" in str(caught.value.mend)
    assert (tmp_path / "manifest.json").read_bytes() == before
    index, added = Index.build(meetings.visits_table(some(1, seed=5) + some(2)), tmp_path, replace=True)
    assert added.replaced == ("1970-01-02",) and added.added == ("1970-01-03",)
    assert answer(index) == meetings.met(some(0) + some(1, seed=5) + some(2), CASES, 15)
    assert len(list((tmp_path / "days").iterdir())) == 3


def test_new_people_and_places_of_later_days_get_codes_and_old_days_stay_as_they_are(tmp_path: Path) -> None:
    Index.build(meetings.visits_table([(5, 50, 0, 4_000), (7, 50, 0, 4_000)]), tmp_path)
    old = next((tmp_path / "days").iterdir())
    stamp = old.stat().st_mtime_ns
    index, _ = Index.build(meetings.visits_table([(1, 9, DAY, DAY + 4_000), (7, 9, DAY, DAY + 4_000)]), tmp_path)
    assert old.stat().st_mtime_ns == stamp
    found = index.contacts(meetings.cases_table([(7, 0, 2 * DAY)]))
    assert [(row[0], row[2]) for row in meetings.rows_of(found.overlaps)] == [(1, 9), (5, 50)]
    assert found.people.to_pylist() == [5, 1]


def test_ids_of_text_and_of_numbers_find_each_other_only_where_they_are_written_alike(tmp_path: Path) -> None:
    visits = pa.table(
        {"person": ["7", "007", "b"], "place": ["x"] * 3, "arrive": [0, 0, 0], "leave": [4_000, 4_000, 4_000]}
    )
    index, _ = Index.build(visits, tmp_path / "text")
    found = index.contacts(meetings.cases_table([(7, 0, DAY)]))
    assert sorted(found.overlaps.column("person").to_pylist()) == ["007", "b"]
    assert found.overlaps.schema.field("person").type == pa.string()
    numbers, _ = Index.build(meetings.visits_table([(7, 1, 0, 4_000), (8, 1, 0, 4_000)]), tmp_path / "numbers")
    asked = pa.table({"person": ["7", "007", "x"], "from": [0, 0, 0], "until": [DAY, DAY, DAY]})
    found = numbers.contacts(asked)
    assert found.overlaps.column("person").to_pylist() == [8]
    assert any("2 cases without any visit: 007, x" in note for note in found.notes())
    with pytest.raises(BadRequest, match="as numbers"):
        Index.build(
            pa.table({"person": ["x"], "place": [1], "arrive": [DAY], "leave": [DAY + 60]}), tmp_path / "numbers"
        )


def test_ids_that_turn_out_to_be_text_late_in_the_file_are_text_from_the_beginning(tmp_path: Path) -> None:
    early = pa.table({"person": ["1", "2"], "place": ["1", "1"], "arrive": ["0", "0"], "leave": ["4000", "4000"]})
    late = pa.table({"person": ["x"], "place": ["1"], "arrive": ["0"], "leave": ["4000"]})
    write(early, tmp_path / "a.csv")
    write(late, tmp_path / "b.csv")
    index, added = Index.build([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "index")
    found = index.contacts(pa.table({"person": ["1"], "from": [0], "until": [DAY]}))
    assert sorted(found.overlaps.column("person").to_pylist()) == ["2", "x"] and added.report.rows == 3


BUILD_AND_DIE = """
import os, signal, sys
from pathlib import Path
from hucheng.apps.epidemic.contacts import days
from hucheng.apps.epidemic.contacts.index import Index
left, sync = int(sys.argv[3]), days.sync
def dying(number):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    sync(number)
days.sync = dying
Index.build([Path(sys.argv[1])], sys.argv[2])
"""


@pytest.mark.crash
def test_a_build_killed_anywhere_leaves_the_index_as_it_was_and_the_next_one_clears_up(tmp_path: Path) -> None:
    Index.build(meetings.visits_table(some(0)), tmp_path / "index")
    write(meetings.visits_table(some(1) + some(2)), tmp_path / "more.parquet")
    before = answer(Index.open(tmp_path / "index"))
    for survived in (0, 3, 9, 14, 16):
        run = subprocess.run(
            [sys.executable, "-c", BUILD_AND_DIE, tmp_path / "more.parquet", tmp_path / "index", str(survived)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert run.returncode == -signal.SIGKILL
        assert answer(Index.open(tmp_path / "index")) == before
    index, added = Index.build([tmp_path / "more.parquet"], tmp_path / "index")
    assert len(added.added) == 2
    assert answer(index) == meetings.met(some(0) + some(1) + some(2), CASES, 15)
    told = json.loads((tmp_path / "index" / "manifest.json").read_text())
    assert {one.name for one in (tmp_path / "index" / "days").iterdir()} == {day["folder"] for day in told["days"]}


def test_damage_is_said_with_the_file_and_the_way_to_mend_it(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no index"):
        Index.open(tmp_path)
    Index.build(meetings.visits_table(some(0)), tmp_path)
    file = next((tmp_path / "days").iterdir()) / "leave.npy"
    whole = file.read_bytes()
    file.write_bytes(whole[:-4])
    with pytest.raises(LakeError, match=r"leave\.npy"):
        Index.open(tmp_path)
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(LakeError, match="not as it was written"):
        Index.open(tmp_path).verify()
    Index.build(meetings.visits_table(some(0)), tmp_path, replace=True)[0].verify()
    (tmp_path / "manifest.json").write_text('{"format": "hucheng.contacts", "version": 99}')
    with pytest.raises(LakeError, match="version 99"):
        Index.open(tmp_path)


def test_two_builds_at_once_are_refused(tmp_path: Path) -> None:
    from hucheng.apps.epidemic.contacts.manifest import alone

    with alone(tmp_path), pytest.raises(Unavailable, match="another build"):
        Index.build(meetings.visits_table(some(0)), tmp_path)


def test_an_index_without_a_folder_is_the_same_where_it_is_too_large_for_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    visits = some(0) + some(1) + some(2)
    monkeypatch.setattr("hucheng.apps.epidemic.contacts.index.IN_MEMORY", 100)
    monkeypatch.setattr("hucheng.apps.epidemic.contacts.building.HELD", 50)
    index = Index.of(meetings.visits_table(visits))
    assert list(Path(index.scratch.name).iterdir()) and answer(index) == meetings.met(visits, CASES, 15)
    index.scratch.cleanup()


def test_a_disk_that_is_full_leaves_the_index_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index, _ = Index.build(meetings.visits_table(some(0)), tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hucheng.apps.epidemic.contacts.days.sync", full)
    with pytest.raises(BadRequest, match="No space left"):
        Index.build(meetings.visits_table(some(1)), tmp_path)
    assert answer(Index.open(tmp_path)) == answer(index)
