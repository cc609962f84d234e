"""Mandates: whom a resident has asked to look after her affairs, and how far; entered and ended by an operator.

There is no page for granting one: it is given at the community centre, and enters as `hucheng enter` enters it, by the
same service and the same deed. Who may do that is the gate's word.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated, Any

import msgspec

from hucheng.errors import BadRequest, NotFound
from hucheng.gate.stores import MANDATES
from hucheng.portals.about import mandates_from, mandates_held
from hucheng.portals.calls import Api, Asked
from hucheng.portals.plain import SCOPES

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Granting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mandate: to whom (the id of a principal), how far, from when (now) until when (it is taken back)."""

    carer: Text
    scopes: Annotated[list[str], msgspec.Meta(min_length=1, max_length=len(SCOPES))]
    carer_name: Text | None = None
    carer_phone: Text | None = None
    valid_from: Instant | None = None
    valid_to: Instant | None = None


class Mandate(msgspec.Struct, frozen=True):
    """A mandate as it was entered."""

    mandate_id: str
    resident_id: str
    carer: str
    scopes: list[str]
    carer_name: str | None
    carer_phone: str | None
    valid_from: datetime
    valid_to: datetime | None


class Ended(msgspec.Struct, frozen=True):
    """How many rows of the register hold no longer."""

    ended: int


def calls(api: Api) -> None:
    """What is seen of mandates, granted and ended."""

    @api.call("GET", "/mandates", list[dict[str, Any]], group="Mandates")
    async def mandates(asked: Asked) -> Any:
        """The mandates in force of the carer who asks: for whom, how far, until when."""
        return await mandates_held(asked.services, asked.who)

    @api.call("GET", "/residents/{resident_id}/mandates", list[dict[str, Any]], group="Mandates")
    async def mandates_of(asked: Asked) -> Any:
        """The mandates a person has given: all of them to herself, to a carer her own."""
        return await mandates_from(asked.services, asked.who, asked.path["resident_id"])

    @api.call("POST", "/residents/{resident_id}/mandates", Mandate, group="Mandates", takes=Granting, status=201)
    async def grant(asked: Asked) -> Any:
        """Enter a mandate that a resident gave at the community centre, as an operator; the resident sees it was."""
        who = asked.who
        made = granted(await asked.body(Granting), asked.path["resident_id"], asked.now)
        await asked.services.entering.register(who, MANDATES, [msgspec.to_builtins(made)])
        return made

    @api.call("POST", "/mandates/{mandate_id}/end", Ended, group="Mandates")
    async def end_mandate(asked: Asked) -> Any:
        """End a mandate from now on, as an operator; the carer's next look is refused."""
        name = asked.path["mandate_id"]
        if not (ended := await asked.services.entering.end(asked.who, MANDATES, [{"mandate_id": name}])):
            raise NotFound("no mandate of this number is in force")
        return Ended(ended)


def granted(given: Granting, resident_id: str, now: datetime) -> Mandate:
    """The mandate with its number and begin. Raises BadRequest naming the field."""
    if unknown := [one for one in given.scopes if one not in SCOPES]:
        raise BadRequest(f"no mandate covers {unknown[0][:40]!r}", where="scopes", mend="of: " + ", ".join(SCOPES))
    begin = given.valid_from or now
    if given.valid_to is not None and given.valid_to <= max(begin, now):
        raise BadRequest("it would be over before it begins", where="valid_to", mend="a later instant, or none")
    return Mandate(
        f"m-{secrets.token_hex(6)}",
        resident_id,
        given.carer,
        list(dict.fromkeys(given.scopes)),
        given.carer_name,
        given.carer_phone,
        begin,
        given.valid_to,
    )
