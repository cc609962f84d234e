"""The frame every page stands in: the templates, the words, the session, what places are called. One per site."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, select_autoescape
from markupsafe import Markup, escape
from starlette.requests import Request

from hucheng.errors import HuchengError, NotFound
from hucheng.portals.entrance import Door, Entrance, Handler, SignInNeeded
from hucheng.portals.lexicon import Lexicon
from hucheng.portals.plain import MENUS
from hucheng.portals.services import AppLike, Services
from hucheng.portals.session import Sessions
from hucheng.portals.tokens import Tokens
from hucheng.portals.visit import HOMES, SIZES, Visit
from hucheng.portals.watch import Watch
from hucheng.portals.words import Catalogues
from hucheng.settings import Settings

__all__ = ["DIST", "HOMES", "SIZES", "Door", "Entrance", "Handler", "Shell", "SignInNeeded", "Visit"]

HERE = Path(__file__).parent
DIST = HERE / "static" / "dist"
PLACES_FOR = timedelta(minutes=10)
"""How long the names of places are kept."""


class Shell:
    """What all entrances share; one per site."""

    def __init__(self, services: Services, settings: Settings, apps: Sequence[AppLike]) -> None:
        self.services = services
        self.settings = settings
        self.apps = tuple(apps)
        self.sessions = Sessions(services.secret, demo_allowed=settings.demo)
        self.tokens = Tokens(services.secret)
        self.watch = Watch(services.desk)
        self.catalogues = Catalogues([app.folder / "locale" for app in apps], settings.timezone)
        self.files = _files()
        self.lexicon = Lexicon(services.catalogue, apps)
        self.menus: dict[str, list[tuple[str, Mapping[str, str] | str]]] = {k: list(v) for k, v in MENUS.items()}
        self.panels = {kind: (app, panel) for app in apps for kind, panel in app.panels.items()}
        self.help = next((app.help for app in apps if app.help), None)
        self.shown_first = [app.shown_first for app in apps if app.shown_first]
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
        env.filters["ticked"] = _ticked
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


def _ticked(text: str) -> Markup:
    """A docstring's summary: what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 (escaped before)


def _json_data(value: Any) -> Markup:
    """JSON for a ``<script type="application/json">``: nothing in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, default=str, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704
