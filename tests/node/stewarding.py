"""A home with a small city, and a steward as a real process that a test can kill. Not a test itself.

``python stewarding.py HOME WAITS`` runs the steward of that home with the waits of the care processes shortened.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from hucheng.apps import App, load_apps
from hucheng.base.rpcclient import SyncClient, sync_proxy
from hucheng.city.create import create as create_city
from hucheng.decisions.findings import FactUsed, Finding, Reason, finding_id
from hucheng.errors import Unavailable
from hucheng.gate import Principal
from hucheng.node.home import creation
from hucheng.node.home.rooms import open_rooms
from hucheng.settings import Settings

T = TypeVar("T")


def make_home(home: Path, residents: int = 120, **more: Any) -> Settings:
    """A new home with a small Linjiang."""
    settings = Settings.load(home, residents=residents, feed=False, **more)
    rooms = creation.create(settings)
    try:
        create_city(settings, rooms=rooms)
        creation.seal(settings, rooms)
    finally:
        rooms.close()
    return settings


def copy_home(template: Settings, home: Path) -> Settings:
    """The same home in another place."""
    shutil.copytree(template.home, home)
    return dataclasses.replace(template, home=home)


def first_resident(settings: Settings) -> str:
    """The resident of the demo: Chen Guilan."""
    rooms = open_rooms(settings)
    try:
        found = rooms.principals.get("chen-guilan").resident_id
    finally:
        rooms.close()
    assert found is not None
    return found


def a_finding(resident: str, n: int = 0, rule: str = "bp_crisis", kind: str = "care.alarm", **more: Any) -> Finding:
    """A finding about a resident; another ``n`` is another reading."""
    at = datetime(2026, 3, 2, 4, tzinfo=UTC) + timedelta(seconds=n)
    device = f"bp-{resident}"
    values: dict[str, Any] = {
        "id": finding_id(rule, device, at),
        "kind": kind,
        "rule": rule,
        "pack": "blood-pressure",
        "version": "2023-06-21 1a2b3c4d",
        "resident_id": resident,
        "device_id": device,
        "dataset": "home.blood_pressure",
        "outcome": {"crisis": True},
        "facts": [FactUsed("systolic", 184, "mm[Hg]", at, "home.blood_pressure.systolic_bp")],
        "reasons": [Reason("systolic", 184)],
        "text": {"zh": "血压达到危急值", "en": "The blood pressure is at a critical level"},
        "basis": "ESH 2023",
        "observed_at": at,
        "detected_at": at,
        "simulated": True,
    }
    return Finding(**{**values, **more})


class Process:
    """A steward as a process of its own."""

    def __init__(self, settings: Settings, waits: str = "") -> None:
        self.settings, self.waits = settings, waits
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Process:
        """Start it and wait until it answers."""
        self.settings.write_running()
        log = self.settings.home / "logs" / "steward.jsonl"
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, __file__, str(self.settings.home), self.waits], stdout=out, stderr=out
            )
        self.until(self._answers)
        return self

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; gives the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # writes where every thread stands
            self.process.wait()
            raise AssertionError(f"it did not stop:\n{self._log()[-6000:]}") from None

    def ask(self, kind: type[T], name: str, call: Callable[[T], Any]) -> Any:
        """Ask one of its objects something."""
        with SyncClient(self.settings.socket, timeout_s=30) as client:
            return call(sync_proxy(kind, client, name))

    def who(self, principal: str) -> Principal:
        """A principal of the demo."""
        from hucheng.node.home.people import People

        found: Principal = self.ask(People, "people", lambda people: people.at_keyboard("test", principal))
        return found

    def until(self, true: Callable[[], T], within_s: float = 60.0) -> T:
        """Ask until the answer is true. Raises AssertionError with the log when it never is."""
        deadline = time.monotonic() + within_s
        while True:
            found = true()
            if found:
                return found
            assert self.process is not None
            if time.monotonic() > deadline or (self.process.poll() is not None):
                raise AssertionError(f"it never came; exit {self.process.poll()}; log:\n{self._log()[-4000:]}")
            time.sleep(0.02)

    def _log(self) -> str:
        return (self.settings.home / "logs" / "steward.jsonl").read_text(encoding="utf-8")

    def _answers(self) -> bool:
        try:
            with SyncClient(self.settings.socket, timeout_s=2):
                return True
        except Unavailable:
            return False


def shortened(app: App, folder: Path, waits: str) -> App:
    """The app with other waits in its processes: ``PT60S=PT1S,…``."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(app.folder, folder)
    for path in (folder / "processes").glob("*.bpmn"):
        text = path.read_text(encoding="utf-8")
        for change in filter(None, waits.split(",")):
            step, wait = change.split("=")
            text = re.sub(rf'(id="{step}".*?<bpmn:timeDuration>)[^<]+', rf"\g<1>{wait}", text, count=1, flags=re.DOTALL)
        path.write_text(text, encoding="utf-8")
    return dataclasses.replace(app, folder=folder)


def main() -> None:
    """Run the steward of a home, with shortened waits where they are given."""
    from hucheng.node.running import logs
    from hucheng.node.steward import process as steward

    home, waits = Path(sys.argv[1]), sys.argv[2]
    logs.configure("steward")
    settings = Settings.running(home)
    apps = [shortened(app, home / f"app-{app.name}", waits) if waits else app for app in load_apps()]
    steward.run(settings, apps)


if __name__ == "__main__":
    import faulthandler

    faulthandler.enable()
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
