"""What is known of one person beside cases and decisions: her row of the register, devices, mandates, her help link.

Pages and API ask here. Each function asks the gate once, for the purpose of whoever asks; it decides nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from hucheng.base.contracts import Contract
from hucheng.errors import NotFound
from hucheng.gate import Principal, Read
from hucheng.gate.stores import DEVICES, MANDATES, RESIDENTS
from hucheng.portals.services import Services
from hucheng.portals.shell import Shell

OWN, UNDER_MANDATE = "self.access", "mandate.access"
PURPOSES: Mapping[str, str] = {"carer": UNDER_MANDATE, "officer": "cases.work"}
Row = dict[str, Any]


class OwnHelp(msgspec.Struct, frozen=True):
    """The link of a person's own help button: whoever holds it may call help for her, until the device ends."""

    device_id: str
    token: str
    address: str


def purpose_of(who: Principal) -> str:
    """For what this kind of principal asks about a person."""
    return PURPOSES.get(who.kind, OWN)


async def row_of(services: Services, who: Principal, person: str) -> Row | None:
    """A person's row of the register, as much of it as this purpose may see. Raises Refused."""
    read = Read(RESIDENTS, "row", where={"resident_id": person})
    rows = (await services.gate.look(who, purpose_of(who), [read], person=person))[0]
    return rows[0] if rows else None


async def rows_of(services: Services, who: Principal, people: Sequence[str]) -> list[Row]:
    """The rows of those of these people whom this principal may see, under one entry of the journal. Raises Refused."""
    read = Read(RESIDENTS, "rows", where={"resident_id": sorted(set(people))})
    return (await services.gate.look(who, purpose_of(who), [read]))[0] if people else []


async def named(services: Services, who: Principal, name: str) -> list[Row]:
    """The rows of the people of exactly this name whom this principal may see. Raises Refused."""
    read = Read(RESIDENTS, "rows", where={"name": name}, limit=20)
    return (await services.gate.look(who, purpose_of(who), [read]))[0]


async def devices_of(services: Services, who: Principal, person: str) -> list[Row]:
    """The devices that measure a person. Raises Refused."""
    read = Read(DEVICES, "rows", where={"resident_id": person})
    return (await services.gate.look(who, purpose_of(who), [read], person=person))[0]


async def mandates_held(services: Services, who: Principal) -> list[Row]:
    """The mandates of a carer that are in force, by resident. Raises Refused."""
    read = Read(MANDATES, "rows", where={"carer": who.id})
    rows = (await services.gate.look(who, UNDER_MANDATE, [read]))[0]
    return sorted(rows, key=lambda row: str(row["resident_id"]))


async def mandates_from(services: Services, who: Principal, person: str) -> list[Row]:
    """The mandates a person has given: all of them to herself, to a carer her own. Raises Refused."""
    own = {"carer": who.id} if who.kind == "carer" else {}
    read = Read(MANDATES, "rows", where={"resident_id": person, **own})
    return (await services.gate.look(who, purpose_of(who), [read], person=person))[0]


async def help_device(shell: Shell, who: Principal, person: str) -> Row | None:
    """The person's live help button, if one is paired. Raises Refused."""
    if shell.help is None:
        return None
    read = Read(DEVICES, "rows", where={"resident_id": person, "dataset": shell.help[0]})
    rows = (await shell.services.gate.look(who, OWN, [read], person=person))[0]
    return next((row for row in rows if not row.get("ended_at")), None)


async def own_help(shell: Shell, who: Principal, person: str) -> OwnHelp:
    """The link of the person's own help button. Raises NotFound where none is paired, Refused for anybody else's."""
    device = await help_device(shell, who, person)
    if device is None:
        raise NotFound("no help button is paired with you", mend="ask the community centre to pair one, or call 120")
    name = str(device["device_id"])
    token = shell.tokens.help_link(person, name, str(device["gateway_id"]), who.id)
    return OwnHelp(name, token, f"{shell.settings.site}/help/{token}")


def series(shell: Shell, purpose: str) -> list[Contract]:
    """What may be asked for as readings under a purpose; a press for help is none."""
    pressed = shell.help[0] if shell.help else None
    return [one for one in shell.services.catalogue.observations() if purpose in one.uses and one.id != pressed]
