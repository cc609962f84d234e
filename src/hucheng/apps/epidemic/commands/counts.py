"""Options that every command on counts shares: which columns hold what, and how the values are meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from hucheng.apps.epidemic.series import Columns

Command = TypeVar("Command", bound=Callable[..., Any])


def column_options(command: Command) -> Command:
    """Add the options; they come to the command as the keywords that `named` takes."""
    for option in (
        click.option("--as-of-column", help="Column of the version's date [found by name]."),
        click.option("--value-column", help="Column of the count [found by name]."),
        click.option("--place-column", help="Column of the place [found by name]."),
        click.option("--date-column", help="Column of the date [found by name]."),
        click.option(
            "--cumulative/--new", default=None, help="Counts are running totals, or new ones [by looking at them]."
        ),
    ):
        command = option(command)
    return command


def named(options: Mapping[str, Any], target: str | None) -> Columns:
    """The options as `Columns`."""
    return Columns(
        options["date_column"], options["place_column"], options["value_column"], options["as_of_column"], target,
        options["cumulative"],
    )  # fmt: skip
