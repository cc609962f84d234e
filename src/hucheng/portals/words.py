"""The two languages: English stands in the code, Chinese comes from catalogues; dates, numbers and units by Babel.

Catalogues are ``.po`` files read at start: ours, and ``locale/<language>/LC_MESSAGES/messages.po`` in an app's folder.
Data (titles of purposes, texts of rules) carries both languages itself: ``{"zh": …, "en": …}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta, get_timezone_name
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import Translations
from markupsafe import Markup

from hucheng.rules.texts import law

LANGUAGES = ("zh", "en")
LOCALES = {"zh": Locale("zh", "CN", script="Hans"), "en": Locale("en", "GB")}
TAGS = {"zh": "zh-CN", "en": "en"}
OURS = Path(__file__).parent / "locale"

UNITS: dict[str, dict[str, str]] = {
    "mm[Hg]": {"zh": "mmHg", "en": "mmHg"},
    "/min": {"zh": "次/分", "en": "/min"},
    "Cel": {"zh": "°C", "en": "°C"},
    "%": {"zh": "%", "en": "%"},
    "s": {"zh": "秒", "en": "s"},
    "min": {"zh": "分钟", "en": "min"},
    "h": {"zh": "小时", "en": "h"},
    "m/s2": {"zh": "m/s²", "en": "m/s²"},
    "[g]": {"zh": "g", "en": "g"},
    "1": {"zh": "", "en": ""},
    "{count}": {"zh": "次", "en": "times"},
}
"""UCUM units as people read them; any other is shown as it is."""


def mark(text: str) -> str:
    """Mark an English text for translation where no language is known yet."""
    return text


class Words:
    """One language for one visitor: `say` for what we wrote, `tell` for data in both languages, and formats."""

    def __init__(self, language: str, catalogue: Translations, timezone: str) -> None:
        self.language = language
        self.tag = TAGS[language]
        self.locale = LOCALES[language]
        self.zone = ZoneInfo(timezone)
        self._catalogue = catalogue

    def say(self, text: str, **values: Any) -> str:
        """The text in this language, with ``%(name)s`` filled in."""
        found = self._catalogue.ugettext(text)
        return found % values if values else found

    def say_many(self, one: str, many: str, n: int, **values: Any) -> str:
        """The text for n things."""
        return self._catalogue.ungettext(one, many, n) % {"num": n, **values}

    def tell(self, titles: Mapping[str, str] | str | None) -> str:
        """The text of data that carries its languages; falls back to whatever it carries."""
        if titles is None:
            return ""
        if isinstance(titles, str):
            return titles
        return titles.get(self.language) or next(iter(titles.values()), "")

    def law(self, text: str | None) -> str:
        """A text written as ``中文 (English)`` or ``中文。English.``: its half in this language; else the whole."""
        return law(text or "", self.language)

    def local(self, at: datetime) -> datetime:
        """The instant in the city's time zone."""
        return at.astimezone(self.zone)

    def when(self, at: datetime | None, now: datetime | None = None) -> Markup:
        """A ``<time>``: the clock time, with the day where it is not today."""
        if at is None:
            return Markup("—")
        here = self.local(at)
        same_day = now is not None and self.local(now).date() == here.date()
        if same_day:
            text = format_datetime(here, "HH:mm", locale=self.locale)
        elif now is not None and self.local(now).year == here.year:
            text = format_datetime(
                here, "M月d日 HH:mm" if self.language == "zh" else "d\u00a0MMM HH:mm", locale=self.locale
            )
        else:
            pattern = "y年M月d日 HH:mm" if self.language == "zh" else "d\u00a0MMM\u00a0y HH:mm"
            text = format_datetime(here, pattern, locale=self.locale)
        return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), text)

    def clock(self, at: datetime) -> str:
        """The time of day in the city."""
        return str(format_datetime(self.local(at), "HH:mm", locale=self.locale))

    def zone_title(self, at: datetime) -> str:
        """What the city's time is called, and how far it is from UTC."""
        name = get_timezone_name(self.zone, locale=self.locale, zone_variant="standard")
        offset = self.local(at).strftime("%z")
        offset = f"{offset[:3]}:{offset[3:]}"
        return self.say("%(zone)s (UTC%(offset)s)", zone=name, offset=offset)

    def exact(self, at: datetime) -> str:
        """Date and time to the second."""
        pattern = "y年M月d日 HH:mm:ss" if self.language == "zh" else "d MMM y HH:mm:ss"
        return str(format_datetime(self.local(at), pattern, locale=self.locale))

    def day(self, on: date) -> str:
        """A date in words."""
        return str(format_date(on, "long", locale=self.locale))

    def ago(self, at: datetime, now: datetime) -> str:
        """How long ago, roughly."""
        return str(format_timedelta(at - now, add_direction=True, locale=self.locale))

    def span(self, length: timedelta | float) -> str:
        """A duration, roughly; a number is seconds."""
        whole = length if isinstance(length, timedelta) else timedelta(seconds=length)
        return str(format_timedelta(whole, locale=self.locale))

    def number(self, value: Any, unit: str | None = None) -> str:
        """A figure with its unit."""
        if isinstance(value, bool):
            return self.say("yes") if value else self.say("no")
        if isinstance(value, datetime):
            return self.exact(value)
        if not isinstance(value, (int, float)):
            return str(value)
        text = str(format_decimal(value, "#,##0.##", locale=self.locale))
        shown = self.unit(unit)
        return f"{text}\N{NO-BREAK SPACE}{shown}" if shown else text

    def unit(self, unit: str | None) -> str:
        """A unit as people read it."""
        if not unit:
            return ""
        return UNITS.get(unit, {}).get(self.language, unit)


class Catalogues:
    """The catalogues of the site and of its apps, read once."""

    def __init__(self, folders: Sequence[Path], timezone: str) -> None:
        self._words = {language: Words(language, _merged(language, tuple(folders)), timezone) for language in LANGUAGES}

    def __getitem__(self, language: str) -> Words:
        return self._words[language]


@cache
def _merged(language: str, folders: tuple[Path, ...]) -> Translations:
    """Ours over the apps': a word that both know is said as the site says it."""
    merged = Translations()
    if language == "zh":
        merged.plural = lambda n: 0  # one form for any number
    for folder in (*folders, OURS):
        path = folder / language / "LC_MESSAGES" / "messages.po"
        if not path.exists():
            continue
        compiled = BytesIO()
        with path.open("rb") as file:
            write_mo(compiled, read_po(file, locale=language))
        compiled.seek(0)
        merged.merge(Translations(compiled))
    return merged


def choose(asked: str | None, kept: str | None, header: str | None, default: str) -> str:
    """The language: as asked in the address, as kept in the cookie, as the browser says, as the city says.

    >>> choose(None, None, "en-US,en;q=0.9", "zh")
    'en'
    >>> choose("zh", "en", None, "en")
    'zh'
    """
    for wish in (asked, kept):
        if wish in LANGUAGES:
            return str(wish)
    for part in (header or "").split(","):
        tag = part.split(";")[0].strip().lower().split("-")[0]
        if tag in LANGUAGES:
            return tag
    return default
