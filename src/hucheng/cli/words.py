"""What a case is about, in words, for a command: from rule packs and contracts, as pages say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hucheng.apps import load_apps
from hucheng.cases.views import CaseRow
from hucheng.node.home.rooms import catalogue_of
from hucheng.node.steward.process import titles
from hucheng.portals.lexicon import Lexicon
from hucheng.portals.words import LANGUAGES, Catalogues
from hucheng.settings import Settings


class CaseWords:
    """Title and text of cases: their own where they are shown, otherwise the rule's and the reasons'."""

    def __init__(self, settings: Settings) -> None:
        apps = load_apps()
        catalogue = catalogue_of(apps)
        self._titles = titles(apps, catalogue)
        self._lexicon = Lexicon(catalogue, apps)
        self._catalogues = Catalogues([app.folder / "locale" for app in apps], settings.timezone)

    def title(self, row: CaseRow) -> dict[str, str]:
        """What a case is called, in every language."""
        return dict(row.title or self._titles.get(row.rule) or dict.fromkeys(LANGUAGES, row.rule))

    def text(self, row: CaseRow) -> dict[str, str]:
        """What was noticed, in every language."""
        return dict(row.text) or {language: self._reasons(language, row.reasons) for language in LANGUAGES}

    def _reasons(self, language: str, reasons: Sequence[Mapping[str, Any]]) -> str:
        words = self._catalogues[language]
        told = []
        for reason in self._lexicon.telling(reasons):
            name, value = str(reason.get("fact", "")), reason.get("value")
            title = self._lexicon.fact_title(name, words)
            shown = self._lexicon.fact_value(name, value, reason.get("unit"), words) if value is not None else ""
            told.append(f"{title} {shown}".strip())
        return words.say(", ").join(told).replace("\N{NO-BREAK SPACE}", " ")
