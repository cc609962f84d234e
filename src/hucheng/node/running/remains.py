"""What an earlier node of this home left running when its supervisor was killed: ended before anything starts.

Two brokers on one store lose what one of them acknowledges, two stewards write one journal. A process is ended only
where its own command line says that it belongs to this home; a number alone may be anybody's by now.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from hucheng.base import broker
from hucheng.errors import Unavailable
from hucheng.node.running.parts import read_parts
from hucheng.settings import Settings

log = logging.getLogger(__name__)
PATIENCE_S = 15.0
"""What a part is given to end by itself (it was asked to when its supervisor went)."""


def end_remains(settings: Settings, patience_s: float = PATIENCE_S) -> list[int]:
    """End every process of this home that an earlier supervisor left; gives their numbers.

    Only for whoever holds the home's lock. Raises Unavailable naming what does not go.
    """
    told = [part.get("pid") for part in read_parts(settings.home).values()]
    return _end(settings, {pid for pid in told if isinstance(pid, int)} | _broker(settings), patience_s)


def end_broker(settings: Settings, patience_s: float = PATIENCE_S) -> list[int]:
    """End a broker that holds this home's store; gives its number. Raises Unavailable where it does not go."""
    return _end(settings, _broker(settings), patience_s)


def _broker(settings: Settings) -> set[int]:
    """The number in the broker's own pid file."""
    with contextlib.suppress(OSError, ValueError):
        return {int((broker.folder(settings) / "nats.pid").read_text())}
    return set()


def _end(settings: Settings, pids: Iterable[int], patience_s: float) -> list[int]:
    ours = [pid for pid in pids if pid not in (0, os.getpid()) and _is_ours(settings, pid)]
    left = ours
    for number, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + wait_s
        for pid in left:
            log.warning("left by an earlier node: ended", extra={"fields": {"pid": pid, "signal": number.name}})
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        while (left := [pid for pid in left if _is_ours(settings, pid)]) and time.monotonic() < deadline:
            time.sleep(0.02)
    if left:
        raise Unavailable(
            "a process of an earlier node still runs in this home and does not end",
            where=f"{settings.home}: {', '.join(map(str, left))}",
            mend="end it (kill -9), then start again",
        )
    return ours


def _is_ours(settings: Settings, pid: int) -> bool:
    """Whether this process lives and its command line names this home, as a broker or as one of our parts."""
    words = _command(pid)
    conf, home = str(broker.folder(settings) / "nats.conf"), str(settings.home)
    is_broker = any(Path(word).name == "nats-server" for word in words) and conf in words
    is_part = any(word.startswith("hucheng.") for word in words) and home in words
    return is_broker or is_part


def _command(pid: int) -> list[str]:
    """The words of a process's command line; none where it is gone, or has ended and only nobody asked how."""
    proc = Path("/proc")
    if (proc / "self" / "cmdline").exists():
        try:
            return (proc / str(pid) / "cmdline").read_bytes().decode(errors="surrogateescape").split("\0")
        except OSError:
            return []
    found = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True)
    return found.stdout.split()
