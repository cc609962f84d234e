"""The declaration of the app: what it is called, and its commands on files."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from hucheng.apps import App


def _commands(beside: Any, options: Any) -> Any:
    """The commands; none of them needs a node. Imported only where the command line asks."""
    return import_module("hucheng.apps.epidemic.commands").epidemic


app = App(
    name="epidemic",
    titles={"zh": "疫情", "en": "Epidemics"},
    folder=Path(__file__).parent,
    commands=_commands,
)
