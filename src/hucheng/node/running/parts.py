"""What a part of a node is to its supervisor: a command, a way to tell that it is ready, and its state."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

State = Literal["starting", "ready", "failed", "stopped"]


@dataclass(frozen=True)
class PartSpec:
    """How one process is started and known to be ready; ``needed`` parts hold back the node's own readiness."""

    name: str
    command: Sequence[str]
    ready: Callable[[], bool]
    before: Callable[[], None] | None = None
    """Called before each start (e.g. to write a configuration)."""
    after: Callable[[], None] | None = None
    """Called once the process answers (e.g. to assert what a server was told)."""
    needed: bool = True
    first: bool = False
    """The next part starts only when this one is ready; all others start together."""
    grace_s: float = 10.0
    """Seconds a part may take to stop before it is killed."""


@dataclass
class Part:
    """One process as it is now."""

    spec: PartSpec
    process: subprocess.Popen[bytes] | None = None
    state: State = "stopped"
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    restarts: int = 0
    retry_at: float = 0.0
    log: IO[bytes] | None = None
    why: str = ""
    """Why it is not ready, where something said so."""

    def turn(self, state: State) -> bool:
        """Enter a state; True if it is another one."""
        if state == self.state:
            return False
        self.state, self.since = state, datetime.now(UTC)
        return True


def python_part(name: str, home: Path, *more: str) -> list[str]:
    """Command of a part that is one of our own processes."""
    return [sys.executable, "-m", "hucheng.node.running.part", name, "--home", str(home), *more]


def write_parts(home: Path, parts: Sequence[Part]) -> None:
    """Write the state of every part to ``run/parts.json`` in one step."""
    path = home / "run" / "parts.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    states = {
        part.spec.name: {
            "state": part.state,
            "since": part.since.isoformat(timespec="seconds"),
            "pid": part.process.pid if part.process and part.state != "stopped" else None,
            "restarts": part.restarts,
        }
        for part in parts
    }
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(states, indent=1), encoding="utf-8")
    fresh.replace(path)


def read_parts(home: Path) -> dict[str, dict[str, object]]:
    """The states last written, or nothing where no node has run."""
    try:
        found = json.loads((home / "run" / "parts.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
