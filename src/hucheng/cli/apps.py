"""``hucheng apps``: what apps ask for, and accepting or refusing it with an assessment on record."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from hucheng.cli import print_json
from hucheng.cli.beside import Beside, node_options


@click.group()
def apps() -> None:
    """What installed apps ask for: purposes, policies, and uses of their datasets. Nothing opens until accepted."""


@apps.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="A list of objects.")
@node_options
def list_(as_json: bool, home: Path | None, principal_id: str | None) -> None:
    """Every request with its state."""
    from hucheng.gate import Gate

    with Beside(home, principal_id) as node:
        found = node.ask(Gate, "gate").requests(node.principal())
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for one in found:
        click.echo(f"{one.state:<10} {one.kind:<9} {one.id:<20} app {one.app:<12} by {one.by or '–'}")


@apps.command()
@click.argument("kind", type=click.Choice(["purpose", "policies", "uses"]))
@click.argument("name")
@click.option("--assessment", required=True, help="The impact assessment: what it risks and why it may.")
@node_options
def accept(kind: str, name: str, assessment: str, home: Path | None, principal_id: str | None) -> None:
    """Accept a request as it is declared now; a change of it must be accepted again."""
    from hucheng.gate import Gate

    with Beside(home, principal_id) as node:
        done = node.ask(Gate, "gate").accept(node.principal(), kind, name, assessment)
    click.echo(f"{done.state}: {done.kind} {done.id}")


@apps.command()
@click.argument("kind", type=click.Choice(["purpose", "policies", "uses"]))
@click.argument("name")
@click.option("--reason", required=True, help="Why not.")
@node_options
def refuse(kind: str, name: str, reason: str, home: Path | None, principal_id: str | None) -> None:
    """Refuse a request, or take an acceptance back; it closes at once."""
    from hucheng.gate import Gate

    with Beside(home, principal_id) as node:
        done = node.ask(Gate, "gate").refuse(node.principal(), kind, name, reason)
    click.echo(f"{done.state}: {done.kind} {done.id}")
