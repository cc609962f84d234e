"""What commands of the front door and of apps share: a group that imports each only when it is called, and dates.

Imports nothing of ours but `errors`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

import click

from hucheng.errors import HuchengError


class Commands(click.Group):
    """Click group over ``table``: name → (module, name in it, one line of help), in the order they are listed."""

    table: ClassVar[Mapping[str, tuple[str, str, str]]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return None
        module, name, _ = self.table[cmd_name]
        found = getattr(importlib.import_module(module), name)
        if not isinstance(found, click.Command):
            raise HuchengError(f"{module}:{name} is no command", mend="name a Click command in the table")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if not self.table:
            return
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, _, words) in self.table.items()])


class Day(click.ParamType[date]):
    """A date, written as 2026-01-31."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"“{value}” is not a date; write it as 2026-01-31", param, ctx)
