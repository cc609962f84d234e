"""Arguments that do not fit are named in words: the call, the row counted from 1, the field."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hucheng.base.rpc import Server, exposed
from hucheng.base.rpcclient import Client
from hucheng.errors import BadRequest
from hucheng.node.steward.enrolment import NewDevice


class Desk:
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
