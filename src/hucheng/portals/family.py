"""The family's entrance: a carer with a mandate sees and does what the mandate allows, and no more."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from hucheng.portals.about import UNDER_MANDATE, mandates_held, row_of
from hucheng.portals.deeds import deed_of
from hucheng.portals.now import before, happening, now_of, stage_of
from hucheng.portals.resident import enter_appeal, measured, show_decision, show_decisions, show_journal
from hucheng.portals.shell import Entrance, Shell, Visit


def entrance(shell: Shell) -> Entrance:
    """The carer's pages. Whom she may see is the gate's word: a mandate that ended closes the page by itself."""
    door = Entrance(shell, "carer")

    @door.page("/family")
    async def home(visit: Visit) -> Response:
        people = []
        for mandate in await mandates_held(visit.services, visit.who):
            person = str(mandate["resident_id"])
            rows = await visit.services.desk.of_person(visit.who, person)
            now = await happening(visit.services.desk, visit.who, rows, visit.words, visit.now)
            people.append({"mandate": mandate, "who": await named(visit, person), "now": now})
        return visit.page("family/home.html", people=people)

    @door.page("/family/{resident_id}")
    async def person(visit: Visit) -> Response:
        resident = visit.path["resident_id"]
        who = await named(visit, resident)
        rows = await visit.services.desk.of_person(visit.who, resident)
        held = await mandates_held(visit.services, visit.who)
        mandate = next((one for one in held if one["resident_id"] == resident), None)
        now = await happening(visit.services.desk, visit.who, rows, visit.words, visit.now)
        over, others = before(rows, now)
        return visit.page("family/person.html", who=who, cases=over, others=others, now=now, mandate=mandate)

    @door.page("/family/{resident_id}/readings")
    async def readings(visit: Visit) -> Response:
        resident = visit.path["resident_id"]
        values = await measured(visit, UNDER_MANDATE, resident)
        return visit.page("family/readings.html", who=await named(visit, resident), **values)

    @door.page("/family/{resident_id}/decisions")
    async def decisions(visit: Visit) -> Response:
        return await show_decisions(visit, visit.path["resident_id"], base(visit))

    @door.page("/family/{resident_id}/decisions/{decision_id}")
    async def decision(visit: Visit) -> Response:
        return await show_decision(visit, base(visit))

    @door.deed("/family/{resident_id}/decisions/{decision_id}/appeal")
    async def appeal(visit: Visit) -> Response:
        return await enter_appeal(visit, base(visit))

    @door.page("/family/{resident_id}/journal")
    async def journal(visit: Visit) -> Response:
        return await show_journal(visit, visit.path["resident_id"], base(visit))

    @door.page("/family/{resident_id}/cases/{case_id}")
    async def case(visit: Visit) -> Response:
        return await show(visit)

    @door.deed("/family/{resident_id}/cases/{case_id}/act")
    async def act(visit: Visit) -> Response:
        resident, case_id = visit.path["resident_id"], visit.path["case_id"]
        await visit.services.desk.act(visit.who, case_id, **deed_of(visit))
        return visit.go(f"/family/{resident}/cases/{case_id}")

    return door


def base(visit: Visit) -> str:
    """Where the pages about this person begin."""
    return f"/family/{visit.path['resident_id']}"


async def show(visit: Visit) -> Response:
    """One case, as the family sees it."""
    resident = visit.path["resident_id"]
    view = await visit.services.desk.case(visit.who, visit.path["case_id"])
    return visit.page(
        "family/case.html",
        who=await named(visit, resident),
        view=view,
        now=now_of(view, visit.words, visit.now, own=False),
        stage=stage_of(view),
    )


async def named(visit: Visit, resident: str) -> dict[str, Any]:
    """Name and community of a person in the carer's care; Refused by the gate for anybody else."""
    found = await row_of(visit.services, visit.who, resident)
    return found or {"resident_id": resident, "name": resident, "community": ""}
