"""A person is erased from a running node: from every file of it, though broker and steward fail on the way."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rocksdict import AccessType, Options, Rdict

from hucheng.base import broker
from hucheng.base.credentials import Credentials
from hucheng.base.lake import Lake
from hucheng.base.quarantine import Quarantine
from hucheng.base.sources.mqtt import Publisher
from hucheng.node.home.rooms import open_rooms
from hucheng.settings import Settings
from tests.running import RunningNode, until

REASON = "本人书面请求删除，个人信息保护法第47条"
LEFT_OUT = ("personas.json", "feeds.json", "logs", "store")
"""Who one can be in the demo, the simulated devices themselves, and the broker's store, which lets go in minutes."""


def people(settings: Settings) -> tuple[str, dict[str, str], str, dict[str, str]]:
    """Chen Guilan and a neighbour by the same gateway: resident_id, and device by dataset."""
    rooms = open_rooms(settings, migrate=False)
    try:
        chen = str(rooms.principals.get("chen-guilan").resident_id)
        rows = rooms.registers.all("city.devices", sealed=False)
    finally:
        rooms.close()
    gateway = next(row["gateway_id"] for row in rows if row["resident_id"] == chen)
    near = next(row["resident_id"] for row in rows if row["gateway_id"] == gateway and row["resident_id"] != chen)

    def of(person: str) -> dict[str, str]:
        return {row["dataset"]: row["device_id"] for row in rows if row["resident_id"] == person}

    return chen, of(chen), near, of(near)


def measured(device: str, at: datetime, value: float, **more: Any) -> dict[str, Any]:
    moment = at.isoformat(timespec="microseconds")
    return {
        "device_id": device, "metric": "systolic_bp", "observed_at": moment, "value": value, "unit": "mm[Hg]", **more
    }  # fmt: skip


def files_naming(home: Path, words: list[str]) -> list[str]:
    found = []
    for path in home.rglob("*"):
        inside = path.relative_to(home).parts
        if path.is_file() and not set(inside) & set(LEFT_OUT) and inside[0] != "current":
            body = path.read_bytes()
            found += [f"{path.relative_to(home)}: {word}" for word in words if word.encode() in body]
    for part in (home / "current").iterdir():
        db = Rdict(str(part), Options(raw_mode=True), access_type=AccessType.read_only())
        for key, value in db.items():
            found += [f"current: {key!r}" for word in words if word.encode() in key or word.encode() in value]
        db.close()
    return found


@pytest.mark.crash
def test_nothing_of_an_erased_person_is_left_and_the_neighbour_keeps_everything(tmp_path: Path) -> None:
    node = RunningNode(tmp_path / "home", "--port", "0", "--residents", "120", "--no-feed").start()
    try:
        settings = Settings.running(node.home)
        chen, hers, near, theirs = people(settings)
        [gateway] = {c.gateway for c in Credentials(broker.folder(settings)).all() if c.gateway}
        assert gateway is not None
        out = Publisher(Credentials(broker.folder(settings)).get(gateway), broker.ports(settings).mqtt)
        cuff, other = hers["home.blood_pressure"], theirs["home.blood_pressure"]
        now = datetime.now(UTC)
        for n in range(40):
            at = now - timedelta(minutes=n)
            rows = [measured(cuff, at, 120 + n), measured(other, at, 110 + n), measured(cuff, at, 900)]
            out.publish(f"readings/{gateway}/batch", json.dumps({"readings": rows}).encode())
        rows = [measured(cuff, now, 195), measured(other, now, 999), measured(other, now, 120, resident_id=chen)]
        out.publish(f"readings/{gateway}/batch", json.dumps({"readings": rows}).encode()[:-3])  # malformed
        out.publish(f"readings/{gateway}/{cuff}", json.dumps(measured(cuff, now + timedelta(seconds=1), 195)).encode())
        out.publish(f"readings/{gateway}/{other}", json.dumps(measured(other, now, 999)).encode())
        assert out.wait(30)
        out.close()
        until(lambda: [c for c in node.cases("--open") if c["resident_id"] == chen], 30, "her alarm")
        until(lambda: node.status()["readings"]["received"] >= 123, 30, "all readings")
        before = Lake(node.home / "lake").read("home.blood_pressure", "*", "WHERE resident_id = ?", [near]).to_pylist()
        assert len(before) == 40
        assert any(word in text for text in files_naming(node.home, [chen]) for word in ("lake", "ledger"))

        refused = node.run("erase", chen, "--yes", "--reason", REASON, "--as", "li-min", check=False)
        assert refused.returncode == 3 and "bureau" in refused.stderr
        named = node.run("erase", chen, "--yes", "--reason", f"request of {chen}", check=False)
        assert named.returncode == 2

        server = int(node.parts()["broker"]["pid"])
        os.kill(server, signal.SIGSTOP)
        try:
            owed = node.run("erase", chen, "--yes", "--reason", REASON, "--wait", "2", "--json", check=False)
            assert owed.returncode == 4, owed.stderr
            told = json.loads(owed.stdout)
            assert told["done_at"] is None and told["cases"] == 1 and told["readings"] == 41
            steward = node.kill("steward")
        finally:
            os.kill(server, signal.SIGCONT)
        node.back("steward", steward)

        def clean() -> bool:
            rooms = open_rooms(settings, migrate=False)
            try:
                from hucheng.gate import erasures

                with rooms.ledger.read() as conn:
                    return erasures.get(conn, told["id"]).done_at is not None
            finally:
                rooms.close()

        until(clean, 60, "the end of the erasure")
        gone = node.run("erase", chen, "--yes", "--reason", REASON, check=False)
        assert gone.returncode == 1 and "no resident" in gone.stderr
        assert not [c for c in node.cases() if c["resident_id"] == chen]
        assert len([c for c in node.cases() if c["resident_id"] == "erased"]) == 1
    finally:
        node.interrupt()
    assert files_naming(node.home, [chen, *hers.values()]) == []
    after = Lake(node.home / "lake").read("home.blood_pressure", "*", "WHERE resident_id = ?", [near]).to_pylist()
    key = lambda row: row["observed_at"]  # noqa: E731
    assert sorted(after, key=key) == sorted(before, key=key)
    assert Quarantine(node.home / "lake").counts() == {"malformed": 1, "out_of_range": 1}
    assert json.loads(node.run("journal", "verify", "--json").stdout)["whole"]
