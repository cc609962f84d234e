"""One request of one person: who, in which language and view; and the words in which pages speak to them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from markupsafe import Markup, escape
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hucheng.errors import BadRequest, HuchengError, Refused
from hucheng.gate import Principal, Read
from hucheng.portals.changed import changed
from hucheng.portals.charts import Figure, figures
from hucheng.portals.plain import (
    ACTIONS,
    DECISION_STATES,
    HOUSE,
    KINDS,
    OWNERS,
    REQUEST_KINDS,
    REQUEST_STATES,
    RESULTS,
    SCOPES,
)
from hucheng.portals.session import VISIT, Session, set_cookie
from hucheng.portals.uses import Folded, folded, looked
from hucheng.portals.words import LANGUAGES, Words, choose

if TYPE_CHECKING:
    from hucheng.portals.shell import Shell

YEAR_S = 365 * 24 * 3600
HOMES = {"resident": "/me", "carer": "/family", "officer": "/desk", "auditor": "/audit"}
"""Where each kind of person begins."""
SIZES = (18, 22, 26, 30)
"""Sizes of main text in the elder view, in CSS pixels."""


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

    def turned_away(self, door: str, what: str) -> None:
        """Put it on record that this person was turned away at a door of the site; ``what`` names nobody."""
        self.services.turned_away(door, self.principal.id if self.principal else None, what)

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

    def titled(self, titles: Any) -> str:
        """Words of data as they stand at the beginning of a line."""
        text = self.words.tell(titles)
        return text[:1].upper() + text[1:]

    def unbroken(self, text: str, name: str) -> Markup:
        """A sentence in which a name stays on one line."""
        said = escape(text)
        return said.replace(escape(name), Markup('<span class="nowrap">{}</span>').format(name)) if name else said

    def place(self, place_id: str | None) -> str:
        """What a place is called."""
        return self.words.tell(self.shell.places.get(place_id or "")) or place_id or ""

    def kind(self, kind: str) -> str:
        """A kind of people in words."""
        return self.words.say(KINDS.get(kind, kind))

    def owner(self, owner: str) -> str:
        """Who answers for a purpose."""
        return self.words.say(OWNERS[owner]) if owner in OWNERS else self.place(owner)

    def app(self, name: str) -> str:
        """What an app is called."""
        if name in HOUSE:
            return self.words.say(HOUSE[name])
        return self.words.tell(next((app.titles for app in self.shell.apps if app.name == name), name))

    def asked(self, head: Any) -> str:
        """What a use of the journal was, in a word or two."""
        return self.words.say(ACTIONS.get(head.action, head.action))

    def scope(self, scope: str) -> str:
        """What a mandate allows, in words."""
        return self.words.say(SCOPES.get(scope, scope))

    def decision_state(self, decision: Any) -> str:
        """Whether a decision still holds, in words."""
        return self.words.say(DECISION_STATES.get(decision.state, decision.state))

    def fact(self, reason: Any) -> Markup:
        """A reason: a fact and its value."""
        return self.shell.lexicon.fact(reason, self.words)

    def telling(self, reasons: Any) -> list[Any]:
        """Reasons, the most telling first."""
        return self.shell.lexicon.telling(reasons)

    def fact_title(self, name: str) -> str:
        """What a fact is called."""
        return self.shell.lexicon.fact_title(name, self.words)

    def fact_value(self, name: str, value: Any, unit: str | None = None) -> str:
        """A fact's value as people read it."""
        return self.shell.lexicon.fact_value(name, value, unit, self.words)

    def looked(self, entry: Any) -> str:
        """A line of the journal in a sentence."""
        own = self.principal is not None and self.principal.kind == "resident"
        return looked(entry, self.principal.id if self.principal else None, self.shell.lexicon, self.words, own=own)

    def folded(self, events: Any) -> list[Folded]:
        """A case's history with what came again told once."""
        return folded(events)

    def data_titles(self, entry: Any) -> str:
        """The datasets of a line of the journal."""
        return self.shell.lexicon.data_titles(entry.datasets, self.words)

    def changed(self, entry: Any) -> list[str]:
        """What a change of a register said, row by row."""
        return changed(entry, self.shell.lexicon, self.words)

    def outcomes(self, decision: Any) -> list[tuple[str, str]]:
        """What the rule gave, as its pack calls it."""
        return self.shell.lexicon.outcomes(decision.pack, decision.outcome, self.words)

    def source(self, source: str | None) -> str:
        """Where a fact comes from: the dataset and its metric as people call them."""
        return self.shell.lexicon.source(source, self.words)

    def wording(self, version: str) -> str:
        """Which wording of a rule it was: since when that holds."""
        try:
            day = date.fromisoformat(version[:10])
        except ValueError:
            return version
        return self.words.say("wording of %(day)s", day=self.words.day(day))

    def rule_pack(self, rule: str) -> str | None:
        """The published pack by which a rule was found."""
        return self.shell.lexicon.rules.get(rule)

    def headline(self, text: Any) -> str:
        """What was found, without the reasons that follow it: they stand beside it."""
        return self.shell.lexicon.headline(self.words.tell(text))

    def pack_title(self, name: str) -> str:
        """What a rule pack is called."""
        return self.words.tell(self.shell.lexicon.packs.get(name, {}).get("title")) or name

    def basis(self, pack: Mapping[str, Any]) -> str:
        """What a rule pack rests on."""
        return self.words.law(self.words.tell(pack.get("basis")))

    def figures(self, rows: Any, contract: Any, limits: Any = None) -> list[Figure]:
        """Charts of readings."""
        return figures(rows, contract, self.words, limits, self.shell.lexicon.steps)

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

    def needed(self, error: HuchengError) -> Markup:
        """What a refusal says would open it, in this language where it says so; our own words before the policy's."""
        needed = str(error.details.get("needed", ""))
        if self.language != "en" and needed and self.words.say(needed) != needed:
            return escape(self.words.say(needed))
        found = error.details.get("needed_zh") if self.language == "zh" else None
        kinds = error.details.get("kinds")
        if kinds:
            named = self.words.say(", ").join(self.kind(kind) for kind in kinds)
            found = self.words.say("to sign in as: %(kinds)s", kinds=named)
        return escape(found) if found else self.said(error.details.get("needed", ""))

    def said(self, text: str | None) -> Markup:
        """What an error says, in this language; nothing where it is not known in it: the page's own words stand."""
        found = self.words.say(text) if text else ""
        return Markup("") if found == text and self.language != "en" else escape(found)

    def in_words(self, text: str) -> bool:
        """Whether what an error says was written for people: then it is in the catalogue."""
        chinese = self.shell.catalogues["zh"]
        return chinese.say(text) != text

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
