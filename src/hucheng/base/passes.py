"""Which tokens a gateway may push with over HTTP: issued, running out, revoked.

A file beside the broker's users (0600), replaced whole, so that the site can tell a revoked token while the steward is
down. The token itself is signed and kept nowhere.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from hucheng.base.credentials import locked, write_private

FORGOTTEN = timedelta(days=30)
"""So long after its end a pass is still listed."""


class Pass(Struct, frozen=True):
    """One token by its number."""

    id: str
    gateway: str
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def live(self, now: datetime) -> bool:
        """Whether it opens anything."""
        return self.revoked_at is None and now < self.expires_at


class Passes:
    """The passes of one node."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "passes.json"
        self._lock = threading.Lock()
        self._read: tuple[int, dict[str, Pass]] = (-1, {})

    def issue(self, gateway: str, now: datetime, life: timedelta) -> Pass:
        """A new pass of a gateway."""
        fresh = Pass(secrets.token_hex(6), gateway, now, now + life)
        with locked(self._path.with_suffix(".lock")):
            kept = [one for one in self.all() if now < (one.revoked_at or one.expires_at) + FORGOTTEN]
            self._write([*kept, fresh])
        return fresh

    def revoke(self, gateway: str, now: datetime, only: str | None = None) -> list[Pass]:
        """End a gateway's passes, or ``only`` one of them, at once; gives those that were live."""
        with locked(self._path.with_suffix(".lock")):
            every = self.all()
            mine = [p for p in every if p.gateway == gateway and only in (None, p.id) and p.live(now)]
            self._write([structs.replace(one, revoked_at=now) if one in mine else one for one in every])
        return mine

    def all(self) -> list[Pass]:
        """Every pass, the oldest first."""
        return list(self._current().values())

    def live(self, number: str, gateway: str, now: datetime) -> bool:
        """Whether a token of this number opens anything for this gateway."""
        found = self._current().get(number)
        return found is not None and found.gateway == gateway and found.live(now)

    def _current(self) -> dict[str, Pass]:
        try:
            stamp = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        with self._lock:
            if stamp != self._read[0]:
                read = msgspec.json.decode(self._path.read_bytes(), type=list[Pass])
                self._read = stamp, {one.id: one for one in read}
            return self._read[1]

    def _write(self, passes: Sequence[Pass]) -> None:
        write_private(self._path, json.dumps(msgspec.to_builtins(list(passes)), indent=1))
