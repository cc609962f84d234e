"""Mandates: whom a resident has asked to look after her affairs, and how far."""

from __future__ import annotations

from typing import Any

from hucheng.portals.about import mandates_from, mandates_held
from hucheng.portals.calls import Api, Asked


def calls(api: Api) -> None:
    """What is seen of mandates."""

    @api.call("GET", "/mandates", list[dict[str, Any]], group="Mandates")
    async def mandates(asked: Asked) -> Any:
        """The mandates in force of the carer who asks: for whom, how far, until when."""
        return await mandates_held(asked.services, asked.who)

    @api.call("GET", "/residents/{resident_id}/mandates", list[dict[str, Any]], group="Mandates")
    async def mandates_of(asked: Asked) -> Any:
        """The mandates a person has given: all of them to herself, to a carer her own."""
        return await mandates_from(asked.services, asked.who, asked.path["resident_id"])
