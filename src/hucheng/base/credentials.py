"""Who may connect to the broker: the node's own processes, the operator, and one user for each gateway.

Tokens are random and long, kept in ``broker/credentials.json`` (0600) and compared as they are: a password hash as slow
as bcrypt lets in 9 connections a second, which is no way to let a city's gateways return after a power cut.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from hucheng.errors import BadRequest, StreamError

GATEWAY = re.compile(r"[A-Za-z0-9_-]{1,64}")
INTERNAL, OPERATOR, SYSTEM = "internal", "operator", "system"


class Credential(Struct, frozen=True):
    """Name and token for the broker, and the gateway for which it may publish (None: a user of the node)."""

    user: str
    token: str
    gateway: str | None = None


class Credentials:
    """The users of one broker, in a file that is replaced whole."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "credentials.json"

    def all(self) -> list[Credential]:
        """Every user; makes the node's own on first use."""
        if not self.path.exists():
            self.grant(())
        body = json.loads(self.path.read_text(encoding="utf-8"))
        return [
            Credential(user, token, None if user in (INTERNAL, OPERATOR, SYSTEM) else user.removeprefix("gw-"))
            for user, token in body.items()
        ]

    def get(self, user: str) -> Credential:
        """One user by name, or the user of a gateway by the gateway's id."""
        for credential in self.all():
            if credential.user == user or credential.gateway == user:
                return credential
        raise StreamError(f"no broker user {user!r}", where=str(self.path), mend="grant the gateway a credential")

    def grant(self, gateways: Iterable[str]) -> list[str]:
        """Make users for gateways that have none; gives the names of the new ones. Asks for a reload of the broker."""
        return self._change(add=list(gateways))

    def withdraw(self, gateways: Iterable[str]) -> list[str]:
        """Take the users of gateways away; gives those that were there. Asks for a reload of the broker."""
        return self._change(remove=list(gateways))

    def _change(self, add: list[str] = [], remove: list[str] = []) -> list[str]:  # noqa: B006 - never changed
        for name in add:
            if not GATEWAY.fullmatch(name):
                raise BadRequest(f"gateway id {name!r}", mend="letters, digits, - and _; at most 64")
        with locked(self.path.with_suffix(".lock")):
            body: dict[str, str] = {}
            if self.path.exists():
                body = json.loads(self.path.read_text(encoding="utf-8"))
            before = set(body)
            for name in (INTERNAL, OPERATOR, SYSTEM, *(f"gw-{name}" for name in add)):
                body.setdefault(name, secrets.token_urlsafe(24))
            for name in remove:
                body.pop(f"gw-{name}", None)
            changed = before ^ set(body)
            if changed:
                write_private(self.path, json.dumps(body, indent=1))
        return sorted(name.removeprefix("gw-") for name in changed if name.startswith("gw-"))


def write_private(path: Path, text: str) -> None:
    """Replace a file whole, readable by its owner only, on the disk before it takes the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone with a file of this folder, among all processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
