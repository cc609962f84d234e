"""What every command beside a running node shares: the connection, and under whom it asks."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hucheng.base.rpcclient import SyncClient, sync_proxy
from hucheng.settings import Settings

if TYPE_CHECKING:
    from hucheng.gate import Principal

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def node_options(command: F) -> F:
    """``--home`` and ``--as``."""
    home = click.option(
        "--home", type=click.Path(path_type=Path, file_okay=False), help="Folder of the node (default: home)."
    )
    who = click.option(
        "--as", "principal_id", help="Principal under which to ask (default: the operator at this machine)."
    )
    return home(who(command))


class Beside:
    """A running node as a command sees it."""

    def __init__(self, home: Path | None, principal_id: str | None = None, timeout_s: float | None = None) -> None:
        self.settings = Settings.running(home)
        self._client = SyncClient(self.settings.socket, timeout_s)
        self._principal_id = principal_id

    def ask(self, kind: type[T], name: str) -> T:
        """The steward's object of this name."""
        return sync_proxy(kind, self._client, name)

    def principal(self) -> Principal:
        """Under whom this command asks. Raises Refused for a principal that is not known."""
        from hucheng.node.home.people import People

        return self.ask(People, "people").at_keyboard(getpass.getuser(), self._principal_id)

    def __enter__(self) -> Beside:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
