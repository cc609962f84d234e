"""Every text has its Chinese, no text is left over, and figures are written as the city writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import hucheng
from hucheng.portals.words import Catalogues

from .conftest import made

SOURCE = Path(hucheng.__file__).parent
METHODS = [("**/templates/**.html", "jinja2"), ("**.py", "python")]
KEYWORDS = {"_": None, "say": None, "mark": None, "say_many": (1, 2), "_n": (1, 2)}
APPS = {path.parent.name: path.parent for path in sorted((SOURCE / "apps").glob("*/locale"))}
ROOMS = {"portals": SOURCE / "portals", **APPS}
FIELD = re.compile(r"%\((\w+)\)s")


def used(room: Path) -> set[str | tuple[str, str]]:
    """Every English text that the code and the templates of a room hold."""
    found: set[str | tuple[str, str]] = set()
    options = {"**/templates/**.html": {"trimmed": "true", "silent": "false"}}
    for _, _, message, _, _ in extract_from_dir(room, METHODS, options, keywords=KEYWORDS, comment_tags=()):
        if message and isinstance(message, tuple):
            found.add((message[0], message[1]))
        elif message:
            found.add(message)
    return found | (calls() if room == ROOMS["portals"] else set())


def calls() -> set[str]:
    """What the calls for programs do, as their docstrings say: the page for programs shows it."""
    paths = made().client().get("/api/v1/openapi.json").json()["paths"]
    return {call["summary"] for methods in paths.values() for call in methods.values()}


def catalogue(room: Path) -> Catalog:
    path = room / "locale" / "zh" / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        return read_po(file, locale="zh")


@pytest.mark.parametrize("room", ROOMS)
def test_every_text_is_translated(room: str) -> None:
    """A text without Chinese would show up in English on a Chinese page."""
    own = {message.id: message.string for message in catalogue(ROOMS[room]) if message.id}
    shared = {message.id: message.string for message in catalogue(ROOMS["portals"]) if message.id}
    missing = [text for text in used(ROOMS[room]) if not _said({**shared, **own}.get(text))]
    assert not missing, f"{len(missing)} texts lack Chinese: {sorted(map(str, missing))}"


@pytest.mark.parametrize("room", ROOMS)
def test_no_translation_is_left_over(room: str) -> None:
    """What no page says any more is taken out."""
    said = used(ROOMS[room]) | {text for app in APPS.values() if room == "portals" for text in used(app)}
    left = [message.id for message in catalogue(ROOMS[room]) if message.id and message.id not in said]
    assert not left, f"no page says: {left}"


@pytest.mark.parametrize("room", ROOMS)
def test_fields_of_a_text_survive_translation(room: str) -> None:
    """A name or number put into the English is put into the Chinese too."""
    for message in catalogue(ROOMS[room]):
        if message.id and not isinstance(message.id, tuple):
            assert set(FIELD.findall(message.id)) == set(FIELD.findall(message.string)), message.id


def test_figures_and_times_are_the_citys() -> None:
    words = Catalogues([], "Asia/Shanghai")
    at = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
    assert words["zh"].exact(at) == "2026年3月1日 10:30:00"
    assert words["en"].exact(at) == "1 Mar 2026 10:30:00"
    assert words["zh"].number(1204331, "/min") == "1,204,331\N{NO-BREAK SPACE}次/分"
    assert words["en"].number(38.05, "Cel") == "38.05\N{NO-BREAK SPACE}°C"
    assert "10:30" in words["zh"].when(at, at) and "2026-03-01T02:30:00+00:00" in words["zh"].when(at, at)


def _said(text: object) -> bool:
    return bool(text) and (not isinstance(text, tuple) or bool(text[0]))
