"""``hucheng journal``: is the record of every use whole?"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
import msgspec

from hucheng.cli import print_json
from hucheng.cli.up import HOME
from hucheng.errors import JournalBroken, Unavailable
from hucheng.settings import Settings

LOOKS = 3
"""A running node writes a checkpoint into table and file one after the other: what is broken stays broken."""


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
    settings = Settings.load(home)
    if not (settings.home / "keys" / "master.key").exists():
        raise Unavailable("there is no journal here", where=str(settings.home), mend="name the node's --home")
    for look in range(LOOKS):
        try:
            found = _verify(settings)
            break
        except JournalBroken as error:
            if look < LOOKS - 1:
                time.sleep(0.2)
                continue
            seq = error.details.get("seq")
            if as_json:
                print_json({"whole": False, "first_bad": seq, "what": error.what, "where": error.where})
            else:
                click.echo(f"broken at entry {seq}: {error}", err=True)
            sys.exit(1)
    if as_json:
        print_json({"whole": True, **found})
    else:
        click.echo(f"whole: {found['count']} entries, root {found['root']}")


def _verify(settings: Settings) -> dict[str, object]:
    from hucheng.gate.verify import verify_home

    found: dict[str, object] = msgspec.to_builtins(verify_home(settings))
    return found
