"""Every call, its description for programs, and the page about it for people, where a token is made."""

from __future__ import annotations

import msgspec
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hucheng.errors import Refused
from hucheng.portals.api import audit, cases, decisions, devices, mandates, public, residents
from hucheng.portals.calls import BASE, Api, openapi
from hucheng.portals.shell import Door, Shell
from hucheng.portals.words import mark

GROUPS = (
    mark("People"),
    mark("Public"),
    mark("Cases"),
    mark("Residents"),
    mark("Decisions"),
    mark("Mandates"),
    mark("Audit"),
    mark("Devices"),
)
"""Headings of the page, in their order."""


def install(site: FastAPI, shell: Shell) -> None:
    """Add every call, its description and the page for people."""
    api = Api(shell)
    for group in (public, cases, residents, decisions, mandates, audit, devices):
        group.calls(api)

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
        groups = {visit.words.say(name): [call for call in api.calls if call["group"] == name] for name in GROUPS}
        return visit.page("api.html", groups=groups, token=token)

    page.door = Door((), True)  # type: ignore[attr-defined]
    description.door = Door((), False)  # type: ignore[attr-defined]
    site.router.routes.append(Route(BASE, page, methods=["GET", "POST"], name="api"))
    site.router.routes.append(Route(BASE + "/openapi.json", description, name="api.openapi"))
    site.router.routes.extend(api.routes)
