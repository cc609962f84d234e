"""What an intake does beside its readings: one chore that fails holds up no other, and is said."""

from __future__ import annotations

import asyncio
from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest

from hucheng.base import stream
from hucheng.node.intake.chores import Chores


def test_a_failing_chore_holds_up_no_other_and_shows_in_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    broken = [True]

    def load_devices() -> None:
        if broken[0]:
            raise ValueError("row 7")
        done.append("devices")

    async def write_notes(client: Any) -> None:
        done.append("journal")

    async def recall() -> None:
        done.append("second looks")

    async def stream_state(client: Any) -> dict[str, Any]:
        done.append("room")
        return {"bytes": 0}

    monkeypatch.setattr(stream, "stream_state", stream_state)
    keeper = SimpleNamespace(load_devices=load_devices, sweep=lambda hours: done.append("current"))
    intake: Any = SimpleNamespace(
        keeper=keeper,
        partition=1,
        problems={},
        refresh=lambda: True,
        recall=recall,
        write_notes=write_notes,
        settings=SimpleNamespace(stream_max_gb=1.0),
        trimmable=deque(),
    )
    chores = Chores(intake)
    asyncio.run(chores.round(None))  # type: ignore[arg-type]
    assert done == ["journal", "current", "room", "second looks"]
    assert "devices (ValueError: row 7)" in intake.problems["chores"]
    broken[0] = False
    asyncio.run(chores.round(None))  # type: ignore[arg-type]
    assert done[4:] == ["journal", "devices", "current", "room", "second looks"]
    assert intake.problems == {}
