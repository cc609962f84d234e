"""The front door for hands on a keyboard: ``hucheng``.

One file a group of commands; each is imported only when it is called, so that ``hucheng --help`` is quick. A command
beside a running node owns nothing: it asks the steward over the local socket, under a principal, like any page.
"""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from typing import Any

import click

from hucheng import __version__
from hucheng.commands import Commands
from hucheng.errors import HuchengError

COMMANDS = {
    "up": ("hucheng.cli.up", "up", "start a node: broker, intake, steward, web"),
    "status": ("hucheng.cli.status", "status", "what the node has taken, and how its parts are"),
    "replay": ("hucheng.cli.replay", "replay", "send a file of readings through the node's broker"),
    "cases": ("hucheng.cli.cases", "cases", "list cases, as a journaled look"),
    "quarantine": (
        "hucheng.cli.quarantine",
        "quarantine",
        "readings that broke their contract, and sending them again",
    ),
    "enter": ("hucheng.cli.enter", "enter", "places, people, rosters and registers from files"),
    "device": ("hucheng.cli.device", "device", "help link of a device; taking one out of service"),
    "gateway": ("hucheng.cli.gateway", "gateway", "letting gateways in over MQTT and HTTP, and taking it back"),
    "erase": ("hucheng.cli.erase", "erase", "take a person out of everything the node keeps"),
    "rules": ("hucheng.cli.rules", "rules", "decide and explain by a rule pack, file in, file out"),
    "journal": ("hucheng.cli.journal", "journal", "the record of every use"),
    "apps": ("hucheng.cli.apps", "apps", "what apps ask for, and accepting it"),
}


class Front(Commands):
    """The front door's own commands, then those of installed apps; errors say how to mend them."""

    table = COMMANDS

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or of_app(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_commands(ctx, formatter)
        names = ", ".join(point.name for point in entry_points(group="hucheng.apps"))
        with formatter.section("Apps"):
            what = f"the commands of an app, under its name, where it has some; installed: {names}"
            formatter.write_dl([("APP", what)])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HuchengError as error:
            fail(error)


def of_app(name: str) -> click.Command | None:
    """The commands of an installed app; None where there is no such app, or it has none.

    Raises HuchengError for what is no Click command.
    """
    from hucheng.apps import load_app
    from hucheng.cli.beside import Beside, node_options

    app = load_app(name)
    if app is None or app.commands is None:
        return None
    found = app.commands(Beside, node_options)
    if not isinstance(found, click.Command):
        raise HuchengError(f"the commands of {name} are no Click group", mend="give a click.Group")
    return found


def fail(error: HuchengError) -> None:
    """Print an error for a person and leave with its exit status."""
    click.echo(f"hucheng: {error.what}", err=True)
    if error.where:
        click.echo(f"  where: {error.where}", err=True)
    for name, value in error.details.items():
        click.echo(f"  {name}: {value}", err=True)
    if error.mend:
        click.echo(f"  mend:  {error.mend}", err=True)
    sys.exit(error.exit_code)


def print_json(value: object) -> None:
    """One JSON document on standard output: Chinese as Chinese, dates as text, Decimals as numbers with all digits."""
    import msgspec

    data = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode(value)
    click.echo(msgspec.json.format(data, indent=2).decode())


@click.group(cls=Front, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hucheng")
def front() -> None:
    """护城 Hucheng: evidence in, explained protection out."""


def main() -> None:
    """Entry point of the ``hucheng`` command."""
    front()
