"""A process that ends when the process that started it is gone, however it went.

``python -m hucheng.base.tether PARENT COMMAND…`` becomes COMMAND, tied to PARENT: for programs that are not ours. On
Linux the kernel sends the signal; elsewhere somebody looks every half second.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

LOOK_S = 0.5


def tied(command: Sequence[str]) -> list[str]:
    """The command line that runs ``command`` tied to this process."""
    return [sys.executable, "-m", "hucheng.base.tether", str(os.getpid()), *command]


def die_with_parent(parent: int | None = None) -> None:
    """Have this process stopped (SIGTERM) when its parent is gone. ``parent``: who it was when it was started."""
    parent = os.getppid() if parent is None else parent
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None, use_errno=True).prctl(set_parent_death_signal, signal.SIGTERM)
        if os.getppid() != parent:
            raise SystemExit(0)
    else:
        threading.Thread(target=_watch, args=(parent,), name="tether", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os.kill(os.getpid(), signal.SIGTERM)


def main(argv: Sequence[str]) -> None:
    """Become the command (Linux), or stay before it, hand on what one is told, and end it with the parent."""
    parent, command = int(argv[0]), list(argv[1:])
    if sys.platform == "linux":
        die_with_parent(parent)
        os.execv(command[0], command)  # noqa: S606
    child = subprocess.Popen(command)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda told, _: child.send_signal(told))
    while os.getppid() == parent:
        with contextlib.suppress(subprocess.TimeoutExpired):
            raise SystemExit(child.wait(LOOK_S))
    child.terminate()
    raise SystemExit(child.wait())


if __name__ == "__main__":
    main(sys.argv[1:])
