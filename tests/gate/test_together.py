"""Work done by one for all who wait: everybody gets their own, nothing leaves before it is settled, an error stops
nobody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from hucheng.gate.together import Together


def test_everybody_gets_their_own_and_only_what_is_settled() -> None:
    settled: set[int] = set()
    inside = threading.Lock()

    def settle(entries: Sequence[int]) -> None:
        time.sleep(0.001)
        settled.update(entries)

    together = Together[int](settle)
    wrong: list[object] = []

    def ask(first: int) -> None:
        for n in range(first, first + 50):

            def work(take: Callable[[int], None], n: int = n) -> int:
                assert inside.acquire(blocking=False), "two at once"
                take(n)
                inside.release()
                return n * 2

            found = together.do(work)
            if found != n * 2 or n not in settled:
                wrong.append(n)

    threads = [threading.Thread(target=ask, args=(100 * k,)) for k in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not wrong and len(settled) == 16 * 50


def test_an_error_is_its_own_callers_and_leaves_no_entry() -> None:
    settled: list[int] = []
    together = Together[int](settled.extend)
    gathered, told = threading.Event(), {}

    def hold(take: Callable[[int], None]) -> str:
        gathered.wait(10)
        take(0)
        return "held"

    def fail(take: Callable[[int], None]) -> str:
        take(1)
        raise ValueError("mine")

    def fine(take: Callable[[int], None]) -> str:
        take(2)
        return "fine"

    def ask(name: str, work: Callable[[Callable[[int], None]], str]) -> None:
        try:
            told[name] = together.do(work)
        except ValueError as error:
            told[name] = str(error)

    threads = []
    for name, work in (("hold", hold), ("fail", fail), ("fine", fine)):
        threads.append(threading.Thread(target=ask, args=(name, work)))
        threads[-1].start()
        time.sleep(0.05)
    gathered.set()
    for thread in threads:
        thread.join(10)
    assert told == {"hold": "held", "fail": "mine", "fine": "fine"}
    assert sorted(settled) == [0, 2]


def test_what_cannot_be_settled_is_handed_to_nobody() -> None:
    def settle(entries: Sequence[int]) -> None:
        raise OSError("the disk is full")

    together = Together[int](settle)
    with pytest.raises(OSError, match="full"):
        together.do(lambda take: take(1))
    assert together.do(lambda take: "nothing to settle") == "nothing to settle"
