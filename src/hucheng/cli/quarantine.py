"""``hucheng quarantine``: readings that broke their contract, and sending them again once the cause is mended."""

from __future__ import annotations

from pathlib import Path

import click

from hucheng.cli import print_json
from hucheng.cli.beside import Beside, node_options


@click.group()
def quarantine() -> None:
    """Readings that broke their contract: kept whole, with the reason."""


@quarantine.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@node_options
def counts(as_json: bool, home: Path | None, principal_id: str | None) -> None:
    """How many readings were set aside, and why."""
    from hucheng.node.steward.requeue import Requeue

    with Beside(home, principal_id) as node:
        found = node.ask(Requeue, "quarantine").counts(node.principal())
    if as_json:
        print_json(found)
        return
    for reason, count in found.items():
        click.echo(f"{reason:<16} {count:>10,}")


@quarantine.command()
@click.option("--reason", help="Only this reason.")
@click.option("--limit", default=20, show_default=True, help="At most so many, the newest first.")
@node_options
def show(reason: str | None, limit: int, home: Path | None, principal_id: str | None) -> None:
    """The newest readings set aside, whole; journaled as a deed of the operator."""
    from hucheng.node.steward.requeue import Requeue

    with Beside(home, principal_id) as node:
        print_json(node.ask(Requeue, "quarantine").rows(node.principal(), reason, limit))


@quarantine.command()
@click.argument("reason")
@click.option("--device", help="Only this device.")
@node_options
def replay(reason: str, device: str | None, home: Path | None, principal_id: str | None) -> None:
    """Send what was set aside for REASON again, as if it came now."""
    from hucheng.node.steward.requeue import Requeue

    with Beside(home, principal_id, timeout_s=3600) as node:
        count = node.ask(Requeue, "quarantine").replay(node.principal(), reason, device)
    click.echo(f"{count} messages sent again")
