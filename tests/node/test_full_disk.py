"""A disk that fills up: nothing is acknowledged that is not kept, the status says so, and it recovers by itself."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
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
def test_full_disk(small_disk: Path) -> None:
    rows = [DeviceRow(f"gw-1-d{i}", f"r{i}", "gw-1", "test.pressure", True) for i in range(DEVICES)]
    home = small_disk / "home"
    with running(home, ["gw-1"], rows) as (here, _, _):
        with Log(here, "gw-1") as log:
            until(lambda: len(log.acknowledged) > 2000)
            free = shutil.disk_usage(small_disk).free
            with (small_disk / "ballast").open("wb") as ballast:
                for _ in range(free // (1 << 20) - 20):
                    ballast.write(b"x" * (1 << 20))
            until(lambda: "disk is full" in (problem(here) or ""))
            stood = -1
            while stood != len(log.acknowledged):  # what was under way may still be acknowledged
                stood = len(log.acknowledged)
                problem(here)
                problem(here)
            (small_disk / "ballast").unlink()
            until(lambda: len(log.acknowledged) > stood + 1000)
            assert problem(here) is None
        settle(here)
        judge(home, here, [log])
