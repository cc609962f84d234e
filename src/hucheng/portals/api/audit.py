"""The journal for auditors, and what apps have asked for."""

from __future__ import annotations

from typing import Any

from hucheng.gate import Request
from hucheng.gate.checkpoints import Checkpoint
from hucheng.gate.rights import Line
from hucheng.gate.verify import Verified
from hucheng.portals.calls import Api, Asked


def calls(api: Api) -> None:
    """What auditors do."""

    @api.call("GET", "/journal", list[Line], group="Audit", query="limit before")
    async def heads(asked: Asked) -> Any:
        """Heads of the journal, newest first; nobody they were about is named."""
        before = asked.whole("before", 0, 0, 2**62)
        return await asked.services.journal.heads(asked.who, asked.whole("limit", 100, 1, 1000), before or None)

    @api.call("POST", "/journal/verify", Verified, group="Audit")
    async def verify(asked: Asked) -> Any:
        """Check every entry; 500 with the first bad one where the journal was changed."""
        return await asked.services.journal.verify(asked.who)

    @api.call("GET", "/journal/checkpoints", list[Checkpoint], group="Audit", query="limit")
    async def checkpoints(asked: Asked) -> Any:
        """The latest signed checkpoints."""
        return await asked.services.journal.checkpoints(asked.who, asked.whole("limit", 20, 1, 1000))

    @api.call("GET", "/requests", list[Request], group="Audit")
    async def requests(asked: Asked) -> Any:
        """What apps have asked for, and what became of it."""
        return await asked.services.gate.requests(asked.who)
