"""``hucheng device``: the help link of a paired device, and taking a device out of service."""

from __future__ import annotations

from pathlib import Path

import click

from hucheng.cli.beside import Beside, node_options


@click.group()
def device() -> None:
    """Devices in residents' homes."""


@device.command()
@click.argument("device_id")
@node_options
def link(device_id: str, home: Path | None, principal_id: str | None) -> None:
    """Print the help link of DEVICE_ID: whoever has it can call help for that resident, without signing in.

    Journaled for the resident. The link ends with the device.
    """
    from hucheng.node.steward.enrolment import Enrolment

    with Beside(home, principal_id) as node:
        click.echo(node.ask(Enrolment, "enrolment").help_link(node.principal(), device_id))


@device.command()
@click.argument("device_id")
@node_options
def end(device_id: str, home: Path | None, principal_id: str | None) -> None:
    """Take DEVICE_ID out of service from now on: its readings are nobody's any more, and its help link ends."""
    from hucheng.errors import NotFound
    from hucheng.node.steward.entering import Entering

    with Beside(home, principal_id) as node:
        if not node.ask(Entering, "entering").end(node.principal(), "city.devices", [{"device_id": device_id}]):
            raise NotFound(f"no device {device_id!r} is in service")
    click.echo(f"{device_id} is out of service")
