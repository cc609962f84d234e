"""Arguments that do not fit are named in words: the call, the row counted from 1, the field."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hucheng.base import rpc
from hucheng.base.rpc import Server, exposed
from hucheng.base.rpcclient import Client
from hucheng.errors import BadRequest, HuchengError, NotFound, TooLarge
from hucheng.node.steward.enrolment import NewDevice


class Desk:
    @exposed
    def stored(self) -> int:
        return msgspec.convert("not a number", int)

    @exposed
    def enter(self, devices: list[NewDevice], names: dict[str, int] = {}) -> int:  # noqa: B006
        return len(devices)


GOOD = {"device_id": "d1", "resident_id": "r1", "dataset": "home.bed"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"devices": [GOOD, {**GOOD, "device_id": None}]},
            "expected `str`, got `None` · desk.enter: devices, row 2, dev",
        ),
        ({"devices": [{"device_id": "d1"}]}, "resident_id` · desk.enter: devices, row 1 · "),
        ({"devices": [], "names": {"a": "b"}}, "expected `int`, got `str` · desk.enter: names, each · "),
        ({"devices": 3}, "expected `array`, got `int` · desk.enter: devices · "),
        ({"hair": "grey"}, "unknown field `hair` · desk.enter · "),
        ({}, "required field `devices` · desk.enter · it takes (devices: list[NewDevice], names: dict[str, int] = {})"),
    ],
)
def test_a_misfit_is_named(tmp_path: Path, given: dict[str, Any], says: str) -> None:
    async def main() -> None:
        server = Server(tmp_path / "s", {"desk": Desk()})
        await server.start()
        client = Client(tmp_path / "s")
        try:
            with pytest.raises(BadRequest) as refused:
                await client.call("desk.enter", given)
            assert says in str(refused.value)
            assert await client.call("desk.enter", {"devices": [GOOD]}) is not None
        finally:
            await client.close()
            await server.stop()

    asyncio.run(main())


def asked(tmp_path: Path, name: str, given: Any) -> HuchengError:
    async def main() -> HuchengError:
        server = Server(tmp_path / "s", {"desk": Desk()})
        await server.start()
        client = Client(tmp_path / "s")
        try:
            with pytest.raises(HuchengError) as refused:
                await client.call(name, given)
            return refused.value
        finally:
            await client.close()
            await server.stop()

    return asyncio.run(main())


def test_what_does_not_fit_inside_is_not_laid_at_the_callers_door(tmp_path: Path) -> None:
    error = asked(tmp_path, "desk.stored", {})
    assert type(error) is HuchengError and error.where == "inside the steward"


def test_arguments_that_are_no_table_are_named(tmp_path: Path) -> None:
    error = asked(tmp_path, "desk.enter", [1])
    assert isinstance(error, BadRequest) and "desk.enter" in str(error) and "it takes (devices" in str(error)


def test_what_cannot_be_sent_is_named_before_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = asked(tmp_path, "desk.enter", {"devices": object()})
    assert isinstance(error, BadRequest) and error.where == "desk.enter" and error.mend
    monkeypatch.setattr(rpc, "MAX_FRAME", 1 << 20)
    error = asked(tmp_path, "desk.enter", {"devices": ["x" * (2 << 20)]})
    assert isinstance(error, TooLarge) and str(error) == "a call of 2 MB, at most 1 · desk.enter · give less at once"


def test_a_call_that_is_not_there_is_named(tmp_path: Path) -> None:
    error = asked(tmp_path, "desk.leave", {})
    assert isinstance(error, NotFound) and "desk.leave" in str(error) and error.mend
