"""What gateways and paired devices do, each with a token of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from hucheng.base.readings import nothing_read
from hucheng.errors import BadRequest, NotSignedIn, Refused, TooLarge
from hucheng.portals.calls import Api, Asked
from hucheng.portals.help import (
    Press,
    Standing,
    coming,
    pressed_at,
    read_press,
    reading,
    refused_if_ended,
    standing,
    still_paired,
)


class Taken(msgspec.Struct, frozen=True):
    """The broker has it durably under this sequence number."""

    sequence: int


def calls(api: Api) -> None:
    """What is sent by machines."""

    @api.call("POST", "/readings", Taken, group="Devices", takes=dict[str, Any], status=201)
    async def readings(asked: Asked) -> Any:
        """Push readings, in the form MQTT takes, with a gateway's token; 201 once the broker keeps them durably."""
        gateway = pushing(asked)
        payload = await asked.request.body()
        sequence = await asked.services.push(gateway, payload)
        if (wrong := await asyncio.to_thread(nothing_read, payload)) is not None:
            kind = TooLarge if wrong.reason == "too_large" else BadRequest
            raise kind(
                f"nothing in it could be read: {wrong.detail[:200]}",
                mend="see the three forms of readings; it is kept in quarantine",
                reason=wrong.reason,
                sequence=sequence,
            )
        return Taken(sequence)

    @api.call("POST", "/help/{token}", Taken, group="Devices", takes=Press, status=202, token=False)
    async def call_help(asked: Asked) -> Any:
        """Call for help with a help link's token; `pressed_at` and `sent_at` by the caller's own clock."""
        link = asked.shell.tokens.read_help(asked.path["token"])
        await refused_if_ended(asked, link)
        at = pressed_at(read_press(await asked.request.body()), asked.now)
        return Taken(await asked.services.push(link.gateway_id, reading(link, at, asked.shell.help)))

    @api.call("GET", "/help/{token}", Standing, group="Devices", query="lang", token=False)
    async def help_state(asked: Asked) -> Any:
        """Whether help is on its way to the person of a help link, and the sentence that says so; nothing else."""
        link = asked.shell.tokens.read_help(asked.path["token"])
        await still_paired(asked, link)
        return standing(await coming(asked, link))


def pushing(asked: Asked) -> str:
    """The gateway whose token it is. Raises NotSignedIn, journaled, for none, a forged, expired or revoked one."""
    who: str | None = None
    try:
        if (token := asked.bearer) is None:
            raise Refused("a gateway's token is missing")
        who, number = asked.shell.tokens.read_gateway(token, asked.now)
        if not asked.services.pass_live(number, who, asked.now):
            raise Refused("the token was revoked, or never issued here")
    except Refused as error:
        asked.services.turned_away("token", who or error.details.get("gateway"), error.what)
        raise NotSignedIn(error.what, policy="token", needed="a gateway's token: Authorization: Bearer …") from error
    return who
