"""The resident's entrance: what is happening, what was decided about me and why, who looked, my readings."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from starlette.responses import Response

from hucheng.base.contracts import Contract
from hucheng.errors import BadRequest, NotFound
from hucheng.gate import Read
from hucheng.portals.about import OWN, devices_of, help_device, own_help, series
from hucheng.portals.charts import Figure
from hucheng.portals.now import before, happening, now_of, stage_of
from hucheng.portals.shell import Entrance, Shell, Visit
from hucheng.portals.uses import told

APPEAL_LIMIT = 2000
"""Characters of an appeal."""
DAYS = (1, 7, 30)
LATEST, MOST = 200, 1000
"""Lines of the journal shown, and entries looked through for them."""


def entrance(shell: Shell) -> Entrance:
    """The resident's pages."""
    door = Entrance(shell, "resident")

    @door.page("/me")
    async def home(visit: Visit) -> Response:
        me = person_of(visit)
        rows = await visit.services.desk.of_person(visit.who, me)
        decisions = await visit.services.decisions.of_person(visit.who, me)
        journal = told(await visit.services.journal.of_person(visit.who, me, LATEST), visit.who.id)
        appeal = any(one.appeal and one.appeal.answered_at is None for one in decisions)
        now = await happening(visit.services.desk, visit.who, rows, visit.words, visit.now, appeal)
        over, others = before(rows, now)
        return visit.page(
            "me/home.html",
            now=now,
            cases=over[:5],
            others=others,
            decisions=decisions[:3],
            journal=journal[:5],
            has_help=bool(await help_device(shell, visit.who, me)),
        )

    @door.page("/me/decisions")
    async def decisions(visit: Visit) -> Response:
        return await show_decisions(visit, person_of(visit), "/me")

    @door.page("/me/decisions/{decision_id}")
    async def decision(visit: Visit) -> Response:
        return await show_decision(visit, "/me")

    @door.deed("/me/decisions/{decision_id}/appeal")
    async def appeal(visit: Visit) -> Response:
        return await enter_appeal(visit, "/me")

    @door.page("/me/journal")
    async def journal(visit: Visit) -> Response:
        return await show_journal(visit, person_of(visit), "/me")

    @door.page("/me/readings")
    async def readings(visit: Visit) -> Response:
        return visit.page("me/readings.html", **await measured(visit, OWN, person_of(visit)))

    @door.page("/me/cases/{case_id}")
    async def case(visit: Visit) -> Response:
        view = await visit.services.desk.case(visit.who, visit.path["case_id"])
        me = (person_of(visit), visit.who.id)
        owed = [one for one in view.owed if one.to in me or one.kind == "appeal"]
        return visit.page(
            "me/case.html", view=view, owed=owed, now=now_of(view, visit.words, visit.now), stage=stage_of(view)
        )

    @door.page("/me/help", fragment=True)
    async def call_help(visit: Visit) -> Response:
        own = await own_help(shell, visit.who, person_of(visit))
        return visit.go(f"/help/{own.token}")

    return door


async def show_decisions(visit: Visit, person: str, base: str) -> Response:
    """What was decided about a person; ``base``: where this person's pages begin."""
    found = await visit.services.decisions.of_person(visit.who, person)
    return visit.page("me/decisions.html", decisions=found, base=base)


async def show_decision(visit: Visit, base: str, problem: str | None = None, text: str = "") -> Response:
    """One decision with its reasons, and the form to appeal."""
    found = await visit.services.decisions.get(visit.who, visit.path["decision_id"])
    status = 422 if problem else 200
    return visit.page("me/decision.html", status, decision=found, problem=problem, text=text, base=base)


async def enter_appeal(visit: Visit, base: str) -> Response:
    """Enter an appeal, or say what is missing."""
    text, say = str(visit.form.get("text", "")).strip(), visit.words.say
    if not text:
        return await show_decision(visit, base, say("Write in your own words why you disagree"))
    if len(text) > APPEAL_LIMIT:
        return await show_decision(visit, base, say("Keep it under %(limit)s characters", limit=APPEAL_LIMIT), text)
    await visit.services.decisions.appeal(visit.who, visit.path["decision_id"], text)
    return visit.go(f"{base}/decisions/{visit.path['decision_id']}#appeal")


async def show_journal(visit: Visit, person: str, base: str) -> Response:
    """Who used a person's data; one's own looks only where one asks for them."""
    own = visit.request.query_params.get("own") == "1"
    entries = await visit.services.journal.of_person(visit.who, person, MOST)
    lines = told(entries, None if own else visit.who.id)[:LATEST]
    purposes = {purpose.id: purpose for purpose in await visit.services.gate.purposes()}
    return visit.page("me/journal.html", lines=lines, purposes=purposes, own=own, base=base)


def person_of(visit: Visit) -> str:
    """The resident who is signed in."""
    if not visit.who.resident_id:
        raise NotFound("you are signed in as nobody who lives here")
    return visit.who.resident_id


async def with_devices(visit: Visit, offered: list[Contract], person: str) -> list[Contract]:
    """Those of these readings for which there is, or was, a device."""
    devices = await devices_of(visit.services, visit.who, person)
    measured_by = {device.get("dataset") for device in devices}
    return [one for one in offered if one.id in measured_by]


async def measured(visit: Visit, purpose: str, person: str) -> dict[str, Any]:
    """Values for a page of readings: the chosen dataset and days, and the charts. Asks for one dataset at a time."""
    offered = await with_devices(visit, series(visit.shell, purpose), person)
    if not offered:
        return {"offered": [], "chosen": None, "days": DAYS[1], "all_days": DAYS, "figures": []}
    first = [c.id for c in offered if c.id in visit.shell.shown_first] or [offered[0].id]
    wanted = visit.request.query_params.get("dataset") or first[0]
    chosen = next((c for c in series(visit.shell, purpose) if c.id == wanted), None)
    if chosen is None:
        raise BadRequest("there are no readings of this name", where=f"?dataset={wanted[:40]}")
    days = visit.whole("days", DAYS[1], 1, 31)
    read = Read(chosen.id, "recent", where={"resident_id": person}, since=visit.now - timedelta(days=days), limit=5000)
    rows = (await visit.look(purpose, read, person=person))[0]
    drawn: list[Figure] = visit.figures(rows, chosen)
    return {"offered": offered, "chosen": chosen, "days": days, "all_days": DAYS, "figures": drawn}
