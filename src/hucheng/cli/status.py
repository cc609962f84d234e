"""``hucheng status``: what the node has taken, and how its parts are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hucheng.cli import print_json
from hucheng.cli.up import HOME


@click.command()
@HOME
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def status(home: Path | None, as_json: bool) -> None:
    """Readings taken, cases open, and the state of every part.

    Works while the steward is down: then what it alone knows is null.
    """
    from hucheng.node.running.health import node_status

    found = node_status(home)
    if as_json:
        print_json(found)
        return
    click.echo(f"{found['status']}" + (f"  ({'; '.join(found['problems'])})" if found["problems"] else ""))
    _table("readings", found["readings"])
    _table("cases", found["cases"])
    _table("refused at the doors", found["refused"])
    click.echo("parts")
    for name, part in found["parts"].items():
        click.echo(f"  {name:<10} {part['state']:<9} since {part['since']}  restarts {part['restarts']}")


def _table(title: str, values: dict[str, Any]) -> None:
    click.echo(title)
    for name, value in values.items():
        click.echo(f"  {name:<12} {'unknown' if value is None else value}")
