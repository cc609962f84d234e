"""Whoever is turned away at the broker is in the journal: who, which topic, when, how often."""

from __future__ import annotations

import asyncio
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from hucheng.base import broker, stream
from hucheng.base.brokerlog import Place, Refusal, parsed, read_on
from hucheng.base.credentials import Credentials
from hucheng.gate import Entry
from hucheng.gate.entries import from_stream
from hucheng.node.doors import QUIET_S, Tally
from tests.base.nodekit import running, settings, until

NOW = datetime(2026, 3, 1, 4, tzinfo=UTC)


def send(here: Any, user: str, token: str, topic: str, times: int = 1, size: int = 1) -> None:
    """Publish over MQTT and wait until all is acknowledged, or the server has closed the connection."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"test-{time.monotonic_ns()}", protocol=mqtt.MQTTv311)
    client.username_pw_set(user, token)
    client.max_inflight_messages_set(10_000)
    acknowledged: list[int] = []
    closed: list[int] = []
    client.on_connect = lambda *_: [client.publish(topic, b"x" * size, qos=1) for _ in range(times)]
    client.on_publish = lambda *_: acknowledged.append(1)
    client.on_disconnect = lambda *_: closed.append(1)
    client.connect(broker.HOST, broker.ports(here).mqtt)
    deadline = time.monotonic() + 20
    while len(acknowledged) < times and not closed and time.monotonic() < deadline:
        client.loop(0.05)
    client.disconnect()


def entries(here: Any) -> list[Entry]:
    async def ask() -> list[Entry]:
        client = await stream.connect(here)
        try:
            js, state = client.jetstream(), await stream.stream_state(client, broker.STANDING)
            places = range(max(1, state["first_seq"]), state["last_seq"] + 1)
            return [from_stream((await js.get_msg(broker.STANDING, seq)).data or b"") for seq in places]
        finally:
            await client.close()

    return [entry for entry in asyncio.run(ask()) if entry.policy.startswith("door.")]


def test_who_is_turned_away_at_the_site_is_a_person_and_a_flood_is_two_entries() -> None:
    tally = Tally()
    for _ in range(500):
        tally.add(Refusal("entrance", "wang", "/desk", NOW), {"wang"})
    tally.add(Refusal("person-token", None, "the token has run out", NOW), ())
    first = tally.due(NOW)
    told = {(e.policy, e.principal, e.principal_kind, e.action): e.counts["times"] for _, e in first}
    assert told == {
        ("door.entrance", "wang", "person", "site.ask"): 500,
        ("door.person-token", "unknown", "person", "site.ask"): 1,
    }
    tally.told(first, NOW)
    tally.add(Refusal("entrance", "wang", "/desk", NOW), {"wang"})
    assert tally.due(NOW + timedelta(seconds=59)) == []
    assert [e.counts for _, e in tally.due(NOW + timedelta(seconds=61))] == [{"times": 1}]


def test_a_forged_topic_and_a_wrong_credential_are_in_the_journal_and_a_flood_is_two_entries(tmp_path: Path) -> None:
    with running(tmp_path, ["gw-1", "gw-2"], [], max_body_mb=1.0) as (here, server, _):
        token = Credentials(broker.folder(here)).get("gw-1").token
        send(here, "gw-gw-1", token, "readings/gw-1/batch")
        send(here, "gw-gw-1", token, "readings/gw-2/cuff-of-flat-7")
        until(lambda: len(entries(here)) == 1)
        [forged] = entries(here)
        assert (forged.kind, forged.result, forged.principal, forged.policy) == (
            "refused", "refused", "gw-gw-1", "door.topic",
        )  # fmt: skip
        assert forged.detail == {"what": ["readings/gw-2/…"]} and forged.counts == {"times": 1}
        assert abs(forged.at - datetime.now(UTC)) < timedelta(minutes=1)

        send(here, "gw-gw-1", "wrong", "readings/gw-1/batch")
        send(here, "nobody", "wrong", "readings/gw-1/batch")
        send(here, "gw-gw-2", Credentials(broker.folder(here)).get("gw-2").token, "readings/gw-2/batch", size=2 << 20)
        until(lambda: len(entries(here)) == 4)
        told = {(entry.policy, entry.principal): entry for entry in entries(here)}
        assert told["door.credential", "gw-gw-1"].counts["times"] >= 1
        assert told["door.credential", "unknown"].detail == {"what": ["nobody"]}
        assert ("door.size", "gw-gw-2") in told

        send(here, "gw-gw-1", token, "readings/gw-2/batch", times=3_000)
        kept = tmp_path / "broker" / "doors.json"
        until(lambda: b'"times":3000' in kept.read_bytes())
        server.stop()
        server.start()  # the log goes on in the same file, and nothing is told twice
        send(here, "gw-gw-1", token, "readings/gw-2/batch")
        until(lambda: b'"times":3001' in kept.read_bytes())
        assert len(entries(here)) == 4


def test_nothing_is_missed_when_the_server_begins_a_new_log(tmp_path: Path) -> None:
    here = settings(tmp_path)
    log = broker.log_file(here)
    log.parent.mkdir()
    line = '[7] 2026/03/01 04:00:0{}.1 [ERR] 127.0.0.1:1 - mid:3 - "c" - authentication error - User "gw-{}"\n'
    log.write_text(line.format(1, 1) + line.format(2, 2))
    found, place = read_on(here, Place())
    assert [one.user for one in found] == ["gw-1", "gw-2"]
    with log.open("a") as file:
        file.write(line.format(3, 3) + "[7] half a li")
    log.rename(log.with_name("nats.log.2026.03.01.04.00.00.1"))
    log.write_text(line.format(4, 4))
    found, place = read_on(here, place)
    assert [one.user for one in found] == ["gw-3", "gw-4"]
    assert read_on(here, place) == ([], place)


@pytest.mark.parametrize(
    "line",
    [
        '[7] 2026/03/01 04:00:00.1 [INF] 127.0.0.1:1 - mid:3 - "c" - authentication error - User "gw-1"',
        '[7] 2026/03/01 04:00:00.1 [WRN] x - mid:3 - "\\" - authentication error - User \\"gw-1\\"" - Replacing old',
        "authentication error",
        "",
    ],
)
def test_other_lines_say_nothing(line: str) -> None:
    assert parsed(line) is None


def test_a_client_cannot_write_its_own_line() -> None:
    """The name of a client is the client's own word."""
    told = '"x\\" - Publish Violation - Subject \\"readings.0.gw-9.batch" - authentication error - User "gw-\\x001"'
    found = parsed(f"[7] 2026/03/01 04:00:00.1 [ERR] 127.0.0.1:1 - mid:3 - {told}")
    assert found is not None and found[2].door == "credential" and found[2].user == "gw-\\x001"


def test_a_thousand_invented_names_are_one_stranger() -> None:
    tally = Tally()
    for n in range(1000):
        tally.add(Refusal("credential", f"name-{n}", None, NOW), {"gw-1"})
    due = tally.due(NOW)
    assert [(e.principal, e.counts["times"], len(e.detail["what"])) for _, e in due] == [("unknown", 1000, 5)]
    tally.told(due, NOW)
    tally.add(Refusal("credential", "name-1", None, NOW), {"gw-1"})
    assert tally.due(NOW + timedelta(seconds=QUIET_S - 1)) == []
    assert len(tally.due(NOW + timedelta(seconds=QUIET_S))) == 1


def test_a_socket_that_says_nothing_stops_nothing(tmp_path: Path) -> None:
    with running(tmp_path, ["gw-1"], []) as (here, _, _):
        with socket.create_connection((broker.HOST, broker.ports(here).mqtt)) as raw:
            raw.sendall(b"\x00\xff" * 100)
        send(here, "gw-gw-1", "wrong", "readings/gw-1/batch")
        until(lambda: [e.policy for e in entries(here)] == ["door.credential"])
