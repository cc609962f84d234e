"""Rows of registers in memory, for reads of single people; never older than the ledger: a change drops its rows."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Select

from hucheng.base.bitemporal import as_known, register
from hucheng.base.ledger import Ledger

MOST = 200_000  # places kept, about 1 kB each


class Held:
    """One row as it lies in the ledger. ``plain``: its fields as the contract has them, once somebody made them."""

    __slots__ = (
        "data",
        "id",
        "key",
        "known_from",
        "known_to",
        "plain",
        "resident_id",
        "sealed",
        "valid_from",
        "valid_to",
    )

    def __init__(self, row: Any) -> None:
        self.id, self.key, self.resident_id = row.id, row.key, row.resident_id
        self.valid_from, self.valid_to = row.valid_from, row.valid_to
        self.known_from, self.known_to = row.known_from, row.known_to
        self.data, self.sealed = row.data, row.sealed
        self.plain: dict[str, Any] | None = None


class Remembered:
    """What is known now, by key and by person. Only the process that writes the ledger may rely on it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._keys: dict[tuple[str, str], list[Held]] = {}
        self._people: dict[tuple[str, str], list[Held]] = {}
        self._changes: Counter[str] = Counter()
        self._lock = threading.Lock()

    def of_key(self, dataset: str, key: str) -> list[Held]:
        """Rows of one key, as known now, at any valid time."""
        found = self._keys.get((dataset, key))
        return found if found is not None else self._read(self._keys, dataset, key, register.c.key == key)

    def of_person(self, dataset: str, resident_id: str) -> list[Held]:
        """Rows about one person, as known now, at any valid time."""
        found = self._people.get((dataset, resident_id))
        if found is not None:
            return found
        return self._read(self._people, dataset, resident_id, register.c.resident_id == resident_id)

    def warm(self, dataset: str) -> int:
        """Take a whole register in, in one pass; returns its rows. One larger than `MOST` stays where it is."""
        changes = self._changes[dataset]
        keys: dict[tuple[str, str], list[Held]] = {}
        people: dict[tuple[str, str], list[Held]] = {}
        with self._ledger.read() as conn:
            rows = [Held(row) for row in conn.execute(as_known(dataset).limit(MOST))]
        for row in rows:
            keys.setdefault((dataset, row.key), []).append(row)
            if row.resident_id is not None:
                people.setdefault((dataset, row.resident_id), []).append(row)
        with self._lock:
            if changes == self._changes[dataset] and len(rows) < MOST:
                self._keys.update(keys)
                self._people.update(people)
        return len(rows)

    def touched(
        self, dataset: str, keys: Iterable[str], after: Sequence[Mapping[str, Any]], before: Iterable[Sequence[Any]]
    ) -> None:
        """Drop what a change touched: its keys, and the people in the rows after and before it."""
        people = {row["resident_id"] for row in after} | {row.resident_id for old in before for row in old}
        with self._lock:
            self._changes[dataset] += 1
            for key in keys:
                self._keys.pop((dataset, key), None)
            for person in people:
                self._people.pop((dataset, person), None)

    def forget(self, datasets: Iterable[str]) -> None:
        """Drop everything."""
        with self._lock:
            self._changes.update(datasets)
            self._keys.clear()
            self._people.clear()

    def _read(self, cache: dict[tuple[str, str], list[Held]], dataset: str, place: str, where: Any) -> list[Held]:
        changes = self._changes[dataset]
        query: Select[Any] = as_known(dataset).where(where)
        with self._ledger.read() as conn:
            rows = [Held(row) for row in conn.execute(query)]
        with self._lock:
            if changes == self._changes[dataset]:  # a change meanwhile must not leave the old rows here
                if len(cache) >= MOST:
                    cache.clear()
                cache[dataset, place] = rows
        return rows
