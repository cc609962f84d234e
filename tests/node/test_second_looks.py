"""What a detector could not look at survives a restart: written down with its own commit, read again from the lake."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hucheng.base.devices import DeviceRow, ListedDevices
from hucheng.base.keeping import Keeper
from hucheng.base.partition import partition_of
from hucheng.base.waiting import Waiting
from hucheng.decisions.findings import Finding
from hucheng.errors import LakeError
from hucheng.node.intake import later, recalling
from hucheng.node.intake.detection import Detection, Open, Watch
from hucheng.node.intake.recalling import Recalling
from hucheng.rules import loads
from tests.base.nodekit import CRISIS, PACK, breakable
from tests.base.readingkit import NOW_US, SECOND, devices, message, metrics, one

NOW = datetime.fromtimestamp(NOW_US / 1e6, UTC)
HOUR = 3600 * SECOND


class Half:
    """An intake without a broker: what it takes it looks at, and commits when it is told."""

    def __init__(
        self,
        home: Path,
        *,
        broken: bool = False,
        register: Any = None,
        partition: int = 0,
        partitions: int = 1,
        dataset: str = "test.pressure",
    ) -> None:
        self.mark = home / "broken"
        self.mark.touch() if broken else self.mark.unlink(missing_ok=True)
        self.keeper = Keeper(home, partition, partitions, metrics(), register or devices())
        detector = breakable(dataclasses.replace(CRISIS, dataset=dataset), self.mark)
        watch = Watch(detector, loads(PACK), Open())
        self.detection = Detection([watch], lambda *_: {}, lambda device: True)
        self.recalling = Recalling(self.keeper, self.detection, partitions)

    def take(self, seq: int, *readings: Any, received: int = NOW_US, **more: Any) -> list[Finding]:
        kept = self.keeper.take([message(seq, list(readings) or [one()], received=received, **more)])
        return self.detection.look(kept.fresh, datetime.fromtimestamp(self.keeper.offset.received_us / 1e6, UTC))

    def commit(self) -> None:
        self.recalling.write_down()
        if (flight := self.keeper.close_round()) is not None:
            self.keeper.commit(flight)
            self.keeper.landed(flight)

    def again(self, now: datetime = NOW) -> list[Finding]:
        asyncio.run(self.recalling.once(now))
        return self.detection.due(now)

    @property
    def written(self) -> list[Waiting]:
        return self.keeper.offset.waiting


def ended(home: Path, *seqs: int, **more: Any) -> None:
    """An intake that could not look at these, and was killed after their commit."""
    half = Half(home, broken=True, **more)
    for seq in seqs:
        assert half.take(seq, one(at=NOW_US + seq, value=180 + seq), received=NOW_US + seq * SECOND) == []
    half.commit()
    half.keeper.close()


@pytest.mark.parametrize("lost", [False, True])
def test_what_waited_at_a_kill_is_looked_at_after_the_start(tmp_path: Path, lost: bool) -> None:
    ended(tmp_path, 1)
    if lost:
        shutil.rmtree(tmp_path / "current")
    half = Half(tmp_path)
    assert half.written == [Waiting("crisis", "test.pressure", 1, 1, 1, NOW_US + SECOND)]
    [found] = half.again()
    assert (found.resident_id, found.detected_at) == ("r0", NOW + timedelta(seconds=1))
    assert half.detection.problems == {} and half.again(NOW + timedelta(minutes=1)) == []
    half.take(2, one(at=NOW_US + 7))
    half.commit()
    assert half.written == []
    half.keeper.close()
    assert Half(tmp_path).again() == []


def test_looks_that_fail_one_after_the_other_are_written_down_as_one(tmp_path: Path) -> None:
    half = Half(tmp_path, broken=True)
    half.take(1, one(at=NOW_US + 1))
    half.take(3, one(at=NOW_US + 2), one(at=NOW_US + 3), received=NOW_US + SECOND)
    half.mark.unlink()
    half.take(4, one(at=NOW_US + 4))
    half.mark.touch()
    half.take(5, one(at=NOW_US + 5), received=NOW_US + 2 * SECOND)
    half.take(6, one(at=NOW_US + 6), received=NOW_US + 600 * SECOND)
    half.commit()
    pieces = [(piece.first, piece.last, piece.rows, (piece.now_us - NOW_US) // SECOND) for piece in half.written]
    assert pieces == [(1, 3, 3, 1), (5, 5, 1, 2), (6, 6, 1, 600)]
    assert half.detection.due(NOW) == []  # the second look fails as well: what was apart stays apart
    half.take(7, one(at=NOW_US + 7), received=NOW_US + 1200 * SECOND)
    half.recalling.write_down()
    assert [(piece.first, piece.last) for piece in half.written] == [(1, 3), (5, 5), (6, 6), (7, 7)]


def test_it_waits_through_starts_at_which_it_cannot_be_looked_at(tmp_path: Path) -> None:
    ended(tmp_path, 1)
    half = Half(tmp_path, broken=True)
    half.take(2, one(at=NOW_US + 2, value=182), received=NOW_US + 2 * SECOND)
    half.commit()  # before anything was read again
    half.keeper.close()
    half = Half(tmp_path, broken=True)
    assert half.again() == [] and "2 rows wait for a second look" in half.detection.problems["crisis"]
    half.take(3, one(at=NOW_US + 3, value=90))
    half.commit()
    half.keeper.close()
    half = Half(tmp_path)
    assert sorted(f.facts[0].value for f in half.again()) == [181, 182]


def test_a_lake_that_cannot_be_read_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended(tmp_path, 1)
    half = Half(tmp_path)

    def unread(*_: Any) -> Any:
        raise LakeError("cannot read the table")

    with monkeypatch.context() as broken:
        broken.setattr(recalling, "read_again", unread)
        with pytest.raises(LakeError):
            half.again()
    half.take(2)
    half.commit()
    assert len(half.written) == 1 and len(half.again()) == 1


def test_what_a_crash_left_out_of_the_lake_comes_from_the_stream(tmp_path: Path) -> None:
    register = ListedDevices(
        [DeviceRow("d0", "r0", "gw-1", "test.pressure"), DeviceRow("d1", "r1", "gw-1", "test.second")]
    )
    half = Half(tmp_path, broken=True, register=register, dataset="test.second")
    both = one(), one(device="d1", value=185)
    assert half.take(1, *both) == []
    half.recalling.write_down()
    flight = half.keeper.close_round()
    assert flight is not None

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    half.keeper._tables["test.second"].append = dies  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        half.keeper.commit(flight)
    half.keeper.close()
    half = Half(tmp_path, register=register, dataset="test.second")
    assert len(half.written) == 1 and half.recalling.left == []
    assert [f.resident_id for f in half.take(1, *both)] == ["r1"]
    half.commit()
    assert half.written == [] and half.again() == []


def test_what_is_too_old_or_gone_is_counted(tmp_path: Path) -> None:
    ended(tmp_path, 1, 2)
    half = Half(tmp_path)
    assert half.again(NOW + timedelta(hours=7)) == [] and half.recalling.left == []
    assert "2 rows were dropped and never looked at" in half.detection.problems["crisis"]
    half.keeper.close()
    half = Half(tmp_path)
    shutil.rmtree(tmp_path / "lake" / "test.pressure")
    assert half.again() == [] and "2 rows were dropped" in half.detection.problems["crisis"]


def test_history_beside_it_raises_no_alarm(tmp_path: Path) -> None:
    half = Half(tmp_path, broken=True)
    half.take(1, one(value=181), one(at=NOW_US - 3 * HOUR, value=190))
    half.commit()
    half.keeper.close()
    half = Half(tmp_path)
    assert [f.facts[0].value for f in half.again()] == [181]
    assert half.detection.problems == {}


def test_other_partitions_count_their_own_stream(tmp_path: Path) -> None:
    names = [next(n for n in (f"gw-{i}" for i in range(99)) if partition_of(n, 2) == p) for p in (0, 1)]
    register = ListedDevices([DeviceRow(f"d{p}", f"r{p}", names[p], "test.pressure", True) for p in (0, 1)])
    for p in (0, 1):
        half = Half(tmp_path, broken=True, register=register, partition=p, partitions=2)
        half.take(1, one(device=f"d{p}", value=185), gateway=names[p])
        half.commit()
        half.keeper.close()
    for p in (0, 1):
        half = Half(tmp_path, register=register, partition=p, partitions=2)
        assert [f.resident_id for f in half.again()] == [f"r{p}"]
        assert half.detection.problems == {}
        half.keeper.close()


def test_what_is_written_down_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(later, "MOST_WRITTEN", 2)
    half = Half(tmp_path, broken=True)
    for seq in range(1, 5):
        half.take(seq, one(at=NOW_US + seq), received=NOW_US + seq * 600 * SECOND)
    half.commit()
    assert [piece.first for piece in half.written] == [3, 4]
    assert "2 rows wait for a second look, 2 rows were dropped" in half.detection.problems["crisis"]
