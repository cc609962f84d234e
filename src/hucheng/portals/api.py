"""``/api/v1``: what a page does, a program does too, as the same person, through the same gate. OpenAPI describes it.

A person asks with a bearer token (or, for reading only, with the session of the browser); a gateway pushes readings
with a token of its own. Errors are RFC 9457 problems.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hucheng.base.readings import nothing_read
from hucheng.cases.rosters import Contact
from hucheng.cases.views import OUTCOMES, CasePage, CaseRow, CaseView, Counts, Owed
from hucheng.decisions.record import Appeal, Decision, Result
from hucheng.errors import BadRequest, NotSignedIn, Refused, TooLarge
from hucheng.gate import Principal, Purpose, Read
from hucheng.gate import Request as AppRequest
from hucheng.gate.checkpoints import Checkpoint
from hucheng.gate.rights import Line
from hucheng.gate.verify import Verified
from hucheng.portals.calls import BASE, Api, Asked, openapi
from hucheng.portals.deeds import checked
from hucheng.portals.help import pressed_at, read_press, reading, refused_if_ended
from hucheng.portals.shell import Door, Shell


class Acting(msgspec.Struct, frozen=True):
    """A deed on a case; which fields are needed depends on the action."""

    action: str
    note: str = ""
    to: str = ""
    outcome: str = ""
    eta_minutes: int | None = None


class Saying(msgspec.Struct, frozen=True):
    """An appeal in the person's own words."""

    text: str


class Answering(msgspec.Struct, frozen=True):
    """A human's answer to an appeal, with its reasons."""

    text: str
    result: Result


class Taken(msgspec.Struct, frozen=True):
    """The broker has it durably under this sequence number."""

    sequence: int


def install(site: FastAPI, shell: Shell) -> None:
    """Add every call, its description and the page for people."""
    api = Api(shell)
    _people(api)
    _audit(api)
    _devices(api)

    async def description(request: Request) -> Response:
        return Response(msgspec.json.encode(openapi(api)), media_type="application/json")

    async def page(request: Request) -> Response:
        visit, token = shell.visit(request), None
        if request.method == "POST":
            form = await request.form(max_files=0)
            if visit.session is None or not shell.sessions.form_is_ours(request, str(form.get("form_word", ""))):
                visit.turned_away("form", BASE)
                raise Refused("this form is out of date", policy="forms", needed="open the page again")
            token = shell.tokens.person(visit.who, visit.now, demo=visit.session.demo)
        groups: dict[str, list[Any]] = {}
        for call in api.calls:
            groups.setdefault(call["group"], []).append(call)
        return visit.page("api.html", groups=groups, token=token)

    page.door = Door((), True)  # type: ignore[attr-defined]
    description.door = Door((), False)  # type: ignore[attr-defined]
    site.router.routes.append(Route(BASE, page, methods=["GET", "POST"], name="api"))
    site.router.routes.append(Route(BASE + "/openapi.json", description, name="api.openapi"))
    site.router.routes.extend(api.routes)


def _people(api: Api) -> None:
    """What residents, carers and officers do."""

    @api.call("GET", "/me", Principal, group="People")
    async def me(asked: Asked) -> Any:
        """Who the token stands for."""
        return asked.who

    @api.call("GET", "/cases", CasePage, group="Cases", query="kind all limit offset order")
    async def cases(asked: Asked) -> Any:
        """The queue of whoever asks; open cases only unless `all=1`."""
        return await asked.services.desk.queue(
            asked.who,
            kind=asked.query.get("kind") or None,
            open_only=asked.query.get("all") != "1",
            limit=asked.whole("limit", 50, 1, 500),
            offset=asked.whole("offset", 0, 0, 1_000_000),
            order=asked.query.get("order") or "due",
        )

    @api.call("GET", "/cases/{case_id}", CaseView, group="Cases")
    async def case(asked: Asked) -> Any:
        """One case: its row, history, diagram and what may be done."""
        return await asked.services.desk.case(asked.who, asked.path["case_id"])

    @api.call("POST", "/cases/{case_id}/actions", CaseView | None, group="Cases", takes=Acting)
    async def act(asked: Asked) -> Any:
        """Do something with a case: take, go, visit, hand_over, note, answer or close."""
        deed: Acting = await asked.body(Acting)
        eta = "" if deed.eta_minutes is None else str(deed.eta_minutes)
        given = checked(deed.action, deed.note.strip(), deed.to.strip(), deed.outcome, eta)
        return await asked.services.desk.act(asked.who, asked.path["case_id"], **given)

    @api.call("GET", "/cases/{case_id}/panel", dict[str, Any], group="Cases")
    async def panel(asked: Asked) -> Any:
        """What the app of this kind of case shows a responder, read under the case's own purpose."""
        view = await asked.services.desk.case(asked.who, asked.path["case_id"])
        if view.row.kind not in asked.shell.panels:
            return {}
        return msgspec.to_builtins(
            await asked.shell.panels[view.row.kind][1].load(asked.services, asked.who, view), enc_hook=str
        )

    @api.call("GET", "/counts", Counts, group="Cases")
    async def counts(asked: Asked) -> Any:
        """How many cases of one's own area stand where; no person is named."""
        return await asked.services.desk.counts(asked.who)

    @api.call("GET", "/owed", list[Owed], group="Cases", query="limit offset")
    async def owed(asked: Asked) -> Any:
        """Answers still owed by whoever asks, or by the desk, the most pressing first."""
        limit, offset = asked.whole("limit", 50, 1, 500), asked.whole("offset", 0, 0, 1_000_000)
        return await asked.services.desk.owed(asked.who, limit, offset)

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

    @api.call("GET", "/cases/{case_id}/colleagues", list[Contact], group="Cases")
    async def colleagues(asked: Asked) -> Any:
        """To whom a case can be handed now."""
        return await asked.services.desk.colleagues(asked.who, asked.path["case_id"])

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

    @api.call("GET", "/purposes", list[Purpose], group="Public")
    async def purposes(asked: Asked) -> Any:
        """The closed list of what data may be used for."""
        return await asked.services.gate.purposes()

    @api.call("GET", "/rules", list[Any], group="Public")
    async def rules(asked: Asked) -> Any:
        """The published rule packs, word for word."""
        packs = asked.shell.lexicon.packs.values()
        return [{"id": p["file"], "title": p.get("title"), "basis": p.get("basis"), "text": p["text"]} for p in packs]

    @api.call("GET", "/outcomes", dict[str, dict[str, str]], group="Public")
    async def outcomes(asked: Asked) -> Any:
        """How a case may end."""
        return OUTCOMES


def _audit(api: Api) -> None:
    """What auditors do."""

    @api.call("GET", "/journal", list[Line], group="Audit", query="limit before")
    async def heads(asked: Asked) -> Any:
        """Heads of the journal, newest first; nobody they were about is named."""
        before = asked.whole("before", 0, 0, 2**62)
        return await asked.services.journal.heads(asked.who, asked.whole("limit", 100, 1, 1000), before or None)

    @api.call("POST", "/journal/verify", Verified, group="Audit")
    async def verify(asked: Asked) -> Any:
        """Check every entry; 500 with the first bad one where the journal was changed."""
        return await asked.services.journal.verify(asked.who)

    @api.call("GET", "/journal/checkpoints", list[Checkpoint], group="Audit", query="limit")
    async def checkpoints(asked: Asked) -> Any:
        """The latest signed checkpoints."""
        return await asked.services.journal.checkpoints(asked.who, asked.whole("limit", 20, 1, 1000))

    @api.call("GET", "/requests", list[AppRequest], group="Audit")
    async def requests(asked: Asked) -> Any:
        """What apps have asked for, and what became of it."""
        return await asked.services.gate.requests(asked.who)


def _devices(api: Api) -> None:
    """What gateways and paired devices do."""

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

    @api.call("POST", "/help/{token}", Taken, group="Devices", takes=dict[str, Any], status=202)
    async def call_help(asked: Asked) -> Any:
        """Call for help with a help link's token; `pressed_at` and `sent_at` by the caller's own clock."""
        link = asked.shell.tokens.read_help(asked.path["token"])
        await refused_if_ended(asked, link)
        at = pressed_at(read_press(await asked.request.body()), asked.now)
        return Taken(await asked.services.push(link.gateway_id, reading(link, at, asked.shell.help)))


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
