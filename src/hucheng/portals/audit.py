"""The auditor's entrance: the heads of the journal without people in them, its seal, and what apps have asked for."""

from __future__ import annotations

from starlette.responses import Response

from hucheng.errors import JournalBroken
from hucheng.gate import Purpose
from hucheng.portals.shell import Entrance, Shell, Visit

PAGE = 50


def entrance(shell: Shell) -> Entrance:
    """The auditor's pages."""
    door = Entrance(shell, "auditor")

    @door.page("/audit")
    async def home(visit: Visit) -> Response:
        journal = visit.services.journal
        return visit.page(
            "audit/home.html",
            checkpoints=await journal.checkpoints(visit.who, 5),
            heads=await journal.heads(visit.who, 8),
            requests=await visit.services.gate.requests(visit.who),
            purposes=await purposes(visit),
            verified=None,
            broken=None,
        )

    @door.deed("/audit/verify")
    async def verify(visit: Visit) -> Response:
        journal, verified, broken = visit.services.journal, None, None
        try:
            verified = await journal.verify(visit.who)
        except JournalBroken as error:
            broken = error
        return visit.page(
            "audit/home.html",
            checkpoints=await journal.checkpoints(visit.who, 5),
            heads=await journal.heads(visit.who, 8),
            requests=await visit.services.gate.requests(visit.who),
            purposes=await purposes(visit),
            verified=verified,
            broken=broken,
        )

    @door.page("/audit/journal")
    async def heads(visit: Visit) -> Response:
        before = visit.whole("before", 0, 0, 2**62)
        found = await visit.services.journal.heads(visit.who, PAGE, before or None)
        return visit.page("audit/journal.html", heads=found, before=before, size=PAGE, purposes=await purposes(visit))

    @door.page("/audit/checkpoints")
    async def checkpoints(visit: Visit) -> Response:
        return visit.page(
            "audit/checkpoints.html", checkpoints=await visit.services.journal.checkpoints(visit.who, 100)
        )

    @door.page("/audit/requests")
    async def requests(visit: Visit) -> Response:
        asked = await visit.services.gate.requests(visit.who)
        return visit.page("audit/requests.html", requests=asked, purposes=await purposes(visit))

    return door


async def purposes(visit: Visit) -> dict[str, Purpose]:
    """The accepted purposes by their ids, for their titles."""
    return {one.id: one for one in await visit.services.gate.purposes()}
