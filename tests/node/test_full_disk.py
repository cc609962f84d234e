"""A disk that fills up: nothing is acknowledged that is not kept, the status says so, and it recovers by itself."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hucheng.base import stream
from hucheng.base.devices import DeviceRow
from tests.base.nodekit import running, until
from tests.node.test_crashes import DEVICES, Log, judge, settle


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 MB of its own; skips where mounting is not allowed."""
    path = tmp_path / "disk"
    path.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(path)], capture_output=True)
    if made.returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


class Supervised:
    """Starts the broker again when it ends, as a node's supervisor does."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Supervised:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            if self._server.process.poll() is not None:
                self._server.start()


def problem(here: Any) -> str | None:
    """What the intake says next."""

    async def ask() -> str | None:
        client = await stream.connect(here)
        subscription = await client.subscribe("status.intake.0")
        told = msgspec.json.decode((await subscription.next_msg(30)).data)
        await client.close()
        found: str | None = told["problem"]
        return found

    return asyncio.run(ask())


@pytest.mark.crash
@pytest.mark.parametrize("left", ["20 MB", "nothing"])
def test_full_disk(small_disk: Path, left: str) -> None:
    """Without a byte left, the broker stores nothing more until it is started anew; the intake sees to that."""
    rows = [DeviceRow(f"gw-1-d{i}", f"r{i}", "gw-1", "test.pressure", True) for i in range(DEVICES)]
    home = small_disk / "home"
    with running(home, ["gw-1"], rows) as (here, server, _), Supervised(server):
        with Log(here, "gw-1") as log:
            until(lambda: len(log.acknowledged) > 2000)
            free = shutil.disk_usage(small_disk).free
            with suppress(OSError), (small_disk / "ballast").open("wb", buffering=0) as ballast:
                for _ in range(free // 65536 + (10 if left == "nothing" else -320)):
                    ballast.write(b"x" * 65536)
            until(lambda: "disk is full" in (problem(here) or ""))
            stood = -1
            while stood != len(log.acknowledged):  # what was under way may still be acknowledged
                stood = len(log.acknowledged)
                problem(here)
                problem(here)
            (small_disk / "ballast").unlink()
            until(lambda: len(log.acknowledged) > stood + 1000)
            until(lambda: problem(here) is None)
        settle(here)
        judge(home, here, [log])
