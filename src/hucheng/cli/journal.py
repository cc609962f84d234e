"""``hucheng journal``: is the record of every use whole?"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click
import msgspec

from hucheng.base.keys import ENVIRONMENT
from hucheng.cli import print_json
from hucheng.cli.up import HOME
from hucheng.errors import BadRequest, JournalBroken, Unavailable
from hucheng.settings import Settings

LOOKS = 3
"""A running node writes a checkpoint into table and file one after the other: what is broken stays broken."""


@click.group()
def journal() -> None:
    """The record of every use of personal data."""


@journal.command()
@HOME
@click.option(
    "--checkpoints",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Lines of journal-checkpoints.jsonl kept by somebody else: each must still stand in the journal.",
)
@click.option(
    "--public-key", "key", help="The node's public key (hex, from `hucheng journal key`): no master key needed."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def verify(home: Path | None, checkpoints: Path | None, key: str | None, as_json: bool) -> None:
    """Check every entry and every checkpoint. Exit 0 with count and root, or 1 with the first bad entry.

    A journal that is gone or cannot be read is broken. A database that does not answer is exit 4: it says nothing.
    Reads the journal itself, so it works beside a running node and without one.
    """
    settings = _home(home, key is not None)
    public = _public(key) if key is not None else None
    for look in range(LOOKS):
        try:
            found = _verify(settings, public, checkpoints)
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


@journal.command()
@HOME
def key(home: Path | None) -> None:
    """Print the node's public key, for whoever checks the journal without the master key."""
    from hucheng.gate.verify import public_key

    click.echo(public_key(_home(home, False)).hex())


def _home(home: Path | None, keyless: bool) -> Settings:
    """The settings of a home that has or had a journal, and a key to check it by. Raises Unavailable, SettingsError."""
    from hucheng.gate.tables import FILE
    from hucheng.node.home.databases import held_to

    settings = Settings.load(home)
    if not any((settings.home / name).exists() for name in ("home.json", "journal.db", FILE)):
        raise Unavailable("there is no journal here", where=str(settings.home), mend="name the node's --home")
    held_to(settings)
    if not keyless and not os.environ.get(ENVIRONMENT) and not (settings.home / "keys" / "master.key").exists():
        mend = f"set {ENVIRONMENT}, or give --public-key"
        raise Unavailable("the master key is not here", where=str(settings.home), mend=mend)
    return settings


def _public(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != 32:
        raise BadRequest("not a public key", where="--public-key", mend="64 hex digits, from `hucheng journal key`")
    return found


def _verify(settings: Settings, public: bytes | None, held: Path | None) -> dict[str, object]:
    from hucheng.gate.verify import verify_home

    found: dict[str, object] = msgspec.to_builtins(verify_home(settings, public=public, held=held))
    return found
