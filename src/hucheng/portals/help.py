"""Help without signing in: one large button behind a link or on a paired device. The link is the key to just this.

A press goes the way of every reading (through the broker, acknowledged when durable), so it is never lost and never
doubled. The browser keeps it until then; without scripts the plain form waits for the acknowledgement itself.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hucheng.errors import BadRequest, HuchengError, NotFound, Refused
from hucheng.gate import Read
from hucheng.portals.calls import Asked
from hucheng.portals.now import Now, latest
from hucheng.portals.shell import Door, Entrance, Shell, Visit
from hucheng.portals.tokens import HelpLink

log = logging.getLogger(__name__)
CLOCK_OFF = timedelta(minutes=2)
"""A browser's clock further off than this is corrected: an alarm must not fail because a phone's clock is wrong."""
ANSWER_S = 2.0
"""How long a press waits for the steward to say whether its device is still in service."""
OLDEST = timedelta(hours=23)
"""A press older than this counts as of now: somebody still waits behind it."""


class Standing(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether help is on its way, and the sentence that says so; ``name`` stands in it and stays on one line."""

    state: Literal["idle", "calling", "coming"]
    text: str
    name: str = ""


class Press(msgspec.Struct):
    """What the page's script sends: when the button was pressed and when this was sent, by the browser's clock."""

    press_id: str
    pressed_at: datetime
    sent_at: datetime | None = None


def entrance(shell: Shell) -> Entrance:
    """The help pages."""
    door = Entrance(shell)

    @door.page("/help/{token}")
    async def show(visit: Visit) -> Response:
        link = shell.tokens.read_help(visit.path["token"])
        now = None
        try:
            await still_paired(visit, link)
            now = await coming(visit, link)
        except NotFound:
            raise
        except HuchengError as error:  # the button works while the steward or the ledger is away: the broker keeps it
            log.warning("a help page without its state", extra={"fields": {"error": error.code}})
        return visit.page(
            "help.html",
            token=visit.path["token"],
            now=now,
            sent="sent" in visit.request.query_params,
            demo=shell.settings.demo,
        )

    @door.page("/help/{token}/state", fragment=True)
    async def state(visit: Visit) -> Response:
        link = shell.tokens.read_help(visit.path["token"])
        return JSONResponse(msgspec.to_builtins(standing(await coming(visit, link))))

    async def press(request: Request) -> Response:
        # No form word here: whoever holds the link may press, and the link is in no cookie that another site could use.
        visit = shell.visit(request)
        token = request.path_params["token"]
        link = shell.tokens.read_help(token)
        await refused_if_ended(visit, link)
        scripted = "json" in request.headers.get("content-type", "")
        at = visit.now
        if scripted:
            at = pressed_at(read_press(await request.body()), visit.now)
        sequence = await visit.services.push(link.gateway_id, reading(link, at, shell.help))
        if scripted:
            return JSONResponse({"state": "sent", "sequence": sequence}, 202)
        return visit.go(f"/help/{token}?sent=1")

    door.add("/help/{token}", press, "POST", Door((), False), f"{__name__}.press")
    return door


def read_press(body: bytes) -> Press:
    try:
        return msgspec.json.decode(body, type=Press)
    except msgspec.DecodeError as error:
        raise BadRequest("the press cannot be read", where=str(error)) from error


def pressed_at(press: Press, now: datetime) -> datetime:
    """When the button was pressed, by our clock.

    The wait until it could be sent is the browser's own difference; only where its clock is far off is it moved to
    ours, and a press from the future or from long ago counts as of now.
    """
    at = press.pressed_at if press.pressed_at.tzinfo else press.pressed_at.replace(tzinfo=now.tzinfo)
    sent = press.sent_at
    if sent is not None and sent.tzinfo and abs(now - sent) > CLOCK_OFF:
        at = (at + (now - sent)).replace(microsecond=0)
    return at if now - OLDEST < at <= now else now


def reading(link: HelpLink, at: datetime, pressed: tuple[str, str] | None) -> bytes:
    """The press as the device's reading of ``pressed``: dataset and metric. Raises NotFound where no app answers."""
    if pressed is None:
        raise NotFound("no app answers a help button", mend="accept one that does")
    dataset, metric = pressed
    return msgspec.json.encode(
        {
            "dataset": dataset,
            "readings": [
                {
                    "device_id": link.device_id,
                    "resident_id": link.resident_id,
                    "metric": metric,
                    "observed_at": at,
                    "value": 1,
                    "unit": "1",
                }
            ],
        }
    )


async def coming(visit: Visit | Asked, link: HelpLink) -> Now | None:
    """What is happening to the person of this link; None when nothing is open."""
    desk = visit.services.desk
    return await latest(
        desk, link.principal, await desk.of_person(link.principal, link.resident_id), visit.words, visit.now
    )


def standing(now: Now | None) -> Standing:
    """What a help link shows: nothing of the case but whether somebody is called or coming."""
    if now is None:
        return Standing("idle", "")
    return Standing("calling" if now.stage == "calling" else "coming", now.text, now.name)


async def refused_if_ended(visit: Visit | Asked, link: HelpLink) -> None:
    """Raise NotFound where the device is known to be out of service; where nobody can tell in time, help goes first.

    Whatever else is wrong with the steward, the ledger or the journal is no reason to refuse help.
    """
    try:
        async with asyncio.timeout(ANSWER_S):
            await still_paired(visit, link)
    except NotFound:
        raise
    except (HuchengError, TimeoutError) as error:
        log.warning("help goes through unasked", extra={"fields": {"error": type(error).__name__}})


async def still_paired(visit: Visit | Asked, link: HelpLink) -> None:
    """Raise NotFound where the device behind the link was taken out of service."""
    read = Read("city.devices", "row", where={"device_id": link.device_id, "resident_id": link.resident_id})
    try:
        rows = (
            await visit.services.gate.look(link.principal, "self.access", [read], case=None, person=link.resident_id)
        )[0]
    except Refused as error:
        raise NotFound("this help link is not valid any more") from error
    if not rows or _over(rows[0].get("ended_at"), visit.now):
        raise NotFound("this help link is not valid any more", mend="ask the community centre to pair it again")


def _over(ended_at: datetime | str | None, now: datetime) -> bool:
    at = datetime.fromisoformat(ended_at) if isinstance(ended_at, str) else ended_at
    return at is not None and at <= now
