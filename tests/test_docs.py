"""What the pages say is there: every relative link leads to a file, every command named is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from hucheng.cli import front

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)\)")
COMMAND = re.compile(r"(?:^|`)(?:\$ )?hucheng((?: (?:[a-z][a-z-]*|\|))+)", re.MULTILINE)
"""A command at the beginning of a line of a block or of a piece of code in the text, with its subcommands."""


def links(text: str) -> list[str]:
    """Targets of the links outside blocks of code."""
    return LINK.findall(FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """The names under which a page's headings can be reached, as GitHub makes them."""
    titles = re.findall(r"^#+ +(.+?)\s*$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(text: str) -> Iterator[list[str]]:
    """The words behind ``hucheng``; ``a b | c`` names two: ``a b`` and ``a c``."""
    for found in COMMAND.findall(text):
        first, *others = found.split(" | ")
        words = first.split()
        yield words
        for other in others:
            yield [*words[:-1], *other.split()]


def problem(words: list[str]) -> str | None:
    """What is wrong with a command; None where it is one, or a group named alone."""
    here: click.Command = front
    for word in words:
        if not isinstance(here, click.Group):
            return None  # an argument
        found = here.get_command(click.Context(here), word)
        if found is None:
            return f"hucheng {' '.join(words)}: there is no {word!r}"
        here = found
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    lost = []
    for link in links(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists():
            lost.append(link)
        elif anchor and anchor not in anchors(target.read_text(encoding="utf-8")):
            lost.append(f"{link} (no such heading)")
    assert not lost


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_named_is_one(page: Path) -> None:
    wrong = [told for words in commands(page.read_text(encoding="utf-8")) if (told := problem(words))]
    assert not wrong


def test_files_named_in_the_text_are_there() -> None:
    """``docs/x.md``, ``tests/x/`` and the like in code marks, from the root or from ``src/hucheng``."""
    named = re.compile(r"`((?:docs|src|tests|apps|base|gate|cases|node|portals|decisions|rules)/[\w./-]*)`")
    lost = {
        f"{page.name}: {path}"
        for page in PAGES
        for path in named.findall(page.read_text(encoding="utf-8"))
        if not any(
            (base / path).exists() or list(base.glob(f"{path}*")) for base in (ROOT, ROOT / "src/hucheng", page.parent)
        )
    }
    assert not lost


def test_the_test_itself_can_fail() -> None:
    assert problem(["journal", "vanish"]) and problem(["fly"]) and not problem(["replay", "readings"])
    text = "`hucheng quarantine counts | fly REASON`\n\n```\n$ hucheng journal verify\nhucheng up [--home DIR]\n```\n"
    assert list(commands(text)) == [["quarantine", "counts"], ["quarantine", "fly"], ["journal", "verify"], ["up"]]
    assert links("[a](b.md#c) ```\n[d](e.md)") == ["b.md#c", "e.md"] and anchors("## Who could do what?") == {
        "who-could-do-what"
    }
