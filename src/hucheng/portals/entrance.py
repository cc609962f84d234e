"""An entrance: a list of pages and deeds, with who may come. Apps hang their own pages in through the same class."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hucheng.errors import Refused
from hucheng.portals.visit import Visit

if TYPE_CHECKING:
    from hucheng.portals.shell import Shell

Handler = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True)
class Door:
    """What a route says about itself: who may come (empty: anybody), that it is a page people see, and an example.

    ``example`` fills in the parts of the address that the shell does not know, so that the page can be tested.
    """

    kinds: tuple[str, ...]
    is_page: bool
    example: Mapping[str, str] = field(default_factory=dict)


class Entrance:
    """Pages (GET) and deeds (POST) for some kinds of people. ``kinds`` empty: for anybody."""

    def __init__(self, shell: Shell, *kinds: str) -> None:
        self.shell = shell
        self.kinds = kinds
        self.routes: list[Route] = []

    def page(
        self, path: str, *, fragment: bool = False, example: Mapping[str, str] | None = None
    ) -> Callable[[Handler], Handler]:
        """A page. ``fragment``: a part of a page or a stream, not a page of its own; ``example``: see `Door`."""

        def add(handler: Handler) -> Handler:
            async def endpoint(request: Request) -> Response:
                visit = self._enter(request, path)
                if self.kinds:
                    await self.shell.learn_places(visit.now)
                return await handler(visit)

            self._route(path, endpoint, handler, "GET", Door(self.kinds, not fragment, example or {}))
            return handler

        return add

    def deed(self, path: str) -> Callable[[Handler], Handler]:
        """Something done by a form of ours; refused where the form is not ours."""

        def add(handler: Handler) -> Handler:
            async def endpoint(request: Request) -> Response:
                visit = self._enter(request, path)
                visit.form = await request.form(max_files=0, max_fields=40)
                if not self.shell.sessions.form_is_ours(request, str(visit.form.get("form_word", ""))):
                    visit.turned_away("form", path)
                    raise Refused(
                        "this form is out of date or did not come from this site",
                        policy="forms",
                        needed="open the page again and send the form from there",
                    )
                return await handler(visit)

            self._route(path, endpoint, handler, "POST", Door(self.kinds, False))
            return handler

        return add

    def _route(self, path: str, endpoint: Any, handler: Handler, method: str, door: Door) -> None:
        self.add(path, endpoint, method, door, f"{handler.__module__}.{handler.__name__}")

    def add(self, path: str, endpoint: Any, method: str, door: Door, name: str) -> None:
        """A route that reads its request itself; ``door`` says what it is."""
        endpoint.door, endpoint.path = door, path
        self.routes.append(Route(path, endpoint, methods=[method], name=name))

    def _enter(self, request: Request, path: str) -> Visit:
        visit = self.shell.visit(request)
        if not self.kinds:
            return visit
        if visit.session is None:
            raise SignInNeeded(str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""))
        if visit.who.kind not in self.kinds:
            visit.turned_away("entrance", path)
            raise Refused(
                "this entrance is not yours",
                policy="entrance",
                needed="sign in as: " + ", ".join(self.kinds),
                kinds=sorted(self.kinds),
            )
        return visit


class SignInNeeded(Exception):
    """The page is for people who are signed in; ``target`` is where they wanted to go."""

    def __init__(self, target: str) -> None:
        self.target = target
        super().__init__(target)
