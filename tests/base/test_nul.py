"""NUL is refused in every text of every call, wherever it stands; octets may hold it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hucheng.base.nul import refuse_nul
from hucheng.base.rpc import Server, exposed
from hucheng.base.rpcclient import Client, proxy
from hucheng.errors import BadRequest

CLEAN = {"n": 0, "deep": [{"a": "b"}, None, 1.5, datetime(2026, 1, 1, tzinfo=UTC)], "octets": b"\0", "long": "x" * 256}


@pytest.mark.parametrize("bad", ["\0", {"a\0": 1}, {"a": "b\0"}, [[{"a": ["\0"]}]]])
def test_wherever_it_stands(bad: Any) -> None:
    refuse_nul(msgspec.msgpack.encode(CLEAN), "echo.of")
    with pytest.raises(BadRequest, match=r"NUL · echo\.of: bad"):
        refuse_nul(msgspec.msgpack.encode({**CLEAN, "bad": bad}), "echo.of")


def test_it_is_named_where_it_stands() -> None:
    rows = {"rows": [{"name": "何"}, {"name": "a\0"}]}
    with pytest.raises(BadRequest) as refused:
        refuse_nul(msgspec.msgpack.encode(rows), "entering.people")
    assert refused.value.where == "entering.people: rows, row 2, name"


class Echo:
    @exposed
    def of(self, key: str) -> str:
        return key


def test_a_call_with_it_is_a_bad_request(tmp_path: Path) -> None:
    async def main() -> None:
        server = Server(tmp_path / "s", {"echo": Echo()})
        await server.start()
        client = Client(tmp_path / "s")
        try:
            echo = proxy(Echo, client, "echo")
            with pytest.raises(BadRequest, match="NUL"):
                await echo.of("r1\0")  # type: ignore[misc]
            assert await echo.of("r1") == "r1"  # type: ignore[misc]
        finally:
            await client.close()
            await server.stop()

    asyncio.run(main())
