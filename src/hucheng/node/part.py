"""``python -m hucheng.node.part NAME --home DIR``: one process of a running node.

Each part is imported only in its own process, so that it starts quickly and owes nothing to the others.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from hucheng.node import logs
from hucheng.settings import Settings

PARTS = {"steward": "hucheng.node.steward", "intake": "hucheng.node.intake", "web": "hucheng.node.web"}


def die_with_parent() -> None:
    """Ask the kernel to stop this process when the supervisor is gone, however it went (Linux)."""
    parent = os.getppid()
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None, use_errno=True).prctl(set_parent_death_signal, signal.SIGTERM)
        if os.getppid() != parent:
            raise SystemExit(0)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one part until it is told to stop."""
    parser = argparse.ArgumentParser(prog="hucheng.node.part", description=__doc__)
    parser.add_argument("name", choices=sorted(PARTS))
    parser.add_argument("--home", required=True, type=Path)
    parser.add_argument("--partition", type=int, default=0)
    given = parser.parse_args(argv)
    die_with_parent()
    label = f"{given.name}-{given.partition}" if given.name == "intake" else given.name
    logs.configure(label)
    settings = Settings.running(given.home)
    module = importlib.import_module(PARTS[given.name])
    try:
        if given.name == "intake":
            module.run(settings, given.partition)
        else:
            module.run(settings)
    except Exception:
        logging.getLogger(__name__).exception("part stopped by an error")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
