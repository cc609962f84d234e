"""``hucheng gateway``: letting gateways in, over MQTT and over HTTP, and taking it back."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from hucheng.cli import print_json
from hucheng.cli.beside import Beside, node_options


@click.group()
def gateway() -> None:
    """Gateways: who may send readings. Every deed is journaled."""


@gateway.command()
@click.argument("name")
@node_options
def add(name: str, home: Path | None, principal_id: str | None) -> None:
    """Let gateway NAME in over MQTT, and print its user and password. The same again prints the same."""
    from hucheng.node.steward.gateways import Gateways

    with Beside(home, principal_id) as node:
        print_json(msgspec.to_builtins(node.ask(Gateways, "gateways").add(node.principal(), name)))


@gateway.command()
@click.argument("name")
@node_options
def remove(name: str, home: Path | None, principal_id: str | None) -> None:
    """Let gateway NAME in no longer, neither over MQTT nor over HTTP."""
    from hucheng.node.steward.gateways import Gateways

    with Beside(home, principal_id) as node:
        count = node.ask(Gateways, "gateways").remove(node.principal(), name)
    click.echo(f"{name} is out, {count} tokens with it")


@gateway.command()
@click.argument("name")
@click.option("--days", default=365, show_default=True, help="How long the token holds.")
@node_options
def token(name: str, days: int, home: Path | None, principal_id: str | None) -> None:
    """Issue a token with which gateway NAME pushes to POST /api/v1/readings. It is shown once and kept nowhere."""
    from hucheng.node.steward.gateways import Gateways

    with Beside(home, principal_id) as node:
        print_json(msgspec.to_builtins(node.ask(Gateways, "gateways").issue(node.principal(), name, days)))


@gateway.command()
@click.argument("name")
@click.option("--token", "only", help="Only the token of this number (default: all of the gateway).")
@node_options
def revoke(name: str, only: str | None, home: Path | None, principal_id: str | None) -> None:
    """End tokens of gateway NAME at once."""
    from hucheng.node.steward.gateways import Gateways

    with Beside(home, principal_id) as node:
        click.echo(f"{node.ask(Gateways, 'gateways').revoke(node.principal(), name, only)} tokens revoked")


@gateway.command()
@node_options
def tokens(home: Path | None, principal_id: str | None) -> None:
    """Every token that was issued: number, gateway, when it runs out, when it was revoked."""
    from hucheng.node.steward.gateways import Gateways

    with Beside(home, principal_id) as node:
        print_json(msgspec.to_builtins(node.ask(Gateways, "gateways").passes(node.principal())))
