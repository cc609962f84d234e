"""Which processes a node is made of, and how each is known to be ready."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

from hucheng.base import broker
from hucheng.base.rpcclient import SyncClient
from hucheng.base.tether import tied
from hucheng.errors import HuchengError
from hucheng.node.running import remains
from hucheng.node.running.parts import PartSpec, python_part
from hucheng.settings import Settings


def specs(settings: Settings, extra: dict[str, str] | None = None) -> list[PartSpec]:
    """The parts of a node in the order in which they start.

    ``extra`` names further processes by module (``{"feed": "hucheng.city.feeds"}``); nothing waits for them.
    """
    home = settings.home
    parts = [
        PartSpec(
            "broker",
            tied(broker.command(settings)),
            ready=lambda: broker.healthy(settings, timeout_s=1.0),
            before=partial(_configure, settings),
            after=lambda: asyncio.run(broker.prepare(settings)),
            first=True,
            grace_s=15,
        ),
        PartSpec("steward", python_part("steward", home), ready=lambda: _answers(settings.socket), grace_s=40),
    ]
    for partition in range(settings.intakes):
        name = "intake" if settings.intakes == 1 else f"intake-{partition}"
        command = python_part("intake", home, "--partition", str(partition))
        mark = ready_mark(home, partition)
        parts.append(PartSpec(name, command, ready=mark.exists, before=partial(mark.unlink, missing_ok=True)))
    parts.append(PartSpec("web", python_part("web", home), ready=lambda: _serves(settings)))
    for name, module in (extra or {}).items():
        command = [sys.executable, "-m", module, "--home", str(home)]
        parts.append(PartSpec(name, command, ready=lambda: True, needed=False, grace_s=5))
    return parts


def ready_mark(home: Path, partition: int) -> Path:
    """File an intake writes once it reads the stream; the supervisor takes it away before each start."""
    return home / "run" / f"intake-{partition}.ready"


def _configure(settings: Settings) -> None:
    remains.end_broker(settings)
    broker.configure(settings)


def _answers(path: Path) -> bool:
    try:
        with SyncClient(path, timeout_s=2.0):
            return True
    except HuchengError:
        return False


def _serves(settings: Settings) -> bool:
    """Whether the site answers at all: what it says of the rest is its own affair."""
    with contextlib.suppress(OSError, urllib.error.URLError):
        try:
            with urllib.request.urlopen(f"http://{settings.host}:{settings.port}/health", timeout=2.0):
                return True
        except urllib.error.HTTPError:
            return True
    time.sleep(0.02)
    return False
