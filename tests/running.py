"""A real node for tests: started by the command a newcomer types, spoken to as anybody would."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx


def until(true: Callable[[], Any], seconds: float = 60.0, what: str = "it") -> Any:
    """Wait for something to come true; gives what it gave. Fails with ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        if found := true():
            return found
        assert time.monotonic() < deadline, f"{what} did not come true in {seconds:g} s"
        time.sleep(0.02)


class RunningNode:
    """``hucheng up`` in a home of its own, on ports of its own."""

    def __init__(self, home: Path, *options: str) -> None:
        self.home = home
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, within_s: float = 120.0) -> RunningNode:
        up_log = self.home.with_name(f"{self.home.name}-up.log")
        up_log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "hucheng", "up", "--home", str(self.home), *self.options]
        self.log = up_log.open("ab")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, start_new_session=True)
        try:
            until(self.ready, within_s, f"the node in {self.home}")
        except AssertionError as error:
            said = self.health()
            self.stop()
            raise AssertionError(f"{error}: {said}\n{up_log.read_text()[-4000:]}") from None
        return self

    def ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"hucheng up left with {self.process.returncode}")
        return self.health().get("status") == "ready"

    def health(self) -> dict[str, Any]:
        """What the node says of itself; what went wrong with the asking where it does not answer."""
        try:
            return httpx.get(f"{self.url}/health", timeout=5).json()
        except (OSError, ValueError, httpx.HTTPError) as error:
            return {"status": "no answer", "error": repr(error)}

    @property
    def settings(self) -> dict[str, Any]:
        return json.loads((self.home / "run" / "node.json").read_text(encoding="utf-8"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings['port']}"

    def parts(self) -> dict[str, dict[str, Any]]:
        return json.loads((self.home / "run" / "parts.json").read_text(encoding="utf-8"))

    def kill(self, part: str) -> int:
        """Kill -9 one process; gives its number."""
        pid = int(self.parts()[part]["pid"])
        os.kill(pid, signal.SIGKILL)
        return pid

    def back(self, part: str, old: int, within_s: float = 60.0) -> None:
        """Wait until the supervisor has the part ready again under another number."""
        until(
            lambda: self.parts()[part]["state"] == "ready" and self.parts()[part]["pid"] not in (None, old),
            within_s,
            f"{part} after its kill",
        )

    def run(self, *words: str, check: bool = True, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """A command beside the node."""
        command = [sys.executable, "-m", "hucheng", words[0], *words[1:], "--home", str(self.home)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        if check:
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    def status(self) -> dict[str, Any]:
        return json.loads(self.run("status", "--json").stdout)

    def cases(self, *options: str) -> list[dict[str, Any]]:
        return json.loads(self.run("cases", "--json", *options).stdout)

    def interrupt(self, within_s: float = 60.0) -> int:
        """Ctrl-C; gives the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(within_s)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(AttributeError):
            self.log.close()
