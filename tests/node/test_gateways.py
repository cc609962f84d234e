"""Readings over HTTP and help by a link, on a running node: who is let in, who is not, and what is on record of it."""

from __future__ import annotations

import json
import re
import select
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from hucheng.base import broker
from hucheng.base.credentials import Credentials
from hucheng.base.lake import Lake
from hucheng.base.rpcclient import SyncClient, sync_proxy
from hucheng.base.sources.mqtt import Publisher
from hucheng.gate import JournalDesk, Line
from hucheng.node.home.people import People
from hucheng.node.home.rooms import open_rooms
from hucheng.node.home.secret import site_secret
from hucheng.portals.tokens import Tokens
from hucheng.settings import Settings
from tests.running import RunningNode, until

GATEWAY = "c0001-gw"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    home = tmp_path_factory.mktemp("gateways") / "home"
    running = RunningNode(home, "--port", "0", "--residents", "120", "--no-feed").start()
    yield running
    running.stop()


def devices(node: RunningNode, dataset: str) -> list[dict[str, Any]]:
    rooms = open_rooms(Settings.running(node.home), migrate=False)
    try:
        return rooms.registers.find("city.devices", {"dataset": dataset})
    finally:
        rooms.close()


def cuffs(node: RunningNode) -> list[str]:
    return [row["device_id"] for row in devices(node, "home.blood_pressure")]


def issued(node: RunningNode, gateway: str = GATEWAY, *more: str) -> dict[str, Any]:
    if gateway != GATEWAY:
        node.run("gateway", "add", gateway)
    return json.loads(node.run("gateway", "token", gateway, *more).stdout)


def push(node: RunningNode, token: str, body: Any) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(
        f"{node.url}/api/v1/readings", content=content, headers={"authorization": f"Bearer {token}"}, timeout=30
    )


def row(device: str, at: datetime, value: float = 120) -> dict[str, Any]:
    moment = at.isoformat(timespec="microseconds")
    return {"device_id": device, "metric": "systolic_bp", "observed_at": moment, "value": value, "unit": "mm[Hg]"}


def heads(node: RunningNode) -> list[Line]:
    with SyncClient(Settings.running(node.home).socket, timeout_s=10) as client:
        auditor = sync_proxy(People, client, "people").at_keyboard("test", "zhou-jing")
        found: list[Line] = sync_proxy(JournalDesk, client, "journal").heads(auditor, 300)
        return found


def held(node: RunningNode) -> dict[str, int]:
    found: dict[str, int] = json.loads(node.run("quarantine", "counts", "--json").stdout)
    return found


def stored(node: RunningNode, device: str) -> int:
    return Lake(node.home / "lake").read("home.blood_pressure", "1", "WHERE device_id = ?", [device]).num_rows


def test_a_pushed_reading_is_the_same_reading_as_one_over_mqtt(node: RunningNode) -> None:
    cuff, at = cuffs(node)[0], datetime.now(UTC)
    body = {"readings": [row(cuff, at - timedelta(minutes=n)) for n in range(3)]}
    before = node.status()["readings"]
    answer = push(node, issued(node)["token"], body)
    assert answer.status_code == 201 and answer.json()["sequence"] > 0
    until(lambda: stored(node, cuff) == 3, 20, "the readings in the lake")
    settings = Settings.running(node.home)
    out = Publisher(Credentials(broker.folder(settings)).get(GATEWAY), broker.ports(settings).mqtt)
    out.publish(f"readings/{GATEWAY}/batch", json.dumps(body).encode())
    assert out.wait(20)
    out.close()
    until(lambda: node.status()["readings"]["duplicate"] == before["duplicate"] + 3, 20, "the same again")
    assert stored(node, cuff) == 3


def test_a_forged_an_expired_and_a_revoked_token_open_nothing_and_are_on_record(node: RunningNode) -> None:
    now, tokens = datetime.now(UTC), Tokens(site_secret(node.home))
    expired = tokens.gateway(GATEWAY, now - timedelta(days=400))
    never = tokens.gateway("gw-never", now, "0123456789ab")
    revoked = issued(node, "gw-revoked", "--days", "2")
    assert datetime.fromisoformat(revoked["expires_at"]) - now < timedelta(days=2, minutes=1)
    body = {"readings": [row(cuffs(node)[0], now)]}
    assert push(node, revoked["token"], body).status_code == 201
    assert "1 tokens" in node.run("gateway", "revoke", "gw-revoked", "--token", revoked["id"]).stdout
    forged = Tokens(b"x" * 32).gateway(GATEWAY, now)
    for token in (forged, expired, never, revoked["token"], "nonsense"):
        answer = push(node, token, body)
        assert answer.status_code == 401, token
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert answer.json()["title"] == "NotSignedIn" and answer.headers["www-authenticate"] == "Bearer"
    wanted = {"unknown", GATEWAY, "gw-never", "gw-revoked"}

    def on_record() -> bool:
        return {line.principal for line in heads(node) if line.policy == "door.token"} == wanted

    until(on_record, 20, "entries of the journal")
    [line] = [line for line in heads(node) if line.principal == "gw-revoked"]
    assert (line.kind, line.result, line.counts["times"]) == ("refused", "refused", 1)
    assert line.detail == {"what": ["the token was revoked, or never issued here"]}
    deeds = [line.detail["deed"] for line in heads(node) if line.action == "gateways.write" and line.detail]
    assert {"add", "issue", "revoke"} <= set(deeds)
    assert node.status()["refused"]["token"] >= 4
    listed = json.loads(node.run("gateway", "tokens").stdout)
    assert [one["id"] for one in listed if one["revoked_at"]] == [revoked["id"]]
    assert node.run("gateway", "token", "gw-nobody", check=False).returncode == 1
    assert node.run("gateway", "token", GATEWAY, "--as", "li-min", check=False).returncode == 3


def test_a_device_of_another_gateway_and_a_batch_nobody_can_read_are_set_aside(node: RunningNode) -> None:
    token, cuff, now = issued(node, "gw-other")["token"], cuffs(node)[1], datetime.now(UTC)
    before = held(node)
    assert push(node, token, {"readings": [row(cuff, now)]}).status_code == 201
    until(lambda: held(node).get("wrong_gateway", 0) == before.get("wrong_gateway", 0) + 1, 20, "wrong_gateway")
    for body in (b'{"readings": [', b"[1]", b"{}", b"\xff"):
        answer = push(node, token, body)
        assert answer.status_code == 400, body
        told = answer.json()
        assert told["title"] == "BadRequest" and told["reason"] == "malformed" and told["sequence"] > 0
    half = push(node, issued(node)["token"], {"readings": [row(cuff, now), {"device_id": cuff}]})
    assert half.status_code == 201
    until(lambda: held(node).get("malformed", 0) == before.get("malformed", 0) + 5, 20, "malformed")
    until(lambda: stored(node, cuff) == 1, 20, "the good half")


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_of_a_hundred_megabytes_is_not_read_to_its_end(node: RunningNode, announced: bool) -> None:
    port, total, sent = int(node.settings["port"]), 100 << 20, 0
    head = f"POST /api/v1/readings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {issued(node)['token']}\r\n"
    length = f"Content-Length: {total}\r\n\r\n" if announced else "Transfer-Encoding: chunked\r\n\r\n"
    piece = b"x" * (1 << 16)
    chunk = piece if announced else f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    answer, left = b"", b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall((head + length).encode())
        raw.setblocking(False)
        while sent < total and b"\r\n\r\n" not in answer:
            readable, writable, _ = select.select([raw], [raw], [], 10)
            if readable:
                answer += raw.recv(65536)
            elif writable:
                left = left or chunk
                count = raw.send(left)
                left, sent = left[count:], sent + count
    assert answer.startswith(b"HTTP/1.1 413") and b"application/problem+json" in answer
    assert sent < 32 << 20
    until(lambda: [line for line in heads(node) if line.policy == "door.size"], 20, "an entry of the journal")
    assert node.status()["status"] == "ready"


def test_a_help_link_opens_a_case_for_exactly_that_resident_and_ends_with_the_device(node: RunningNode) -> None:
    button = devices(node, "home.help")[-1]
    resident, name = button["resident_id"], button["device_id"]
    link = node.run("device", "link", name).stdout.strip()
    assert link.startswith(f"{node.url}/help/")
    before = {case["id"] for case in node.cases()}
    stranger = httpx.Client(follow_redirects=True, timeout=20)  # no sign-in, no cookie
    assert stranger.get(link).status_code == 200
    assert stranger.post(link).status_code == 200
    fresh = until(lambda: [case for case in node.cases() if case["id"] not in before], 20, "the case")
    assert [case["resident_id"] for case in fresh] == [resident]
    assert fresh[0]["kind"] == "care.alarm"
    assert until(lambda: stranger.get(f"{link}/state").json()["state"] == "calling", 20, "the page")
    assert stranger.get(f"{node.url}/me").url.path.startswith("/sign-in")

    node.run("device", "end", name)
    assert stranger.get(link).status_code == 404
    assert stranger.post(link).status_code == 404
    told = re.sub(r".*/help/", f"{node.url}/api/v1/help/", link)
    pressed = {"press_id": "1", "pressed_at": datetime.now(UTC).isoformat()}
    assert httpx.post(told, json=pressed).status_code == 404
    assert node.run("device", "link", name, check=False).returncode == 1
    assert len([case for case in node.cases() if case["id"] not in before]) == 1
    cuff = cuffs(node)[0]
    assert node.run("device", "link", cuff, check=False).returncode == 2


def test_every_part_still_works(node: RunningNode, tmp_path: Path) -> None:
    assert json.loads(node.run("journal", "verify", "--json").stdout)["whole"]
    assert node.status()["problems"] == []
