"""The frame every page stands in: one visit, its language, view and rights to a page, and the templates.

An entrance (resident, family, desk, auditor, public) is an `Entrance`: a list of pages and deeds with who may come.
Apps hang their own pages in through the same class.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import ChainableUndefined, ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, select_autoescape
from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from hucheng.errors import BadRequest, HuchengError, NotFound, Refused
from hucheng.gate import Principal, Read
from hucheng.portals.charts import Figure, figures
from hucheng.portals.plain import (
    DECISION_STATES,
    KINDS,
    MENUS,
    REQUEST_KINDS,
    REQUEST_STATES,
    RESULTS,
    SCOPES,
    Lexicon,
    looked,
)
from hucheng.portals.services import AppLike, Services
from hucheng.portals.session import VISIT, Session, Sessions, set_cookie
from hucheng.portals.tokens import Tokens
from hucheng.portals.words import LANGUAGES, Catalogues, Words, choose
from hucheng.settings import Settings

HERE = Path(__file__).parent
DIST = HERE / "static" / "dist"
PLACES_FOR = timedelta(minutes=10)
YEAR_S = 365 * 24 * 3600
HOMES = {"resident": "/me", "carer": "/family", "officer": "/desk", "auditor": "/audit"}
"""Where each kind of person begins."""
SIZES = (18, 22, 26, 30)
"""Sizes of main text in the elder view, in CSS pixels."""

Handler = Callable[["Visit"], Awaitable[Response]]


class Shell:
    """What all entrances share; one per site."""

    def __init__(self, services: Services, settings: Settings, apps: Sequence[AppLike]) -> None:
        self.services = services
        self.settings = settings
        self.apps = tuple(apps)
        self.sessions = Sessions(services.secret, demo_allowed=settings.demo)
        self.tokens = Tokens(services.secret)
        self.catalogues = Catalogues([app.folder / "locale" for app in apps], settings.timezone)
        self.files = _files()
        self.lexicon = Lexicon(services.catalogue, apps)
        self.menus: dict[str, list[tuple[str, Mapping[str, str] | str]]] = {k: list(v) for k, v in MENUS.items()}
        self.panels = {kind: (app, panel) for app in apps for kind, panel in app.panels.items()}
        self.places: Mapping[str, Mapping[str, str]] = {}
        self._places_until = datetime.min.replace(tzinfo=UTC)
        self._templates = self._environment()

    async def learn_places(self, now: datetime) -> None:
        """Ask what places are called, now and then; without an answer they keep their ids."""
        if now >= self._places_until:
            self._places_until = now + PLACES_FOR
            try:
                self.places = await self.services.people.places()
            except HuchengError:
                self._places_until = now + timedelta(seconds=5)

    def menu(self, kind: str, address: str, titles: Mapping[str, str]) -> None:
        """Hang an app's entry into the menu of a kind of people."""
        self.menus.setdefault(kind, []).append((address, titles))

    def _environment(self) -> Environment:
        folders = {app.name: FileSystemLoader(app.folder / "templates") for app in self.apps}
        env = Environment(
            loader=ChoiceLoader([FileSystemLoader(HERE / "templates"), PrefixLoader(folders)]),
            autoescape=select_autoescape(default=True),
            undefined=ChainableUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        env.globals["file"] = lambda name: f"/static/dist/{self.files[name]}"
        env.globals["city"] = self.services.city
        env.globals["apps"] = self.apps
        env.filters["json_data"] = _json_data
        return env

    def render(self, template: str, visit: Visit, values: Mapping[str, Any]) -> str:
        """The template filled in for this visit."""
        return self._templates.get_template(template).render(
            {
                "visit": visit,
                "words": visit.words,
                "_": visit.words.say,
                "_n": visit.words.say_many,
                "tell": visit.words.tell,
                **values,
            }
        )

    def visit(self, request: Request) -> Visit:
        """The visit behind a request; the same object for the same request."""
        kept = getattr(request.state, "visit", None)
        if kept is None:
            kept = request.state.visit = Visit(self, request)
        return kept


class Visit:
    """One request of one person: who, in which language and view, with which form."""

    form: FormData = FormData()

    def __init__(self, shell: Shell, request: Request) -> None:
        self.shell = shell
        self.request = request
        self.services = shell.services
        self.now: datetime = shell.services.clock()
        self.session: Session | None = shell.sessions.read(request)
        self.word = shell.sessions.visit(request)
        query, cookies = request.query_params, request.cookies
        self.language = choose(
            query.get("lang"), cookies.get("lang"), request.headers.get("accept-language"), shell.settings.language
        )
        self.words: Words = shell.catalogues[self.language]
        view = query.get("view") or cookies.get("view") or "standard"
        size = query.get("size") or cookies.get("size") or ""
        self.elder = view == "elder"
        self.size = int(size) if size.isdigit() and int(size) in SIZES else 22

    @property
    def principal(self) -> Principal | None:
        """Who is signed in."""
        return self.session.principal if self.session else None

    @property
    def who(self) -> Principal:
        """Who is signed in, where the page let nobody else in."""
        if self.session is None:
            raise Refused("nobody is signed in", policy="sign-in", needed="a sign-in")
        return self.session.principal

    @property
    def path(self) -> Mapping[str, str]:
        """The parts of the address."""
        return self.request.path_params

    @property
    def home(self) -> str:
        """Where this person begins."""
        return HOMES.get(self.principal.kind, "/") if self.principal else "/"

    @property
    def menu(self) -> list[tuple[str, str]]:
        """The menu of this person's entrance: address and title."""
        entries = self.shell.menus.get(self.principal.kind, []) if self.principal else []
        say, tell = self.words.say, self.words.tell
        return [(address, say(title) if isinstance(title, str) else tell(title)) for address, title in entries]

    def place(self, place_id: str | None) -> str:
        """What a place is called."""
        return self.words.tell(self.shell.places.get(place_id or "")) or place_id or ""

    def kind(self, kind: str) -> str:
        """A kind of people in words."""
        return self.words.say(KINDS.get(kind, kind))

    def scope(self, scope: str) -> str:
        """What a mandate allows, in words."""
        return self.words.say(SCOPES.get(scope, scope))

    def decision_state(self, decision: Any) -> str:
        """Whether a decision still holds, in words."""
        return self.words.say(DECISION_STATES.get(decision.state, decision.state))

    def fact(self, reason: Any) -> Markup:
        """A reason: a fact and its value."""
        return self.shell.lexicon.fact(reason, self.words)

    def fact_title(self, name: str) -> str:
        """What a fact is called."""
        return self.shell.lexicon.fact_title(name, self.words)

    def fact_value(self, name: str, value: Any, unit: str | None = None) -> str:
        """A fact's value as people read it."""
        return self.shell.lexicon.fact_value(name, value, unit, self.words)

    def looked(self, entry: Any) -> str:
        """A line of the journal in a sentence."""
        return looked(entry, self.principal.id if self.principal else None, self.shell.lexicon, self.words)

    def data_titles(self, entry: Any) -> str:
        """The datasets of a line of the journal."""
        return self.shell.lexicon.data_titles(entry.datasets, self.words)

    def pack_title(self, name: str) -> str:
        """What a rule pack is called."""
        return self.words.tell(self.shell.lexicon.packs.get(name, {}).get("title")) or name

    def basis(self, pack: Mapping[str, Any]) -> str:
        """What a rule pack rests on."""
        return self.words.tell(pack.get("basis"))

    def figures(self, rows: Any, contract: Any, limits: Any = None) -> list[Figure]:
        """Charts of readings."""
        return figures(rows, contract, self.words, limits)

    def moment(self, at: Any) -> Markup:
        """A time of the journal: a datetime, microseconds since 1970, or ISO text."""
        if isinstance(at, int):
            at = datetime.fromtimestamp(at / 1e6, UTC)
        elif isinstance(at, str):
            at = datetime.fromisoformat(at)
        return self.words.when(at, self.now)

    def hex(self, value: Any) -> str:
        """A hash as people compare it."""
        return value.hex() if isinstance(value, bytes) else str(value)

    def result(self, result: str) -> str:
        """What became of a use, in words."""
        return self.words.say(RESULTS.get(result, result))

    def request_kind(self, kind: str) -> str:
        """What an app asks for, in words."""
        return self.words.say(REQUEST_KINDS.get(kind, kind))

    def request_state(self, state: str) -> str:
        """What became of a request, in words."""
        return self.words.say(REQUEST_STATES.get(state, state))

    def needed(self, text: Any) -> str:
        """What a refusal says would open it: ``中文|English`` in this language."""
        parts = str(text).split("|")
        return parts[0 if self.language == "zh" else -1]

    @cached_property
    def csrf(self) -> Markup:
        """The hidden field every form carries."""
        word = self.shell.sessions.form_word(self.word)
        return Markup('<input type="hidden" name="form_word" value="{}">').format(word)

    def here(self, **changes: str | None) -> str:
        """This address with some of its query changed; None takes one away."""
        query = {key: value for key, value in self.request.query_params.items() if key not in ("lang", "view", "size")}
        query |= {key: value for key, value in changes.items() if value is not None}
        query = {key: value for key, value in query.items() if changes.get(key, "") is not None}
        path = self.request.url.path
        return f"{path}?{urlencode(query)}" if query else path

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number out of the address, within bounds. Raises BadRequest."""
        raw = self.request.query_params.get(name)
        if raw is None or raw == "":
            return default
        if not raw.isascii() or not raw.isdigit() or not low <= int(raw) <= high:
            raise BadRequest(f"{name} must be a whole number from {low} to {high}", where=f"?{name}={raw[:20]}")
        return int(raw)

    async def look(
        self, purpose: str, *reads: Read, case: str | None = None, person: str | None = None
    ) -> list[list[dict[str, Any]]]:
        """Ask the gate, as whoever is signed in."""
        return await self.services.gate.look(self.who, purpose, list(reads), case=case, person=person)

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """The page, with the cookies that this visit changes."""
        response = HTMLResponse(self.shell.render(template, self, values), status)
        self.keep(response)
        return response

    def go(self, target: str) -> Response:
        """Send the browser on, with GET."""
        response = RedirectResponse(target, 303)
        self.keep(response)
        return response

    def keep(self, response: Response) -> None:
        """Set what this visit must remember: its word, and a language, view or size that was asked for."""
        request = self.request
        if VISIT not in request.cookies:
            set_cookie(request, response, VISIT, self.word, YEAR_S // 12)
        asked = request.query_params
        if asked.get("lang") in LANGUAGES:
            set_cookie(request, response, "lang", self.language, YEAR_S)
        if asked.get("view") in ("elder", "standard"):
            set_cookie(request, response, "view", asked["view"], YEAR_S)
        if asked.get("size"):
            set_cookie(request, response, "size", str(self.size), YEAR_S)


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
                visit = self._enter(request)
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
                visit = self._enter(request)
                visit.form = await request.form(max_files=0, max_fields=40)
                if not self.shell.sessions.form_is_ours(request, str(visit.form.get("form_word", ""))):
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

    def _enter(self, request: Request) -> Visit:
        visit = self.shell.visit(request)
        if not self.kinds:
            return visit
        if visit.session is None:
            raise SignInNeeded(str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""))
        if visit.who.kind not in self.kinds:
            raise Refused(
                "this entrance is not yours",
                policy="entrance",
                needed="sign in as: " + ", ".join(self.kinds),
            )
        return visit


class SignInNeeded(Exception):
    """The page is for people who are signed in; ``target`` is where they wanted to go."""

    def __init__(self, target: str) -> None:
        self.target = target
        super().__init__(target)


def _files() -> Mapping[str, str]:
    try:
        manifest = json.loads((DIST / "manifest.json").read_text(encoding="utf-8"))
        return dict(manifest["files"])
    except (OSError, ValueError, KeyError) as error:
        raise NotFound(
            "the portals' scripts and styles were not built",
            where=str(DIST),
            mend="install the package again with pip (its build makes them)",
        ) from error


def _json_data(value: Any) -> Markup:
    """JSON for a ``<script type="application/json">``: nothing in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, default=str, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704
