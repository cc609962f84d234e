"""``hucheng erase``: take a person out of everything the node keeps, and say when nothing is left."""

from __future__ import annotations

import time
from pathlib import Path

import click
import msgspec

from hucheng.cli import print_json
from hucheng.cli.beside import Beside, node_options

LOOK_S = 0.5


@click.command()
@click.argument("resident")
@click.option(
    "--reason", required=True, help="Which request or law it follows. It stays in the journal: name nobody in it."
)
@click.option("--yes", is_flag=True, help="Do not ask back.")
@click.option("--wait", default=60.0, show_default=True, help="Wait at most so many seconds for its end.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@node_options
def erase(
    resident: str, reason: str, yes: bool, wait: float, as_json: bool, home: Path | None, principal_id: str | None
) -> None:
    """Erase RESIDENT (a resident_id): cases, decisions, registers, identity, keys, readings. It cannot be undone.

    What the ledger holds goes at once; readings go as soon as broker and intake can, also after a restart. Needs the
    role of the data bureau; journaled under the purpose rights.erasure. Exit 0 once nothing is left, 4 while something
    is still owed.
    """
    from hucheng.node.steward.enrolment import Enrolment

    if not yes:
        click.confirm(f"erase {resident} for good?", abort=True, err=True)
    with Beside(home, principal_id) as node:
        desk = node.ask(Enrolment, "enrolment")
        who = node.principal()
        done = desk.erase(who, resident, reason)
        until = time.monotonic() + wait
        found = desk.erasure(who, done.id)
        while found.done_at is None and time.monotonic() < until:
            time.sleep(LOOK_S)
            found = desk.erasure(who, done.id)
    if as_json:
        print_json({**msgspec.to_builtins(done), **msgspec.to_builtins(found)})
    else:
        for name, count in found.counts.items():
            click.echo(f"{name:<10} {count:>10,}")
        click.echo(f"erased at {found.done_at}" if found.done_at else f"owed ({done.id}): waits {found.waits}")
    if found.done_at is None:
        raise SystemExit(4)
