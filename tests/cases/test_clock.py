"""The desk's clock runs forward only, and tells by how much the machine's clock has jumped."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from hucheng.cases.clock import Poller, SteadyClock, instant, micros

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)


class Machine:
    """A wall clock and a monotonic clock that a test moves apart."""

    def __init__(self) -> None:
        self.wall_at, self.mono_at = NOON, 1000.0

    def run(self, seconds: float) -> None:
        self.wall_at += timedelta(seconds=seconds)
        self.mono_at += seconds

    def steady(self, last: datetime | None = None) -> SteadyClock:
        return SteadyClock(last, wall=lambda: self.wall_at, monotonic=lambda: self.mono_at)


def test_without_a_jump_it_is_the_wall_clock() -> None:
    machine = Machine()
    steady = machine.steady()
    machine.run(90)
    assert steady() == NOON + timedelta(seconds=90) == machine.wall_at
    assert steady.jump() is None


@pytest.mark.parametrize("jump", [timedelta(hours=2), timedelta(hours=-2), timedelta(days=400)])
def test_a_jump_does_not_move_it_until_the_due_times_moved(jump: timedelta) -> None:
    machine = Machine()
    steady = machine.steady()
    machine.run(10)
    machine.wall_at += jump
    machine.run(10)
    assert steady() == NOON + timedelta(seconds=20)
    apart = steady.jump()
    assert apart == jump
    steady.follow(apart)
    assert steady() == machine.wall_at
    assert steady.jump() is None


def test_a_small_drift_is_no_jump() -> None:
    machine = Machine()
    steady = machine.steady()
    machine.wall_at += timedelta(seconds=1.5)
    assert steady.jump() is None


def test_a_clock_set_back_while_the_desk_was_down_is_seen_at_start() -> None:
    machine = Machine()
    steady = machine.steady(last=NOON + timedelta(hours=1))
    assert steady() == NOON + timedelta(hours=1)
    assert steady.jump() == timedelta(hours=-1)


def test_down_time_is_no_jump() -> None:
    assert Machine().steady(last=NOON - timedelta(hours=5)).jump() is None


def test_micros_and_back() -> None:
    at = NOON + timedelta(microseconds=123457)
    assert instant(micros(at)) == at


def test_the_poller_goes_on_after_a_failure_and_ends_when_told() -> None:
    seen = threading.Semaphore(0)
    calls: list[int] = []

    def due() -> float | None:
        calls.append(1)
        seen.release()
        if len(calls) == 1:
            raise RuntimeError("once")
        return 0.01

    poller = Poller("test", due, idle_s=0.05)
    poller.start()
    for _ in range(3):
        assert seen.acquire(timeout=10)
    poller.stop()
    count = len(calls)
    assert count >= 3 and not poller._thread.is_alive()


def test_a_wake_is_not_lost_while_it_works() -> None:
    entered, go, again = threading.Event(), threading.Event(), threading.Event()
    turns: list[int] = []

    def due() -> float | None:
        turns.append(1)
        if len(turns) == 1:
            entered.set()
            go.wait(10)
        else:
            again.set()
        return None

    poller = Poller("test", due, idle_s=60)
    poller.start()
    assert entered.wait(10)
    poller.wake()
    go.set()
    assert again.wait(10)
    poller.stop()
