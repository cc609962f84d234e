"""Cases, as officers and those who were called work on them."""

from __future__ import annotations

from typing import Any

import msgspec

from hucheng.cases.rosters import Contact
from hucheng.cases.views import CasePage, CaseView, Counts, Owed
from hucheng.errors import Refused
from hucheng.portals.calls import BASE, Api, Asked
from hucheng.portals.deeds import checked
from hucheng.portals.watch import streamed


class Total(msgspec.Struct, frozen=True):
    """How many there are in all."""

    total: int


class Acting(msgspec.Struct, frozen=True):
    """A deed on a case; which fields are needed depends on the action."""

    action: str
    note: str = ""
    to: str = ""
    outcome: str = ""
    eta_minutes: int | None = None


def calls(api: Api) -> None:
    """What is done with cases."""

    @api.call("GET", "/cases", CasePage, group="Cases", query="kind all limit offset order")
    async def cases(asked: Asked) -> Any:
        """The queue of whoever asks; open cases only unless `all=1`."""
        return await asked.services.desk.queue(
            asked.who,
            kind=asked.query.get("kind") or None,
            open_only=asked.query.get("all") != "1",
            limit=asked.whole("limit", 50, 1, 500),
            offset=asked.whole("offset", 0, 0, 1_000_000),
            order=asked.query.get("order") or "due",
        )

    @api.call("GET", "/cases/{case_id}", CaseView, group="Cases")
    async def case(asked: Asked) -> Any:
        """One case: its row, history, diagram and what may be done."""
        return await asked.services.desk.case(asked.who, asked.path["case_id"])

    @api.call("POST", "/cases/{case_id}/actions", CaseView | None, group="Cases", takes=Acting)
    async def act(asked: Asked) -> Any:
        """Do something with a case: take, go, visit, hand_over, note, answer or close."""
        deed: Acting = await asked.body(Acting)
        eta = "" if deed.eta_minutes is None else str(deed.eta_minutes)
        given = checked(deed.action, deed.note.strip(), deed.to.strip(), deed.outcome, eta)
        return await asked.services.desk.act(asked.who, asked.path["case_id"], **given)

    @api.call("GET", "/cases/{case_id}/panel", dict[str, Any], group="Cases")
    async def panel(asked: Asked) -> Any:
        """What the app of this kind of case shows a responder, read under the case's own purpose."""
        view = await asked.services.desk.case(asked.who, asked.path["case_id"])
        if view.row.kind not in asked.shell.panels:
            return {}
        return msgspec.to_builtins(
            await asked.shell.panels[view.row.kind][1].load(asked.services, asked.who, view), enc_hook=str
        )

    @api.call("GET", "/cases/{case_id}/colleagues", list[Contact], group="Cases")
    async def colleagues(asked: Asked) -> Any:
        """To whom a case can be handed now."""
        return await asked.services.desk.colleagues(asked.who, asked.path["case_id"])

    @api.call("GET", "/counts", Counts, group="Cases")
    async def counts(asked: Asked) -> Any:
        """How many cases of one's own area stand where; no person is named."""
        return await asked.services.desk.counts(asked.who)

    @api.call("GET", "/owed", list[Owed], group="Cases", query="limit offset")
    async def owed(asked: Asked) -> Any:
        """Answers still owed by whoever asks, or by the desk, the most pressing first."""
        limit, offset = asked.whole("limit", 50, 1, 500), asked.whole("offset", 0, 0, 1_000_000)
        return await asked.services.desk.owed(asked.who, limit, offset)

    @api.call("GET", "/owed/count", Total, group="Cases")
    async def owed_count(asked: Asked) -> Any:
        """How many answers are still owed in all."""
        return Total(await asked.services.desk.owed_count(asked.who))

    @api.call("GET", "/live", str, group="Cases", media="text/event-stream")
    async def live(asked: Asked) -> Any:
        """Server-sent events for an officer: `changed` (version, calling, urgent) as the queue moves, or `blind`."""
        who = asked.who
        if who.kind != "officer":  # its numbers are those of a place, and asked once for all who work there
            asked.services.turned_away("entrance", who.id, BASE + "/live")
            raise Refused("the queue is not yours", policy="entrance", needed="sign in as: officer")
        return streamed(asked.while_let_in(asked.shell.watch.events(who)))
