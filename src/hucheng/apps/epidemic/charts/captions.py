"""Captions of charts in Chinese or English."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hucheng.portals.words import LANGUAGES, Catalogues

LOCALE = Path(__file__).parent.parent / "locale"
IN = LANGUAGES


def say_in(language: str) -> Callable[..., str]:
    """What turns an English caption into that language; “zh” needs a machine with a Chinese font."""
    found: Callable[..., str] = Catalogues([LOCALE], "UTC")[language].say
    return found
