"""The local socket: typed calls, errors that keep their class, many callers, and a server that dies."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from hucheng.base.rpc import WITHIN_S, Server, exposed, signatures
from hucheng.base.rpcclient import Client, SyncClient, proxy, sync_proxy
from hucheng.cases.desk import MAX_WAIT_S
from hucheng.errors import BadRequest, NotFound, Refused, Unavailable
from hucheng.node.steward.process import SERVED


class Person(msgspec.Struct):
    name: str
    seen: datetime


class Desk:
    def __init__(self) -> None:
        self.gate = asyncio.Event()

    @exposed
    def greet(self, person: Person, times: int = 1) -> list[Person]:
        return [person] * times

    @exposed
    def refuse(self) -> None:
        raise Refused("not yours", mend="open a case", policy="care.respond", needed="an open case")

    @exposed
    def break_down(self) -> None:
        raise ZeroDivisionError("one over none")

    @exposed(within_s=0.1)
    async def never(self) -> None:
        await asyncio.Event().wait()

    @exposed(within_s=60)
    async def wait(self) -> str:
        await self.gate.wait()
        return "woken"

    @exposed
    async def wake(self) -> None:
        self.gate.set()

    def secret(self) -> str:
        return "not for callers"


LI = Person("李", datetime(2026, 3, 1, tzinfo=UTC))


def run(path: Path, body):
    async def main():
        server = Server(path, {"desk": Desk()})
        await server.start()
        client = Client(path)
        try:
            return await body(proxy(Desk, client, "desk"), client, server)
        finally:
            await client.close()
            await server.stop()

    return asyncio.run(main())


def test_arguments_and_results_keep_their_types(tmp_path: Path) -> None:
    async def body(desk, client, server):
        assert await desk.greet(LI, times=2) == [LI, LI]
        assert await desk.greet(person=LI) == [LI]

    run(tmp_path / "s", body)


def test_an_error_keeps_its_class_and_its_mending(tmp_path: Path) -> None:
    async def body(desk, client, server):
        with pytest.raises(Refused) as refused:
            await desk.refuse()
        assert refused.value.details == {"policy": "care.respond", "needed": "an open case"}
        assert refused.value.mend == "open a case"
        with pytest.raises(Exception, match="ZeroDivisionError"):
            await desk.break_down()
        with pytest.raises(BadRequest):
            await client.call("desk.greet", {"person": {"name": 3}})
        with pytest.raises(NotFound):
            await client.call("desk.secret", {})

    run(tmp_path / "s", body)


def test_one_waiting_call_does_not_hold_the_others(tmp_path: Path) -> None:
    async def body(desk, client, server):
        waiting = asyncio.create_task(desk.wait())
        results = await asyncio.gather(*(desk.greet(LI, times=n % 3) for n in range(200)))
        assert [len(r) for r in results] == [n % 3 for n in range(200)]
        assert not waiting.done()
        await desk.wake()
        assert await waiting == "woken"

    run(tmp_path / "s", body)


def test_callers_of_a_dead_server_are_told_at_once_and_the_next_start_is_found(tmp_path: Path) -> None:
    async def body(desk, client, server):
        waiting = asyncio.create_task(desk.wait())
        await desk.greet(LI)
        await server.stop()
        with pytest.raises(Unavailable, match="hucheng up"):
            await waiting
        with pytest.raises(Unavailable):
            await desk.greet(LI)
        again = Server(tmp_path / "s", {"desk": Desk()})
        await again.start()
        assert await desk.greet(LI) == [LI]
        await client.close()
        await again.stop()

    run(tmp_path / "s", body)


def test_a_call_that_is_not_answered_ends_and_the_connection_serves_the_others(tmp_path: Path) -> None:
    async def body(desk, client, server):
        waiting = asyncio.create_task(desk.wait())
        with pytest.raises(Unavailable, match=r"did not answer in 0\.1 s"):
            await desk.never()
        assert await desk.greet(LI) == [LI]
        await desk.wake()
        assert await waiting == "woken"

        def command() -> None:
            with SyncClient(tmp_path / "s") as plain:
                sync_proxy(Desk, plain, "desk").never()

        with pytest.raises(Unavailable, match=r"did not answer in 0\.1 s"):
            await asyncio.to_thread(command)

    run(tmp_path / "s", body)


def test_a_server_that_stands_still_is_one_that_does_not_answer(tmp_path: Path) -> None:
    async def main() -> None:
        standing = socket.socket(socket.AF_UNIX)  # as one that was stopped: the kernel takes calls, nobody reads them
        standing.bind(str(tmp_path / "s"))
        standing.listen()
        client = Client(tmp_path / "s")
        try:
            for _ in range(3):
                with pytest.raises(Unavailable):
                    await client.call("desk.greet", {"person": {}}, within_s=0.1)
        finally:
            await client.close()
            standing.close()

    asyncio.run(main())


def test_every_method_says_how_long_its_callers_wait() -> None:
    limits = {
        f"{name}.{method}": read.within_s for name, kind in SERVED.items() for method, read in signatures(kind).items()
    }
    assert limits["desk.queue"] == limits["gate.look"] == WITHIN_S == 10
    assert limits["desk.changes"] > MAX_WAIT_S
    assert min(limits[long] for long in ("enrolment.erase", "journal.verify", "quarantine.replay")) >= 600


def test_the_command_line_calls_the_same_methods(tmp_path: Path) -> None:
    async def body(desk, client, server):
        def command() -> list[Person]:
            with SyncClient(tmp_path / "s") as plain:
                return sync_proxy(Desk, plain, "desk").greet(LI, times=3)

        assert await asyncio.to_thread(command) == [LI] * 3
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600

    run(tmp_path / "s", body)
    with pytest.raises(Unavailable):
        SyncClient(tmp_path / "s")
