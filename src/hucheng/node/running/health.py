"""How the node is: what the steward knows, and the state of every part, also while the steward is down."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from hucheng.base.rpcclient import SyncClient, sync_proxy
from hucheng.errors import HuchengError, Unavailable
from hucheng.node.running.parts import read_parts
from hucheng.settings import Settings

READINGS = ("received", "accepted", "duplicate", "quarantined", "lag_s")
NEEDED = ("broker", "intake", "steward", "web")


class Steward(Protocol):
    """What the steward says of itself: ``readings``, ``cases``, ``problems``."""

    async def status(self) -> dict[str, Any]: ...


class Health:
    """The node's status for the site."""

    def __init__(self, home: Path, steward: Steward) -> None:
        self._home = home
        self._steward = steward

    async def status(self) -> dict[str, Any]:
        """The node's status; never raises for a steward that is down."""
        try:
            told: Mapping[str, Any] | None = await self._steward.status()
        except HuchengError:
            told = None
        return put_together(told, parts_of(self._home))


def node_status(home: Path | None) -> dict[str, Any]:
    """The same for the command line. Raises Unavailable where no node was ever started."""
    settings = Settings.running(home)
    from hucheng.node.steward.process import SERVED

    told: Mapping[str, Any] | None = None
    try:
        with SyncClient(settings.socket, timeout_s=5.0) as client:
            told = sync_proxy(SERVED["status"], client, "status").status()
    except Unavailable:
        pass
    return put_together(told, parts_of(settings.home))


def parts_of(home: Path) -> dict[str, dict[str, Any]]:
    """State of every part; several intakes are also shown as one, the worst of them."""
    found: dict[str, dict[str, Any]] = {name: dict(part) for name, part in read_parts(home).items()}
    for part in found.values():
        if part.get("pid") and not Path(f"/proc/{part['pid']}").exists() and Path("/proc/self").exists():
            part["state"] = "stopped"
    intakes = [part for name, part in found.items() if name.startswith("intake-")]
    if intakes:
        found["intake"] = max(intakes, key=lambda part: part["state"] != "ready")
    return found


def put_together(told: Mapping[str, Any] | None, parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One status: ``ready`` where every needed part is and nothing is wrong, ``blind`` without the steward."""
    problems = [f"{name} is {parts.get(name, {}).get('state', 'stopped')}" for name in NEEDED if not _up(parts, name)]
    problems += list(told.get("problems", ())) if told is not None else []
    without = "blind" if _up(parts, "web") else "stopped"
    status = without if told is None else "degraded" if problems else "ready"
    readings = (told or {}).get("readings", {})
    cases = (told or {}).get("cases", {})
    return {
        "status": status,
        "problems": problems,
        "readings": {name: readings.get(name) for name in READINGS},
        "cases": {"open": cases.get("open"), **{k: v for k, v in cases.items() if k != "open"}},
        "refused": dict((told or {}).get("refused", {})),
        "blind": list((told or {}).get("blind", ())),
        "parts": {name: dict(part) for name, part in parts.items()},
    }


def _up(parts: Mapping[str, Mapping[str, Any]], name: str) -> bool:
    """A part that serves is up: the web process answers this very question before the supervisor has noted it."""
    return parts.get(name, {}).get("state") == "ready" or (name == "web" and bool(parts.get(name, {}).get("pid")))
