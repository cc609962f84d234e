"""Errors as people and programs read them: a page that says what to do next, or an RFC 9457 problem."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hucheng.errors import BadRequest, HuchengError, NotFound, Outside, Unavailable
from hucheng.portals.shell import Shell, SignInNeeded, Visit
from hucheng.portals.words import mark

log = logging.getLogger("hucheng.portals")

TITLES: Mapping[int, tuple[str, str]] = {
    400: (mark("We could not understand that"), mark("Check what was entered and try again.")),
    401: (mark("Please sign in"), mark("This page is for people who have signed in.")),
    403: (mark("This is closed to you"), mark("Nothing was shown, and the attempt is on record.")),
    404: (mark("There is nothing here"), mark("The page does not exist, or it is not for you.")),
    405: (mark("This cannot be done this way"), mark("Go back and use the buttons on the page.")),
    409: (mark("Somebody was quicker"), mark("The case has moved on in the meantime. Look at it again.")),
    410: (mark("This was erased"), mark("The data was destroyed when its time was over.")),
    413: (mark("That was too much at once"), mark("Send it in smaller parts.")),
    422: (mark("We could not understand that"), mark("Check what was entered and try again.")),
    500: (mark("Something went wrong on our side"), mark("It is on record. Try again in a moment.")),
    503: (mark("We do not answer at the moment"), mark("Try again in a moment. If life is in danger, call 120.")),
}
OUTSIDE = (mark("Another service does not answer"), mark("It is not ours. Try again in a moment."))


def install(site: FastAPI, shell: Shell) -> None:
    """Answer every error in the form the asker reads."""

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, HuchengError)
        return answer(shell, request, error)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        missing = error.status_code == 404
        found: HuchengError = NotFound("there is no such page") if missing else BadRequest(str(error.detail))
        return answer(shell, request, found, error.status_code, dict(error.headers or {}))

    async def malformed(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        where = "; ".join(".".join(map(str, one["loc"])) + ": " + one["msg"] for one in error.errors()[:5])
        return answer(shell, request, BadRequest("the request does not fit its description", where=where), 422)

    async def sign_in(request: Request, error: Exception) -> Response:
        assert isinstance(error, SignInNeeded)
        return shell.visit(request).go("/sign-in?" + urlencode({"back": error.target}))

    async def unknown(request: Request, error: Exception) -> Response:
        log.exception("request failed", extra={"route": getattr(request.scope.get("route"), "path", None)})
        return answer(shell, request, HuchengError("something went wrong on our side", mend="try again in a moment"))

    site.add_exception_handler(HuchengError, ours)
    site.add_exception_handler(HTTPException, http)
    site.add_exception_handler(RequestValidationError, malformed)
    site.add_exception_handler(SignInNeeded, sign_in)
    site.add_exception_handler(Exception, unknown)


def wants_page(request: Request) -> bool:
    """Whether a person reads the answer."""
    path = request.url.path
    if path.startswith(("/api/", "/metrics", "/health")):
        return False
    accept = request.headers.get("accept", "")
    return "text/html" in accept or "json" not in accept


def answer(
    shell: Shell,
    request: Request,
    error: HuchengError,
    status: int | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """The error as a page or as a problem object, with its status."""
    status = status or error.status
    headers = dict(headers or {})
    if isinstance(error, Unavailable):
        headers["Retry-After"] = "5"
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if not wants_page(request):
        return problem(error, status, headers)
    visit = shell.visit(request)
    title, next_step = OUTSIDE if isinstance(error, Outside) else TITLES.get(status, TITLES[500])
    if isinstance(error, Unavailable) and not isinstance(error, Outside) and _is_desk(visit):
        page = visit.page("blind.html", status)
    else:
        page = visit.page("error.html", status, title=title, next_step=next_step, error=error, code=status)
    page.headers.update(headers)
    return page


def _is_desk(visit: Visit) -> bool:
    """Whether an officer sits before this screen: what a desk does while it is blind is nothing for anybody else."""
    return visit.principal is not None and visit.principal.kind == "officer"


def problem(error: HuchengError, status: int, headers: Mapping[str, str]) -> Response:
    """An RFC 9457 problem object."""
    body: dict[str, Any] = {**error.as_problem(), "status": status}
    return Response(
        json.dumps(body, ensure_ascii=False, default=str), status, dict(headers), "application/problem+json"
    )
