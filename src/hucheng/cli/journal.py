"""``hucheng journal``: is the record of every use whole?"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from hucheng.cli import print_json
from hucheng.cli.up import HOME
from hucheng.errors import JournalBroken


@click.group()
def journal() -> None:
    """The record of every use of personal data."""


@journal.command()
@HOME
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def verify(home: Path | None, as_json: bool) -> None:
    """Check every entry and every checkpoint. Exit 0 with count and root, or 1 with the first bad entry.

    Reads the journal itself, so it works beside a running node and without one.
    """
    from hucheng.gate.verify import verify_home
    from hucheng.settings import Settings

    try:
        found = verify_home(Settings.load(home))
    except JournalBroken as error:
        if as_json:
            print_json(
                {"whole": False, "first_bad": error.details.get("seq"), "what": error.what, "where": error.where}
            )
        else:
            click.echo(f"broken at entry {error.details.get('seq')}: {error}", err=True)
        sys.exit(1)
    if as_json:
        print_json({"whole": True, **msgspec.to_builtins(found)})
    else:
        click.echo(f"whole: {found.count} entries, root {found.root}")
