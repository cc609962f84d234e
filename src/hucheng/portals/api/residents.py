"""What there is about one resident: cases, decisions and appeals, the journal, readings."""

from __future__ import annotations

from typing import Any

import msgspec

from hucheng.cases.views import CaseRow
from hucheng.decisions.record import Appeal, Decision, Result
from hucheng.errors import BadRequest
from hucheng.gate import Read
from hucheng.gate.rights import Line
from hucheng.portals.calls import Api, Asked


class Saying(msgspec.Struct, frozen=True):
    """An appeal in the person's own words."""

    text: str


class Answering(msgspec.Struct, frozen=True):
    """A human's answer to an appeal, with its reasons."""

    text: str
    result: Result


def calls(api: Api) -> None:
    """What residents ask about themselves, carers and officers about them."""

    @api.call("GET", "/residents/{resident_id}/cases", list[CaseRow], group="Residents")
    async def cases_of(asked: Asked) -> Any:
        """The cases about a person."""
        return await asked.services.desk.of_person(asked.who, asked.path["resident_id"])

    @api.call("GET", "/residents/{resident_id}/decisions", list[Decision], group="Residents")
    async def decisions_of(asked: Asked) -> Any:
        """What was decided about a person."""
        return await asked.services.decisions.of_person(asked.who, asked.path["resident_id"], asked.query.get("case"))

    @api.call("GET", "/decisions/{decision_id}", Decision, group="Residents")
    async def decision(asked: Asked) -> Any:
        """One decision with its facts, reasons and appeal."""
        return await asked.services.decisions.get(asked.who, asked.path["decision_id"], asked.query.get("case"))

    @api.call("POST", "/decisions/{decision_id}/appeals", Appeal, group="Residents", takes=Saying, status=201)
    async def appeal(asked: Asked) -> Any:
        """Appeal against a decision."""
        said: Saying = await asked.body(Saying)
        return await asked.services.decisions.appeal(asked.who, asked.path["decision_id"], said.text)

    @api.call("POST", "/decisions/{decision_id}/answers", Appeal, group="Residents", takes=Answering, status=201)
    async def answer(asked: Asked) -> Any:
        """Answer an appeal, as a human: `upheld` (the decision no longer holds) or `rejected`, with reasons."""
        said: Answering = await asked.body(Answering)
        return await asked.services.decisions.answer(asked.who, asked.path["decision_id"], said.text, said.result)

    @api.call("GET", "/residents/{resident_id}/journal", list[Line], group="Residents", query="limit")
    async def journal_of(asked: Asked) -> Any:
        """Who looked at a person's data, why, and under which law."""
        limit = asked.whole("limit", 200, 1, 1000)
        return await asked.services.journal.of_person(asked.who, asked.path["resident_id"], limit)

    @api.call(
        "GET",
        "/residents/{resident_id}/readings",
        list[Any],
        group="Residents",
        query="dataset purpose since until limit case",
    )
    async def readings_of(asked: Asked) -> Any:
        """Readings of a person in one `dataset`; `purpose` is self.access or mandate.access where it is not given."""
        who = asked.who
        default = "mandate.access" if who.kind == "carer" else "self.access"
        dataset = asked.query.get("dataset")
        if not dataset:
            raise BadRequest("name the dataset", where="?dataset=", mend="e.g. home.blood_pressure")
        contract = asked.services.catalogue.get(dataset)
        if contract.kind != "observation":
            raise BadRequest(f"{dataset} holds no readings", where="?dataset=")
        person = asked.path["resident_id"]
        read = Read(
            dataset,
            "recent",
            where={"resident_id": person},
            since=asked.instant("since"),
            until=asked.instant("until"),
            limit=asked.whole("limit", 500, 1, 10_000),
        )
        rows = await asked.services.gate.look(
            who, asked.query.get("purpose") or default, [read], case=asked.query.get("case"), person=person
        )
        return rows[0]
