"""What tells something about a resident, sealed under her key: erasing the key erases it, in backups too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection

from hucheng.base.keys import Keys
from hucheng.errors import KeyMissing


class Bodies:
    """Seals and opens the bodies of cases, events and decisions. ``place`` names what they belong to."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def ready(self, conn: Connection, residents: Iterable[str]) -> None:
        """Have the keys of these residents at hand, read together, before many bodies are sealed."""
        self._keys.people(residents, conn=conn)

    def seal(self, conn: Connection, resident_id: str, place: str, value: Any) -> bytes:
        """The value under the resident's key, bound to its place."""
        return self._keys.seal(resident_id, msgspec.msgpack.encode(value), place, conn=conn)

    def open(self, resident_id: str, place: str, body: bytes | None) -> dict[str, Any] | None:
        """The value; None where it, or the key, was erased."""
        if body is None:
            return None
        try:
            found: dict[str, Any] = msgspec.msgpack.decode(self._keys.unseal(resident_id, body, place))
        except KeyMissing:
            return None
        return found
