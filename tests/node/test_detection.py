"""Readings become findings through a pack; each once, with reasons, and one app's error stops no other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from hucheng.apps import Detector
from hucheng.base.readings import READINGS
from hucheng.errors import Refused, RuleError
from hucheng.node.intake.detection import Detection, Open, Watch
from hucheng.rules import loads
from tests.base.nodekit import CRISIS, PACK

NOW = datetime(2026, 3, 1, 4, tzinfo=UTC)


def batch(*values: float, device: str = "d1") -> pa.Table:
    n = len(values)
    at = [NOW - timedelta(seconds=n - i) for i in range(n)]
    return pa.table(
        [["r1"] * n, [device] * n, ["systolic_bp"] * n, at, list(values), ["mm[Hg]"] * n, at, [1] * n, [True] * n],
        schema=READINGS,
    )


class Counting(Open):
    def __init__(self) -> None:
        self.people: list[str] = []
        self.closed = 0
        self.noted: list[list[str]] = []

    def beat(self, now: datetime) -> None:
        self.noted.append(sorted(set(self.people)))

    def seen(self, residents: pa.ChunkedArray) -> None:
        self.people += residents.unique().to_pylist()

    def close(self) -> None:
        self.closed += 1


def detection(*watches: Watch) -> Detection:
    return Detection(watches, lambda *_: {}, lambda device: device == "d1")


def test_a_crisis_is_found_once_with_its_reasons() -> None:
    view = Counting()
    at_work = detection(Watch(CRISIS, loads(PACK), view))
    found = at_work.look({"test.pressure": batch(120, 185, 179)}, NOW)
    assert [(f.rule, f.resident_id, f.simulated, f.urgent) for f in found] == [("crisis", "r1", True, True)]
    assert found[0].facts[0].unit == "mm[Hg]" and found[0].facts[0].observed_at == found[0].observed_at
    assert [(r.fact, r.value) for r in found[0].reasons] == [("systolic", 185)]
    assert found[0].detected_at == NOW and found[0].version.startswith("2020-01-01+")
    assert at_work.look({"test.pressure": batch(120, 185, 179)}, NOW) == []
    assert at_work.look({"home.other": batch(190)}, NOW) == []
    assert view.people == ["r1", "r1"]
    at_work.close()
    assert view.closed == 1


def test_rebuilding_the_state_finds_nothing() -> None:
    states: list[Any] = []

    def facts(seen: pa.Table, state: dict[str, int], registers: Any, now: datetime) -> pa.Table:
        state["rows"] = state.get("rows", 0) + seen.num_rows
        states.append(state)
        return CRISIS.facts(seen, state, registers, now)

    detector = Detector("crisis", "test.pressure", "p", "crisis", "crisis", "crisis", "k", facts)
    at_work = detection(Watch(detector, loads(PACK), Open()))
    at_work.warm({"test.pressure": batch(190)}, NOW)
    assert states == [{"rows": 1}]
    assert len(at_work.look({"test.pressure": batch(191)}, NOW)) == 1


def test_one_detector_that_fails_stops_no_other() -> None:
    def broken(*_: Any) -> pa.Table:
        raise ZeroDivisionError

    bad = Detector("bad", "test.pressure", "p", "crisis", "crisis", "bad", "k", broken, tick=broken)
    at_work = detection(Watch(bad, loads(PACK), Open()), Watch(CRISIS, loads(PACK), Open()))
    assert len(at_work.look({"test.pressure": batch(190)}, NOW)) == 1
    assert at_work.due(NOW) == []


def test_time_alone_makes_due_at_its_own_pace() -> None:
    calls: list[datetime] = []

    def tick(state: Any, registers: Any, now: datetime) -> pa.Table:
        calls.append(now)
        return pa.table({"resident_id": ["r1"], "device_id": ["d2"], "observed_at": [NOW], "systolic": [200]})

    detector = Detector("t", "test.pressure", "p", "crisis", "crisis", "t", "k", CRISIS.facts, tick=tick, every_s=30)
    at_work = detection(Watch(detector, loads(PACK), Open()))
    found = [at_work.due(NOW + timedelta(seconds=s)) for s in (0, 10, 29, 31, 62)]
    assert [len(f) for f in found] == [1, 0, 0, 0, 0] and len(calls) == 3
    assert calls[0].utcoffset() == timedelta(hours=8)
    assert at_work.due(NOW - timedelta(days=1)) == [] and len(calls) == 4  # a clock set back does not stop the ticks


def test_after_a_start_everybody_whose_last_readings_were_looked_at_is_written_down_at_once() -> None:
    view = Counting()
    at_work = detection(Watch(CRISIS, loads(PACK), view), Watch(CRISIS, loads(PACK), view))
    at_work.warm({"test.pressure": batch(120, 130)}, NOW)
    at_work.note(NOW)
    assert view.noted == [["r1"]]


def failing(name: str, times: list[int], error: Exception) -> Detector:
    """A detector that raises so often, and works then."""

    def facts(seen: pa.Table, state: Any, registers: Any, now: datetime) -> pa.Table:
        if times[0]:
            times[0] -= 1
            raise error
        return CRISIS.facts(seen, state, registers, now)

    return Detector(name, "test.pressure", "p", "crisis", "crisis", name, "k", facts, tick=None)


def test_a_table_without_a_column_of_the_pack_stops_that_detector_only() -> None:
    def lacking(seen: pa.Table, state: Any, registers: Any, now: datetime) -> pa.Table:
        return CRISIS.facts(seen, state, registers, now).drop_columns(["systolic"])

    bad = Detector("bad", "test.pressure", "p", "crisis", "crisis", "bad", "k", lacking)
    at_work = detection(Watch(bad, loads(PACK), Open()), Watch(CRISIS, loads(PACK), Open()))
    for device in ("d1", "d2"):
        assert [f.rule for f in at_work.look({"test.pressure": batch(190, device=device)}, NOW)] == ["crisis"]
    assert list(at_work.problems) == ["bad"]
    assert "RuleError" in at_work.problems["bad"] and "2 rows wait for a second look" in at_work.problems["bad"]


def test_what_was_not_looked_at_is_looked_at_again() -> None:
    at_work = detection(Watch(failing("late", [2], RuleError("no column")), loads(PACK), Open()))
    assert at_work.look({"test.pressure": batch(190)}, NOW) == []
    assert "no column" in at_work.problems["late"]
    assert at_work.due(NOW + timedelta(seconds=1)) == []  # the second try fails as well
    assert at_work.due(NOW + timedelta(seconds=2)) == []  # not so soon again
    [found] = at_work.due(NOW + timedelta(seconds=40))
    assert found.rule == "late" and found.detected_at == NOW and at_work.problems == {}
    assert at_work.due(NOW + timedelta(seconds=80)) == []


def test_a_later_batch_is_looked_at_while_an_earlier_one_waits() -> None:
    at_work = detection(Watch(failing("late", [1], KeyError("x")), loads(PACK), Open()))
    assert at_work.look({"test.pressure": batch(190)}, NOW) == []
    assert len(at_work.look({"test.pressure": batch(195, device="d2")}, NOW)) == 1
    assert "1 rows wait" in at_work.problems["late"]
    assert [f.facts[0].value for f in at_work.due(NOW)] == [190] and at_work.problems == {}


def test_what_does_not_fit_is_dropped_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hucheng.node.intake.later.MOST_ROWS", 3)
    at_work = detection(Watch(failing("late", [99], RuleError("no column")), loads(PACK), Open()))
    for _ in range(3):
        at_work.look({"test.pressure": batch(190, 191)}, NOW)
    assert "2 rows wait for a second look, 4 rows were dropped and never looked at" in at_work.problems["late"]
    at_work.look({"test.pressure": batch(190)}, NOW + timedelta(hours=7))
    assert "1 rows wait for a second look, 6 rows were dropped" in at_work.problems["late"]


def test_a_view_that_is_refused_stops_its_own_detectors_only() -> None:
    class Shut(Open):
        def select(self, batch: pa.Table) -> pa.Table:
            raise Refused("the row filter cannot be applied")

    bad = Detector("shut", "test.pressure", "p", "crisis", "crisis", "shut", "k", CRISIS.facts)
    at_work = detection(Watch(bad, loads(PACK), Shut()), Watch(CRISIS, loads(PACK), Open()))
    assert len(at_work.look({"test.pressure": batch(190)}, NOW)) == 1
    at_work.warm({"test.pressure": batch(190)}, NOW)
    assert "row filter" in at_work.problems["shut"]


def test_a_tick_that_fails_is_said_and_goes_again() -> None:
    times = [1]

    def tick(state: Any, registers: Any, now: datetime) -> pa.Table:
        if times[0]:
            times[0] -= 1
            raise RuleError("no register")
        return pa.table({"resident_id": ["r1"], "device_id": ["d2"], "observed_at": [NOW], "systolic": [200]})

    detector = Detector("t", "test.pressure", "p", "crisis", "crisis", "t", "k", CRISIS.facts, tick=tick, every_s=30)
    at_work = detection(Watch(detector, loads(PACK), Open()))
    assert at_work.due(NOW) == [] and "no register" in at_work.problems["t"]
    assert len(at_work.due(NOW + timedelta(seconds=31))) == 1 and at_work.problems == {}
