"""What the broker acknowledges is kept, and it is set up as it must be."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hucheng.base import broker, stream
from hucheng.base.broker import Broker
from hucheng.base.credentials import Credential, Credentials
from hucheng.base.partition import partition_of
from hucheng.base.sources.mqtt import Publisher
from hucheng.errors import BadRequest, StreamError
from hucheng.settings import Settings


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Broker]:
    found = Broker(Settings(home=tmp_path, intakes=4, stream_max_gb=0.01))
    Credentials(broker.folder(found.settings)).grant(["gw-1"])
    found.start()
    yield found
    found.stop()


def subjects(settings: Settings) -> list[str]:
    async def ask() -> list[str]:
        client = await stream.connect(settings)
        state = await stream.stream_state(client)
        js = client.jetstream()
        found = [(await js.get_msg(broker.READINGS, n)).subject for n in range(1, state["last_seq"] + 1)]
        await client.close()
        return [str(subject) for subject in found]

    return asyncio.run(ask())


def test_the_streams_are_what_they_must_be_at_every_start(server: Broker) -> None:
    async def config(name: str) -> dict[str, object]:
        client = await stream.connect(server.settings)
        found = (await stream.api(client, f"STREAM.INFO.{name}"))["config"]
        await client.close()
        return dict(found)

    for _ in range(2):
        readings = asyncio.run(config(broker.READINGS))
        assert (readings["retention"], readings["discard"], readings["max_bytes"]) == ("limits", "new", 10_000_000)
        assert asyncio.run(config(broker.FINDINGS))["duplicate_window"] == 600 * 10**9
        assert asyncio.run(config(broker.STANDING))["discard"] == "new"
        server.stop()
        before = broker.ports(server.settings)
        assert server.start() == before


def test_the_partition_is_the_brokers_own(server: Broker) -> None:
    names = [f"gw-{i}" for i in range(50)]
    publisher = Publisher(
        Credentials(broker.folder(server.settings)).get("operator"), broker.ports(server.settings).mqtt
    )
    for name in names:
        publisher.publish(f"replay/{name}/batch", b"{}")
    assert publisher.wait(10)
    publisher.close()
    for subject in subjects(server.settings):
        parts = subject.split(".")
        if len(parts) == 6:
            assert int(parts[3]) == partition_of(parts[4], 4)


@given(st.text(min_size=1), st.integers(1, 4))
def test_a_partition_is_always_one_of_them(gateway: str, partitions: int) -> None:
    assert 0 <= partition_of(gateway, partitions) < partitions


def test_what_comes_in_one_segment_with_the_connect_is_kept_too(server: Broker) -> None:
    """The server does not map its topic then; an acknowledged reading must not be lost by that."""
    credential = Credentials(broker.folder(server.settings)).get("gw-1")

    def text(value: str) -> bytes:
        return struct.pack("!H", len(value)) + value.encode()

    head = text("MQTT") + bytes([4, 0xC2]) + struct.pack("!H", 60)
    connect = head + text("early") + text(credential.user) + text(credential.token)
    publish = text("readings/gw-1/batch") + struct.pack("!H", 7) + b"{}"
    with socket.create_connection(("127.0.0.1", broker.ports(server.settings).mqtt)) as wire:
        wire.sendall(bytes([0x10, len(connect)]) + connect + bytes([0x32, len(publish)]) + publish)
        heard = b""
        while b"\x40\x02\x00\x07" not in heard:
            heard += wire.recv(100)
    assert [s.split(".")[-2:] for s in subjects(server.settings)] == [["gw-1", "batch"]]


def test_a_gateway_entered_later_can_connect_and_one_withdrawn_cannot(server: Broker) -> None:
    port = broker.ports(server.settings).mqtt
    assert broker.grant(server.settings, ["gw-2", "gw-1"]) == ["gw-2"]
    publisher = _when_accepted(server, "gw-2")
    publisher.publish("readings/gw-2/batch", b"{}")
    assert publisher.wait(10)
    publisher.close()
    credential = Credentials(broker.folder(server.settings)).get("gw-2")
    assert broker.withdraw(server.settings, ["gw-2"]) == ["gw-2"]
    _until_refused(credential, port)
    with pytest.raises(BadRequest):
        broker.grant(server.settings, ["a.b"])


def test_a_full_stream_acknowledges_nothing_and_goes_on_when_there_is_room(server: Broker) -> None:
    publisher = _when_accepted(server, "gw-1")
    body = b"{}" + b" " * 500_000
    for _ in range(30):
        publisher.publish("readings/gw-1/batch", body)
    assert not publisher.wait(5)
    # What is acknowledged is stored. Of what is stored any acknowledgement may be lost: the server hangs up when it
    # cannot store, and everything not acknowledged is sent again.
    assert publisher.acknowledged <= len(subjects(server.settings)) < 30

    async def room() -> None:
        client = await stream.connect(server.settings)
        await broker.limit_readings(client, 100_000_000)
        await client.close()

    asyncio.run(room())
    assert publisher.wait(30)
    publisher.close()
    assert len(subjects(server.settings)) >= 30


def test_tokens_are_for_their_owner_alone(server: Broker) -> None:
    home = broker.folder(server.settings)
    assert [(home / name).stat().st_mode & 0o777 for name in ("credentials.json", "nats.conf")] == [0o600, 0o600]
    with pytest.raises(StreamError, match="refuses"):
        _until_refused(
            Credential("gw-gw-1", "guess", "gw-1"),
            broker.ports(server.settings).mqtt,
            raising=True,
        )


def _when_accepted(server: Broker, gateway: str) -> Publisher:
    """The reload of the broker is a signal: it takes a moment."""
    for _ in range(200):
        publisher = Publisher(
            Credentials(broker.folder(server.settings)).get(gateway), broker.ports(server.settings).mqtt
        )
        try:
            publisher.settle(5)
            return publisher
        except StreamError:
            publisher.close()
    raise AssertionError("never accepted")


def _until_refused(credential: Credential, port: int, raising: bool = False) -> None:
    for _ in range(200):
        publisher = Publisher(credential, port)
        try:
            publisher.settle(5)
        except StreamError:
            if raising:
                raise
            return
        finally:
            publisher.close()
    raise AssertionError("never refused")


def test_a_full_stream_acknowledges_nothing_whichever_way_a_reading_comes(server: Broker) -> None:
    """Over HTTP the web process publishes for the device: it may say "stored" only when the broker has."""

    async def push_until_full() -> None:
        client = await stream.connect(server.settings)
        body = b" " * 100_000
        try:
            stored = 0
            with pytest.raises(StreamError, match="not stored"):
                for _ in range(200):
                    await stream.publish_reading(client, server.settings, "gw-1", "batch", body)
                    stored += 1
            assert (await stream.stream_state(client))["messages"] == stored
        finally:
            await client.close()

    asyncio.run(push_until_full())


def test_the_server_is_found_where_an_install_puts_it_and_its_absence_names_every_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def program(folder: Path) -> Path:
        folder.mkdir(parents=True)
        (folder / "nats-server").touch(0o755)
        return folder / "nats-server"

    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setattr(sysconfig, "get_path", lambda name, scheme: str(tmp_path / scheme))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    user = sysconfig.get_preferred_scheme("user")
    with pytest.raises(StreamError, match=rf"{tmp_path}/bin, .*{tmp_path}/{user} and the PATH.*pip install"):
        broker.server()
    for folder in ("path", user, sysconfig.get_default_scheme(), "bin"):  # each goes before those found so far
        expected = program(tmp_path / folder)
        assert broker.server() == expected
