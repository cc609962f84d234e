"""The duty officer's entrance: the live queue, one case with everything needed to act, and what is still owed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from hucheng.cases.views import OUTCOMES, CaseRow, CaseView, Owed
from hucheng.decisions.record import RESULTS
from hucheng.errors import HuchengError, NotFound, Refused, Unavailable
from hucheng.portals.about import named, rows_of
from hucheng.portals.deeds import LONGEST_WAY_MIN, NOTE_LIMIT, deed_of
from hucheng.portals.diagram import drawing
from hucheng.portals.now import minutes_left, stage_of
from hucheng.portals.session import safe_back
from hucheng.portals.shell import Entrance, Shell, Visit
from hucheng.portals.watch import streamed

PAGE = 50
DECISIONS = 50
"""Decisions shown of one case."""
ORDERS = ("due", "urgent", "newest", "oldest")


def entrance(shell: Shell) -> Entrance:
    """The officer's pages."""
    door = Entrance(shell, "officer")

    @door.page("/desk")
    async def queue(visit: Visit) -> Response:
        query = visit.request.query_params
        kind, order = query.get("kind") or None, query.get("order") or "due"
        order = order if order in ORDERS else "due"
        offset = visit.whole("offset", 0, 0, 1_000_000)
        everything = query.get("show") == "all"
        desk = visit.services.desk
        page, counts, owed = await asyncio.gather(
            desk.queue(visit.who, kind=kind, open_only=not everything, limit=PAGE, offset=offset, order=order),
            desk.counts(visit.who),
            desk.owed_count(visit.who),
        )
        kinds = {**{kind: panel.titles for kind, (_, panel) in shell.panels.items()}}
        for known in counts.by_kind:
            kinds.setdefault(known, {"zh": known, "en": known})
        return visit.page(
            "desk/queue.html",
            page=page,
            counts=counts,
            names=await names_of(visit, page.cases),
            kind=kind,
            kinds=kinds,
            order=order,
            everything=everything,
            offset=offset,
            size=PAGE,
            owed=owed,
            unseen=await unseen(visit),
        )

    @door.page("/desk/live", fragment=True)
    async def live(visit: Visit) -> Response:
        return streamed(shell.watch.events(visit.who))

    @door.page("/desk/owed")
    async def owed(visit: Visit) -> Response:
        offset = visit.whole("offset", 0, 0, 1_000_000)
        desk = visit.services.desk
        rows, total = await asyncio.gather(desk.owed(visit.who, PAGE, offset), desk.owed_count(visit.who))
        names = await names_of(visit, rows)
        return visit.page("desk/owed.html", owed=rows, names=names, total=total, offset=offset, size=PAGE)

    @door.page("/desk/find")
    async def find(visit: Visit) -> Response:
        wanted = visit.request.query_params.get("q", "").strip()[:80]
        cases = await found(visit, wanted) if wanted else []
        return visit.page("desk/find.html", wanted=wanted, cases=cases, names=await names_of(visit, cases))

    @door.page("/desk/cases/{case_id}")
    async def case(visit: Visit) -> Response:
        view = await visit.services.desk.case(visit.who, visit.path["case_id"])
        return visit.page("desk/case.html", **await whole(visit, view), problem=None)

    @door.deed("/desk/cases/{case_id}/act")
    async def act(visit: Visit) -> Response:
        case_id = visit.path["case_id"]
        await visit.services.desk.act(visit.who, case_id, **deed_of(visit))
        return visit.go(safe_back(str(visit.form.get("back", "")), f"/desk/cases/{case_id}"))

    @door.page("/desk/cases/{case_id}/decisions")
    async def decisions(visit: Visit) -> Response:
        return await show_decisions(visit, None)

    @door.deed("/desk/cases/{case_id}/decisions/{decision_id}/answer")
    async def answer(visit: Visit) -> Response:
        text = str(visit.form.get("text", "")).strip()
        if not text or len(text) > NOTE_LIMIT:
            return await show_decisions(
                visit, visit.words.say("Write an answer of 1 to %(limit)s characters", limit=NOTE_LIMIT)
            )
        result = str(visit.form.get("result", ""))
        if result not in RESULTS:
            return await show_decisions(visit, visit.words.say("Say whether the appeal is right"))
        await visit.services.decisions.answer(visit.who, visit.path["decision_id"], text, result)
        return visit.go(f"/desk/cases/{visit.path['case_id']}/decisions")

    return door


async def unseen(visit: Visit) -> list[str]:
    """What the node does not look for now, or not everywhere, by the name its alarms have."""
    try:
        blind = (await visit.services.status.status()).get("blind", ())
    except HuchengError:
        return []
    return list(dict.fromkeys(visit.words.tell(one["title"]) or one["detector"] for one in blind))


async def show_decisions(visit: Visit, problem: str | None) -> Response:
    """The decisions a case rests on, with appeals that wait for a human's answer."""
    case_id = visit.path["case_id"]
    view = await visit.services.desk.case(visit.who, case_id)
    rows = [await visit.services.decisions.get(visit.who, one, case_id) for one in view.decision_ids[:DECISIONS]]
    return visit.page("desk/decisions.html", 422 if problem else 200, row=view.row, decisions=rows, problem=problem)


async def found(visit: Visit, wanted: str) -> list[CaseRow]:
    """Cases by their own number, a resident's number or her name, as far as the gate lets this officer see them.

    What is typed is compared as it stands, never run.
    """
    try:
        return [(await visit.services.desk.case(visit.who, wanted)).row]
    except (NotFound, Refused):
        pass
    try:
        if rows := await visit.services.desk.of_person(visit.who, wanted):
            return rows
    except (NotFound, Refused):
        pass
    try:
        called = await named(visit.services, visit.who, wanted)
        return [row for one in called for row in await visit.services.desk.of_person(visit.who, one["resident_id"])]
    except (NotFound, Refused):
        return []


async def names_of(visit: Visit, cases: Sequence[CaseRow | Owed]) -> dict[str, str]:
    """Names of the people in these lines, as far as working the queue may show them."""
    try:
        rows = await rows_of(visit.services, visit.who, [row.resident_id for row in cases if row.resident_id])
    except Unavailable:
        raise
    except HuchengError:
        return {}
    return {row["resident_id"]: row.get("name") or row["resident_id"] for row in rows}


async def colleagues(visit: Visit, view: CaseView) -> list[Any]:
    """To whom this case could go now, but not oneself."""
    if "hand_over" not in view.actions:
        return []
    found = await visit.services.desk.colleagues(visit.who, view.row.id)
    return [one for one in found if one.who and one.who != visit.who.id]


async def whole(visit: Visit, view: CaseView) -> dict[str, Any]:
    """Everything the case page shows; what the gate refuses is shown as refused, with what would open it."""
    shell, row = visit.shell, view.row
    panel: dict[str, Any] | None = None
    if row.kind in shell.panels and row.state == "closed":  # asking would be refused, and stand so in the journal
        panel = {"title": shell.panels[row.kind][1].titles, "over": True}
    elif row.kind in shell.panels:
        app, declared = shell.panels[row.kind]
        panel = {"title": declared.titles, "template": f"{app.name}/{declared.template}", "values": {}, "refused": None}
        try:
            panel["values"] = await declared.load(visit.services, visit.who, view)
        except Unavailable:
            raise
        except HuchengError as error:
            panel["refused"] = error
    return {
        "view": view,
        "row": row,
        "stage": stage_of(view),
        "left": minutes_left(view, visit.now),
        "drawing": drawing(view.diagram, visit.words),
        "panel": panel,
        "names": await names_of(visit, [row]),
        "colleagues": await colleagues(visit, view),
        "outcomes": OUTCOMES,
        "longest_way": LONGEST_WAY_MIN,
    }
