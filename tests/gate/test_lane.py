"""The line in front of the interpreter is fair, and an error in it stops nobody."""

from __future__ import annotations

import threading

import pytest

from hucheng.gate.lane import Lane


def test_one_at_a_time_in_the_order_of_coming() -> None:
    lane, came, inside = Lane(), [], []
    threads = []

    def wait(n: int) -> None:
        with lane:
            inside.append(n)
            assert len(inside) - inside.index(n) == 1
            came.append(n)

    with lane:
        for n in range(8):
            threads.append(threading.Thread(target=wait, args=(n,)))
            threads[-1].start()
            while len(lane._line) <= n:  # it stands in line before the next one comes
                threading.Event().wait(0.001)
    for thread in threads:
        thread.join()
    assert came == list(range(8))


def test_an_error_gives_the_turn_to_the_next() -> None:
    lane = Lane()
    with pytest.raises(ValueError), lane:
        raise ValueError
    with lane:
        pass
