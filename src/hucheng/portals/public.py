"""What everybody may read without signing in: the front page, the purposes of data, the published rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.responses import Response

from hucheng.errors import HuchengError, NotFound, Unavailable
from hucheng.portals.shell import Entrance, Shell, Visit


def entrance(shell: Shell) -> Entrance:
    """The public pages."""
    door = Entrance(shell)

    @door.page("/")
    async def home(visit: Visit) -> Response:
        try:
            status: dict[str, Any] = await visit.services.status.status()
        except Unavailable:
            status = {"status": "the steward does not answer"}
        except HuchengError:
            status = {}
        return visit.page("public/home.html", node=status, since=taken_since(status))

    @door.page("/purposes")
    async def purposes(visit: Visit) -> Response:
        return visit.page("public/purposes.html", purposes=await visit.services.gate.purposes())

    @door.page("/rules")
    async def rules(visit: Visit) -> Response:
        return visit.page("public/rules.html", packs=list(shell.lexicon.packs.values()))

    @door.page("/rules/{pack_id}")
    async def rule(visit: Visit) -> Response:
        found = shell.lexicon.packs.get(visit.path["pack_id"])
        if found is None:
            raise NotFound("no rule of this name is published")
        return visit.page("public/rule.html", pack=found)

    @door.page("/accessibility")
    async def accessibility(visit: Visit) -> Response:
        return visit.page("public/accessibility.html")

    return door


def taken_since(status: dict[str, Any]) -> datetime | None:
    """When those began that count the readings: the last of them; None where nobody says."""
    parts = status.get("parts") or {}
    begun = [part["since"] for name, part in parts.items() if name.startswith("intake") and part.get("since")]
    return datetime.fromisoformat(max(begun)) if begun else None
