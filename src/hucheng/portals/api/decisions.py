"""What was decided about people, why, the appeal against it and its answer."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from hucheng.decisions.record import MAX_TEXT, Appeal, Decision, Result
from hucheng.portals.calls import Api, Asked

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]


class Saying(msgspec.Struct, frozen=True):
    """An appeal in the person's own words."""

    text: Text


class Answering(msgspec.Struct, frozen=True):
    """A human's answer to an appeal, with its reasons."""

    text: Text
    result: Result


def calls(api: Api) -> None:
    """What is read, appealed against and answered. ``case``: the open case an officer works on."""

    @api.call("GET", "/residents/{resident_id}/decisions", list[Decision], group="Decisions", query="case")
    async def decisions_of(asked: Asked) -> Any:
        """What was decided about a person."""
        return await asked.services.decisions.of_person(asked.who, asked.path["resident_id"], asked.query.get("case"))

    @api.call("GET", "/decisions/{decision_id}", Decision, group="Decisions", query="case")
    async def decision(asked: Asked) -> Any:
        """One decision with its facts, reasons and appeal."""
        return await asked.services.decisions.get(asked.who, asked.path["decision_id"], asked.query.get("case"))

    @api.call("POST", "/decisions/{decision_id}/appeals", Appeal, group="Decisions", takes=Saying, status=201)
    async def appeal(asked: Asked) -> Any:
        """Appeal against a decision."""
        said: Saying = await asked.body(Saying)
        return await asked.services.decisions.appeal(asked.who, asked.path["decision_id"], said.text)

    @api.call("POST", "/decisions/{decision_id}/answers", Appeal, group="Decisions", takes=Answering, status=201)
    async def answer(asked: Asked) -> Any:
        """Answer an appeal, as a human: `upheld` (the decision no longer holds) or `rejected`, with reasons."""
        said: Answering = await asked.body(Answering)
        return await asked.services.decisions.answer(asked.who, asked.path["decision_id"], said.text, said.result)
