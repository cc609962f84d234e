"""``hucheng epidemic``: one file a command. They read files, call the app's science, and write files."""

from __future__ import annotations

from pathlib import Path

import click

from hucheng.commands import Commands

HERE = "hucheng.apps.epidemic.commands"

TABLE: dict[str, tuple[str, str, str]] = {
    "index": (f"{HERE}.index", "index", "an index of visits: built, or days added"),
    "contacts": (f"{HERE}.contacts", "contacts", "who met the cases, from visits or proximity"),
    "forecast": (f"{HERE}.forecast", "forecast", "counts in, a hubverse submission out"),
    "score": (f"{HERE}.score", "score", "how good forecasts were, alone and beside others"),
    "nowcast": (f"{HERE}.nowcast", "nowcast", "what recent counts will come to when all is reported"),
    "rt": (f"{HERE}.rt", "rt", "R_t and growth, with uncertainty"),
    "clean": (f"{HERE}.clean", "clean", "a line list as it comes, made fit for work"),
}

PATH = click.Path(path_type=Path)


class Bench(Commands):
    """The epidemiologist's bench."""

    table = TABLE


@click.group(cls=Bench)
def epidemic() -> None:
    """Contacts, forecasts, scores, nowcasts and R_t on your own files. Needs no node."""
