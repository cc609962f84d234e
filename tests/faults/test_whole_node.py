"""Kill -9 of every process while readings flow. The publisher's own log, outside the node, is the judge.

Promised: every acknowledged reading is in the lake once; every crisis has one case, once; an alarm nobody takes climbs
on time, also when every part dies in between; the journal stays whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import sqlite3
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pyroaring import BitMap

from hucheng.base import broker
from hucheng.base.credentials import Credentials
from hucheng.base.lake import Lake
from hucheng.base.sources.mqtt import Publisher
from hucheng.gate.entries import decode
from hucheng.node.home.rooms import open_rooms
from hucheng.settings import Settings
from tests.running import RunningNode, until

PEOPLE = 30
PARTS = ("broker", "intake", "steward", "web")
FAULTY = [f"fault-{person}" for person in range(PEOPLE)]
CRISIS = 190.0
Key = tuple[str, str, str]


class Gateway:
    """A community gateway with a log of its own: what was sent, and what the broker acknowledged."""

    def __init__(self, node: RunningNode, gateway: str) -> None:
        settings = Settings.running(node.home)
        self.name = gateway
        self.acknowledged: list[dict[str, Any]] = []
        self._stop = threading.Event()
        self._publisher = Publisher(
            Credentials(broker.folder(settings)).get(gateway),
            broker.ports(settings).mqtt,
            on_ack=self.acknowledged.extend,
        )
        self._random = random.Random(7)
        self._thread = threading.Thread(target=self._run)
        self.crises: set[str] = set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Send no more, and wait for what is under way."""
        self._stop.set()
        self._thread.join()
        assert self._publisher.wait(120), "the broker never acknowledged the last messages"
        self._publisher.close()

    def crisis(self, person: int) -> None:
        """An urgent reading, alone."""
        row = reading(person, datetime.now(UTC), CRISIS)
        self.crises.add(row["device_id"])
        self._publisher.publish(f"readings/{self.name}/{row['device_id']}", json.dumps(row).encode(), [row])

    def _run(self) -> None:
        while not self._stop.is_set():
            now = datetime.now(UTC)
            rows = [reading(person, now, self._random.randint(100, 160)) for person in range(PEOPLE)]
            self._publisher.publish(f"readings/{self.name}/batch", json.dumps({"readings": rows}).encode(), rows)
            self._stop.wait(0.5)


def reading(person: int, at: datetime, value: float) -> dict[str, Any]:
    return {
        "device_id": f"fault-cuff-{person}",
        "metric": "systolic_bp",
        "observed_at": at.isoformat(timespec="microseconds"),
        "value": value,
        "unit": "mm[Hg]",
    }


def identity(row: dict[str, Any]) -> Key:
    at = datetime.fromisoformat(row["observed_at"]).astimezone(UTC)
    return row["device_id"], row["metric"], at.isoformat(timespec="microseconds")


def in_lake(node: RunningNode) -> Counter[Key]:
    rows = Lake(node.home / "lake").read(
        "home.blood_pressure", "device_id, metric, observed_at", "WHERE device_id LIKE 'fault-cuff-%'"
    )
    return Counter(
        (row["device_id"], row["metric"], row["observed_at"].astimezone(UTC).isoformat(timespec="microseconds"))
        for row in rows.to_pylist()
    )


def enrol(node: RunningNode, folder: Path) -> str:
    """Enter people and cuffs; gives the gateway they come by."""
    file = folder / "enrol.csv"
    old = (datetime.now(UTC) - timedelta(days=30)).isoformat()
    lines = [f"fault-{person},fault-cuff-{person},systolic_bp,{old},120,mm[Hg]" for person in range(PEOPLE)]
    file.write_text("resident_id,device_id,metric,observed_at,value,unit\n" + "\n".join(lines) + "\n")
    node.run("replay", str(file), "--as", "home.blood_pressure", "--enrol")
    return "gw-c0001"


def cases(node: RunningNode) -> list[dict[str, Any]]:
    return [case for case in node.cases("--kind", "care.alarm") if case["resident_id"].startswith("fault-")]


def judged(node: RunningNode, folder: Path, rounds: int) -> None:
    gateway = Gateway(node, enrol(node, folder))
    gateway.start()
    person = 0
    for _ in range(rounds):
        for part in PARTS:
            gateway.crisis(person % PEOPLE)
            person += 1
            old = node.kill(part)
            gateway.crisis(person % PEOPLE)
            person += 1
            node.back(part, old)
    gateway.stop()
    until(node.ready, 60, "the node after its kills")

    acknowledged = {identity(row) for row in gateway.acknowledged}
    assert len(acknowledged) > rounds * PEOPLE
    until(lambda: acknowledged <= in_lake(node).keys(), 60, "every acknowledged reading in the lake")
    kept = in_lake(node)
    assert not [key for key, times in kept.items() if times > 1], "stored twice"

    crises = {f"fault-{device.removeprefix('fault-cuff-')}" for device in gateway.crises}
    until(lambda: crises <= {case["resident_id"] for case in cases(node)}, 60, "every crisis a case")
    found = Counter(case["resident_id"] for case in cases(node))
    assert set(found) == crises
    assert set(found.values()) == {1}, "one person, one open case"
    assert node.run("journal", "verify").returncode == 0


@pytest.mark.crash
@pytest.mark.timeout(600)
def test_three_kills_of_every_process_lose_and_double_nothing(tmp_path: Path) -> None:
    node = RunningNode(tmp_path / "home", "--port", "0", "--residents", "60", "--no-feed")
    try:
        node.start()
        judged(node, tmp_path, rounds=3)
    finally:
        node.stop()


@pytest.mark.crash
@pytest.mark.timeout(600)
def test_whoever_was_looked_at_before_a_kill_is_in_the_journal_soon_after_it(tmp_path: Path) -> None:
    node = RunningNode(tmp_path / "home", "--port", "0", "--residents", "60", "--no-feed")
    try:
        node.start()
        gateway = Gateway(node, enrol(node, tmp_path))
        gateway.start()
        until(lambda: len(gateway.acknowledged) > 3 * PEOPLE, 60, "readings of everybody")
        gateway.stop()
        until(lambda: {identity(row) for row in gateway.acknowledged} <= in_lake(node).keys(), 60, "their commit")
        assert not looked_at(node), "nobody is written down within the hour: else this test shows nothing"
        node.back("intake", node.kill("intake"))
        until(lambda: set(FAULTY) <= looked_at(node), 60, "everybody in the journal")
    finally:
        node.stop()


def looked_at(node: RunningNode) -> set[str]:
    """Whom the standing views of blood pressure say they saw."""
    rooms = open_rooms(Settings.running(node.home), migrate=False)
    try:
        numbers = {one: person.number for one, person in rooms.keys.people(FAULTY, make=False).items()}
    finally:
        rooms.close()
    with sqlite3.connect(f"file:{node.home / 'journal.db'}?mode=ro", uri=True) as db:
        bodies = [decode(row[0]) for row in db.execute("SELECT body FROM journal ORDER BY seq")]
    sets = [
        BitMap.deserialize(body.people)
        for body in bodies
        if body.people and body.head.action in ("hourly", "closed") and "home.blood_pressure" in body.head.datasets
    ]
    return {one for one, number in numbers.items() if any(number in found for found in sets)}


@pytest.mark.crash
@pytest.mark.timeout(120)
def test_a_supervisor_killed_while_readings_flow_leaves_no_second_broker_and_loses_nothing(tmp_path: Path) -> None:
    node = RunningNode(tmp_path / "home", "--port", "0", "--residents", "60", "--no-feed")
    try:
        node.start()
        gateway = Gateway(node, enrol(node, tmp_path))
        gateway.start()
        until(lambda: len(gateway.acknowledged) > PEOPLE, 30, "the first readings")
        port = node.settings["mqtt_port"]
        old = [int(part["pid"]) for part in node.parts().values()]
        assert node.process is not None
        node.process.kill()
        node.process.wait()
        gateway.crisis(1)
        node.start()
        assert not [pid for pid in old if alive(pid)], "a part of the killed node lives on"
        assert node.settings["mqtt_port"] == port, "gateways know the old port"
        seen = len(gateway.acknowledged)
        until(lambda: len(gateway.acknowledged) > seen + PEOPLE, 30, "readings after the second start")
        gateway.stop()
        acknowledged = {identity(row) for row in gateway.acknowledged}
        until(lambda: acknowledged <= in_lake(node).keys(), 60, "every acknowledged reading in the lake")
        assert not [key for key, times in in_lake(node).items() if times > 1], "stored twice"
    finally:
        node.stop()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_twenty_kills_of_every_process_lose_and_double_nothing(tmp_path: Path) -> None:
    node = RunningNode(tmp_path / "home", "--port", "0", "--residents", "60", "--no-feed")
    try:
        node.start()
        judged(node, tmp_path, rounds=20)
    finally:
        node.stop()


@pytest.mark.crash
@pytest.mark.timeout(600)
def test_with_the_steward_down_alarms_wait_and_the_screen_says_that_it_is_blind(tmp_path: Path) -> None:
    node = RunningNode(tmp_path / "home", "--port", "0", "--residents", "60", "--no-feed")
    try:
        node.start()
        gateway = Gateway(node, enrol(node, tmp_path))
        stop = threading.Event()

        def keep_down() -> None:
            while not stop.is_set():
                with contextlib.suppress(ProcessLookupError, TypeError, ValueError, KeyError):
                    node.kill("steward")
                time.sleep(0.05)

        holding = threading.Thread(target=keep_down)
        holding.start()
        gateway.crisis(1)
        health = until(lambda: (h := httpx.get(f"{node.url}/health")) and h.json()["status"] != "ready" and h, 30)
        assert health.json()["status"] in ("blind", "degraded")
        status = json.loads(node.run("status", "--json").stdout)
        assert status["cases"]["open"] is None and "steward" in " ".join(status["problems"])
        stop.set()
        holding.join()
        until(node.ready, 60, "the node with its steward back")
        officer = httpx.Client(base_url=node.url, headers={"Accept": "text/html"}, timeout=60, follow_redirects=True)
        word = re.search(r'name="form_word" value="([^"]+)"', officer.get("/sign-in?lang=en").text)
        assert word is not None
        assert officer.post("/sign-in/demo", data={"form_word": word[1], "persona": "li-min"}).url.path == "/desk"
        steward = int(node.parts()["steward"]["pid"])
        os.kill(steward, signal.SIGSTOP)  # it is there and does not answer
        try:
            page = officer.get("/desk")
            stranger = httpx.get(f"{node.url}/sign-in?lang=en", headers={"Accept": "text/html"}, timeout=60)
            health = httpx.get(f"{node.url}/health", timeout=60)
        finally:
            os.kill(steward, signal.SIGCONT)
        assert page.status_code == 503 and "This screen is blind" in page.text
        assert stranger.status_code == 503 and "call 120" in stranger.text and "blind" not in stranger.text
        assert (health.status_code, health.json()["status"]) == (503, "blind")
        until(node.ready, 60, "the node with its steward awake")
        gateway.start()
        gateway.stop()
        until(lambda: any(case["resident_id"] == "fault-1" for case in cases(node)), 60, "the alarm that waited")
    finally:
        node.stop()


@pytest.mark.crash
def test_ctrl_c_stops_every_process_and_a_later_start_finds_everything(tmp_path: Path) -> None:
    node = RunningNode(tmp_path / "home", "--port", "0", "--residents", "60", "--no-feed")
    try:
        node.start()
        enrol(node, tmp_path)
        before = node.status()["readings"]["accepted"]
        pids = [int(part["pid"]) for part in node.parts().values()]
        assert node.interrupt() == 0
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        node.start()
        assert until(lambda: node.status()["readings"]["accepted"], 20) == before
    finally:
        node.stop()
