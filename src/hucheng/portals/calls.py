"""How a call of the API reads what it is asked, answers, and describes itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any

import msgspec
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hucheng.errors import BadRequest, NotSignedIn, Refused
from hucheng.gate import Principal
from hucheng.portals.shell import Door, Shell, Visit
from hucheng.portals.words import Words, choose

BASE = "/api/v1"
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string", "description": "stable name of the kind of error"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what happened"},
        "where": {"type": ["string", "null"]},
        "mend": {"type": ["string", "null"], "description": "how to mend it"},
    },
}


class Asked:
    """One call: who asks, and what the call needs out of it."""

    def __init__(self, shell: Shell, request: Request) -> None:
        self.shell = shell
        self.services = shell.services
        self.request = request
        self.path = request.path_params
        self.query = request.query_params
        self.now = shell.services.clock()

    @property
    def bearer(self) -> str | None:
        """The token in the Authorization header."""
        scheme, _, token = self.request.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token.strip() else None

    @property
    def who(self) -> Principal:
        """Whoever asks. Raises NotSignedIn without a valid token or session; a session alone may only read."""
        if (token := self.bearer) is not None:
            try:
                return self.shell.tokens.read_person(token, self.now, demo_allowed=self.shell.settings.demo)
            except Refused as error:
                self.services.turned_away("person-token", None, error.what)
                raise NotSignedIn(error.what, policy="token", needed="a new token") from error
        session = self.shell.sessions.read(self.request)
        if session is not None and self.request.method == "GET":
            return session.principal
        if session is not None:
            self.services.turned_away("form", session.principal.id, BASE)
        raise NotSignedIn("nobody is signed in", policy="token", needed="Authorization: Bearer <token>")

    @property
    def words(self) -> Words:
        """The language of sentences: as ``lang`` says, else the header Accept-Language, else the city's."""
        header = self.request.headers.get("accept-language")
        return self.shell.catalogues[choose(self.query.get("lang"), None, header, self.shell.settings.language)]

    async def while_let_in(self, events: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
        """A stream that ends with the token or the session with which it was asked for."""
        async with aclosing(events):
            async for event in events:
                if not self._still_in():
                    return
                yield event

    def _still_in(self) -> bool:
        """Whether the token or the session of this call still holds."""
        if (token := self.bearer) is None:
            return self.shell.sessions.read(self.request) is not None
        try:
            self.shell.tokens.read_person(token, self.services.clock(), demo_allowed=self.shell.settings.demo)
        except Refused:
            return False
        return True

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from the query."""
        return Visit.whole(self, name, default, low, high)  # type: ignore[arg-type]

    def instant(self, name: str) -> datetime | None:
        """An instant from the query, ISO 8601 with a zone."""
        raw = self.query.get(name)
        if not raw:
            return None
        try:
            at = datetime.fromisoformat(raw)
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            raise BadRequest(f"{name} must be an instant with its zone", where=f"?{name}={raw[:40]}")
        return at

    async def body(self, kind: type[Any]) -> Any:
        """The JSON body, checked against its description."""
        try:
            return msgspec.json.decode(await self.request.body(), type=kind)
        except msgspec.ValidationError as error:
            raise BadRequest("the body does not fit its description", where=str(error)) from error
        except msgspec.DecodeError as error:
            raise BadRequest("the body is not JSON", where=str(error)) from error


Call = Callable[[Asked], Awaitable[Any]]


class Api:
    """The list of calls; each says what it answers and takes, and so describes itself."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.routes: list[Route] = []
        self.calls: list[dict[str, Any]] = []

    def call(
        self,
        method: str,
        path: str,
        answers: Any,
        *,
        group: str,
        takes: Any = None,
        status: int = 200,
        query: str = "",
        media: str = "application/json",
        token: bool = True,
    ) -> Callable[[Call], Call]:
        """Add a call; its docstring is its description.

        ``query``: names of what the address may carry; ``media``: what kind of text it answers, which it makes itself
        where that is not JSON; ``token``: whether it needs one in the header.
        """

        known = (*query.split(), "lang")

        def add(handler: Call) -> Call:
            async def endpoint(request: Request) -> Response:
                _known(request, known)
                found = await handler(Asked(self.shell, request))
                if isinstance(found, Response):
                    return found
                return Response(msgspec.json.encode(found), status, media_type=media)

            endpoint.door, endpoint.path = Door((), False), BASE + path  # type: ignore[attr-defined]
            self.routes.append(Route(BASE + path, endpoint, methods=[method], name=f"api.{handler.__name__}"))
            self.calls.append(
                {
                    "method": method,
                    "path": BASE + path,
                    "summary": (handler.__doc__ or "").strip().splitlines()[0],
                    "answers": answers,
                    "takes": takes,
                    "status": status,
                    "group": group,
                    "query": query.split(),
                    "name": handler.__name__,
                    "media": media,
                    "token": token and group != "Public",
                }
            )
            return handler

        return add


def _known(request: Request, names: Sequence[str]) -> None:
    """Raise BadRequest for a name in the query that says nothing here: what is asked would not be what is answered."""
    for name in request.query_params:
        if name not in names:
            raise BadRequest(
                f"this call knows no {name[:40]!r}", where=f"?{name[:40]}=", mend="of: " + ", ".join(names)
            )


def openapi(api: Api) -> dict[str, Any]:
    """The description of every call, from the types they carry."""
    kinds = [call[name] for call in api.calls for name in ("answers", "takes") if call[name] is not None]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    found = iter(schemas)
    paths: dict[str, Any] = {}
    for call in api.calls:
        answers, takes = next(found), next(found) if call["takes"] is not None else None
        paths.setdefault(call["path"], {})[call["method"].lower()] = _operation(call, answers, takes)
    base: dict[str, Any] = get_openapi(
        title="Hucheng", version="1", routes=[], summary="Evidence in, explained protection out"
    )
    return {
        **base,
        "paths": paths,
        "security": [{"bearer": []}],
        "components": {
            "schemas": {**components, "Problem": PROBLEM},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(call: Mapping[str, Any], answers: Any, takes: Any) -> dict[str, Any]:
    names = [part[1:-1] for part in call["path"].split("/") if part.startswith("{")]
    parameters = [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names]
    parameters += [{"name": n, "in": "query", "required": False, "schema": {"type": "string"}} for n in call["query"]]
    operation: dict[str, Any] = {
        "operationId": call["name"],
        "summary": call["summary"],
        "tags": [call["group"]],
        "parameters": parameters,
        "responses": {
            str(call["status"]): {"description": "done", "content": {call["media"]: {"schema": answers}}},
            "default": {
                "description": "what happened, where, and how to mend it",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        },
    }
    if takes is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": takes}}}
    if not call["token"]:
        operation["security"] = []
    return operation
