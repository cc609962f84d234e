"""What everybody may read, and who the asker is."""

from __future__ import annotations

from typing import Any

from hucheng.cases.views import OUTCOMES
from hucheng.gate import Principal, Purpose
from hucheng.portals.calls import Api, Asked


def calls(api: Api) -> None:
    """What is the same for all who ask."""

    @api.call("GET", "/me", Principal, group="People")
    async def me(asked: Asked) -> Any:
        """Who the token stands for."""
        return asked.who

    @api.call("GET", "/places", dict[str, dict[str, str]], group="People")
    async def places(asked: Asked) -> Any:
        """What places and departments are called, by their ids; for whoever is signed in."""
        _ = asked.who
        return await asked.services.people.places()

    @api.call("GET", "/status", dict[str, Any], group="Public")
    async def status(asked: Asked) -> Any:
        """How the node is: readings, cases, parts, and under `blind` what it does not look for. Names nobody."""
        return await asked.services.status.status()

    @api.call("GET", "/purposes", list[Purpose], group="Public")
    async def purposes(asked: Asked) -> Any:
        """The closed list of what data may be used for."""
        return await asked.services.gate.purposes()

    @api.call("GET", "/rules", list[Any], group="Public")
    async def rules(asked: Asked) -> Any:
        """The published rule packs, word for word."""
        packs = asked.shell.lexicon.packs.values()
        return [{"id": p["file"], "title": p.get("title"), "basis": p.get("basis"), "text": p["text"]} for p in packs]

    @api.call("GET", "/outcomes", dict[str, dict[str, str]], group="Public")
    async def outcomes(asked: Asked) -> Any:
        """How a case may end."""
        return OUTCOMES
