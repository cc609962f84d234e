"""Registers: bitemporal facts about people and things (what was so when, and when did we know it).

A row holds from ``valid_from`` to ``valid_to`` in the world and was known from ``known_from`` to ``known_to``
(both half open, UTC; None is "until further notice"). Nothing is overwritten: a correction closes what was known
and adds what is known now. Fields that the contract calls sensitive are sealed under the person's key.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, and_, delete, func, or_, select, update

from hucheng.base.bitemporal import (
    as_known,
    covers,
    equal,
    holding,
    holds,
    joined,
    over,
    register,
    register_version,
    rests,
    texts,
    utc,
)
from hucheng.base.catalogue import Catalogue
from hucheng.base.contracts import Contract, Field
from hucheng.base.fieldvalues import entered, shaped
from hucheng.base.keys import Keys, sealed, unsealed
from hucheng.base.ledger import Ledger, after_commit, insert, picked
from hucheng.base.remembered import Held, Remembered
from hucheng.errors import BadRequest, KeyMissing, LedgerError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a register with its two intervals; ``data`` holds the fields, sensitive ones opened."""

    key: str
    resident_id: str | None
    valid_from: datetime
    valid_to: datetime | None
    known_from: datetime
    known_to: datetime | None
    data: dict[str, Any]


class Registers:
    """All registers of a node, in the ledger. ``clock`` gives the moment at which something becomes known."""

    def __init__(
        self,
        ledger: Ledger,
        keys: Keys,
        catalogue: Catalogue,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._keys = keys
        self._catalogue = catalogue
        self._clock = clock
        self._memory = Remembered(ledger)
        self._things = {c.id: AESGCM(keys.sub(f"register/{c.id}")) for c in catalogue if c.kind == "register"}

    def put(
        self,
        dataset: str,
        rows: Iterable[Mapping[str, Any]],
        *,
        valid_from: datetime | None = None,
        valid_to: datetime | None = None,
        first: int = 1,
        conn: Connection | None = None,
    ) -> int:
        """Enter rows as holding from ``valid_from`` (None: now) to ``valid_to``; returns how many changed something.

        What was entered before for the same key and time is superseded, the rest of its time kept. A row that
        says what is known already changes nothing. Raises BadRequest for a field that is missing, unknown or of
        another type than the contract's, and names the row (the first is number ``first``).
        """
        contract = self._contract(dataset)
        fresh = [entered(contract, dict(row), place) for place, row in enumerate(rows, start=first)]
        if not fresh:
            return 0
        keyed = {self._key(contract, row): row for row in fresh}
        if len(keyed) != len(fresh):
            raise BadRequest("a key stands twice in one put", where=dataset, mend="put each key once")
        people = [row[contract.person] for row in fresh if contract.person and row.get(contract.person)]
        with self._ledger.on(conn) as writing:
            held = self._keys.people(people, conn=writing) if _sensitive(contract) else {}
            now = self._known_now(writing, dataset)
            start = utc(valid_from or now)
            end = utc(valid_to) if valid_to else None
            if end is not None and end <= start:
                raise BadRequest("valid_to is not after valid_from", where=dataset, mend="mend the interval")
            before = self._overlapping(writing, dataset, list(keyed), start, end)
            closing: list[int] = []
            adding: list[dict[str, Any]] = []
            changed = 0
            for key, row in keyed.items():
                old = before.get(key, [])
                if len(old) == 1 and covers(old[0], start, end) and self._same(contract, old[0], row):
                    continue
                changed += 1
                rid = row.get(contract.person) if contract.person else None
                for piece in old:
                    closing.append(piece.id)
                    adding += rests(piece, start, end, now)
                adding.append(
                    {
                        "dataset": dataset,
                        "key": key,
                        "resident_id": rid,
                        "valid_from": start,
                        "valid_to": end,
                        "known_from": now,
                        "known_to": None,
                        **self._packed(contract, key, row, held[rid].cipher if rid in held else None),
                    }
                )
            if changed:
                self._write(writing, dataset, closing, adding, now)
                after_commit(writing, lambda: self._memory.touched(dataset, keyed, adding, before.values()))
        return changed

    def end(
        self, dataset: str, key: str | Sequence[str], at: datetime | None = None, *, conn: Connection | None = None
    ) -> int:
        """Enter that what this key says holds no longer from ``at`` (None: now); returns how many rows it closed."""
        self._contract(dataset)
        text = joined(key)
        with self._ledger.on(conn) as writing:
            now = self._known_now(writing, dataset)
            start = utc(at or now)
            old = self._overlapping(writing, dataset, [text], start, None).get(text, [])
            if old:
                adding = [rest for piece in old for rest in rests(piece, start, None, now)]
                self._write(writing, dataset, [piece.id for piece in old], adding, now)
                after_commit(writing, lambda: self._memory.touched(dataset, [text], [], [old]))
        return len(old)

    def live(
        self, dataset: str, key: str | Sequence[str], *, at: datetime | None = None, sealed: bool = True
    ) -> dict[str, Any] | None:
        """What holds for this key at ``at`` (None: now) as far as we know now; None when nothing does.

        ``sealed`` False leaves sensitive fields closed (None): a sixth of the time. Raises LedgerError naming a row
        that holds something else than the contract says; the readers of many rows log it and leave it out.
        """
        contract = self._contract(dataset)
        text = joined(key)
        found = self._memory.of_key(dataset, text)
        moment = at or self._clock()
        for row in found:
            if holds(row, moment):
                return self._opened(contract, row) if sealed else self._plain(contract, row)
        return None

    def of_person(self, dataset: str, resident_id: str, *, at: datetime | None = None) -> list[dict[str, Any]]:
        """The rows about one person that hold at ``at`` (None: now)."""
        contract = self._contract(dataset)
        found = self._memory.of_person(dataset, resident_id)
        moment = at or self._clock()
        return [data for _, data in self._open_all(contract, [row for row in found if holds(row, moment)])]

    def known_of_person(self, dataset: str, resident_id: str) -> list[Row]:
        """The rows about one person as we know them now, past and future ones too, by their begin."""
        contract = self._contract(dataset)
        found = self._memory.of_person(dataset, resident_id)
        return sorted(self._rows(contract, found), key=lambda row: row.valid_from)

    def find(
        self, dataset: str, where: Mapping[str, Any], *, at: datetime | None = None, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """The rows that hold at ``at`` and whose fields equal ``where`` (a list means: one of), by key.

        Sensitive fields cannot be searched: BadRequest, as for an unknown field.
        """
        contract = self._contract(dataset)
        hidden = set(_sensitive(contract))
        query = as_known(dataset).where(holding(at or self._clock())).order_by(register.c.key)
        for name, value in where.items():
            if name not in contract.field_names or name in hidden:
                reason = "is sealed" if name in hidden else "is not in the contract"
                raise BadRequest(f"field {name!r} {reason}", where=dataset, mend="search by another field")
            query = query.where(equal(name, contract.field(name).type, value))
            if value is None or contract.field(name).type != "string":
                continue
            if (name,) == contract.key:  # what says it in a column of its own is found by that column's index
                query = query.where(register.c.key.in_(texts(value)))
            elif name == contract.person:
                query = query.where(register.c.resident_id.in_(texts(value)))
        with self._ledger.read() as conn:
            rows = conn.execute(query if limit is None else query.limit(limit)).all()
        return [data for _, data in self._open_all(contract, rows)]

    def all(self, dataset: str, *, at: datetime | None = None, sealed: bool = True) -> list[dict[str, Any]]:
        """Every row that holds at ``at`` (None: now), by key; ``sealed`` False leaves sensitive fields None."""
        if sealed:
            return self.find(dataset, {}, at=at)
        contract = self._contract(dataset)
        query = as_known(dataset).where(holding(at or self._clock())).order_by(register.c.key)
        with self._ledger.read() as conn:
            rows = conn.execute(query).all()
        return [data for _, data in _sound(rows, lambda row: self._plain(contract, row))]

    def history(self, dataset: str, key: str | Sequence[str]) -> list[Row]:
        """Everything ever known about a key, by when it became known."""
        contract = self._contract(dataset)
        query = select(register).where(register.c.dataset == dataset, register.c.key == joined(key))
        with self._ledger.read() as conn:
            rows = conn.execute(query.order_by(register.c.known_from, register.c.id)).all()
        return self._rows(contract, rows)

    def boundary(self, dataset: str, after: datetime) -> datetime | None:
        """When the next row begins or ceases to hold after a moment, as we know it now; None when none does."""
        query = as_known(dataset).subquery()
        with self._ledger.read() as conn:
            begins = conn.execute(select(func.min(query.c.valid_from)).where(query.c.valid_from > after)).scalar()
            ceases = conn.execute(select(func.min(query.c.valid_to)).where(query.c.valid_to > after)).scalar()
        return min((moment for moment in (begins, ceases) if moment is not None), default=None)

    def version(self, dataset: str) -> int:
        """Counts the changes of a register; 0 before the first."""
        with self._ledger.read() as conn:
            query = select(register_version.c.version).where(register_version.c.dataset == dataset)
            return int(conn.execute(query).scalar() or 0)

    def erase(
        self,
        resident_id: str,
        *,
        named: Mapping[str, tuple[str, Sequence[str]]] | None = None,
        conn: Connection | None = None,
    ) -> int:
        """Delete every row about a person, past ones too; returns how many. Their key is destroyed apart (`Keys`).

        ``named``: rows about others that go as well, by dataset: a field, and the values that name the person.
        """
        with self._ledger.on(conn) as writing:
            mine = register.c.resident_id == resident_id
            for dataset, (name, values) in (named or {}).items():
                kind = self._contract(dataset).field(name).type
                mine = or_(mine, and_(register.c.dataset == dataset, equal(name, kind, list(values))))
            touched = writing.execute(select(register.c.dataset).where(mine).distinct()).scalars().all()
            count = int(writing.execute(delete(register).where(mine)).rowcount)
            for dataset in touched:
                self._bump(writing, dataset, self._known_now(writing, dataset))
            after_commit(writing, self.forget_cached)
        return count

    def past(self, conn: Connection, dataset: str, before: datetime, limit: int) -> list[int]:
        """Rows that ceased to hold, or were superseded, before a moment: the numbers of some, for `drop`."""
        return list(conn.execute(select(register.c.id).where(*self._over(dataset, before)).limit(limit)).scalars())

    def drop(self, conn: Connection, dataset: str, rows: Sequence[int], before: datetime) -> int:
        """Delete those of these rows that are `past`; returns how many. What holds now or later is never among them."""
        some = picked(register.c.id, rows)
        mine = select(some.c.id, some.c.key, some.c.resident_id).where(*self._over(dataset, before, some))
        gone = conn.execute(mine).all()
        if gone:
            conn.execute(delete(register).where(register.c.id.in_([row.id for row in gone])))
            self._bump(conn, dataset, self._known_now(conn, dataset))
            after_commit(conn, lambda: self._memory.touched(dataset, [row.key for row in gone], [], [gone]))
        return len(gone)

    def _over(self, dataset: str, before: datetime, of: Any = register) -> tuple[Any, ...]:
        return of.c.dataset == self._contract(dataset).id, over(min(before, utc(self._clock())), of)

    def forget_cached(self) -> None:
        """Read everything anew: another process wrote to the ledger."""
        self._memory.forget(contract.id for contract in self._catalogue)

    def warm(self, dataset: str) -> int:
        """Take a whole register into memory, so that single reads never wait for the ledger; returns its rows."""
        return self._memory.warm(self._contract(dataset).id)

    def _contract(self, dataset: str) -> Contract:
        contract = self._catalogue.get(dataset)
        if contract.kind != "register":
            raise BadRequest(f"{dataset} is no register", mend="read it from the lake")
        return contract

    @staticmethod
    def _key(contract: Contract, row: Mapping[str, Any]) -> str:
        return joined([str(row[name]) for name in contract.key])

    def _known_now(self, conn: Connection, dataset: str) -> datetime:
        query = select(register_version.c.known_at).where(register_version.c.dataset == dataset)
        last = conn.execute(query).scalar()
        now = utc(self._clock())
        return max(now, last) if last is not None else now

    def _overlapping(
        self, conn: Connection, dataset: str, keys: list[str], start: datetime, end: datetime | None
    ) -> dict[str, list[Any]]:
        query = as_known(dataset).where(or_(register.c.valid_to.is_(None), register.c.valid_to > start))
        if end is not None:
            query = query.where(register.c.valid_from < end)
        found: dict[str, list[Any]] = {}
        if len(keys) > 5_000:  # one pass is quicker than many lookups
            wanted = set(keys)
            rows: Iterable[Any] = (row for row in conn.execute(query) if row.key in wanted)
        else:
            parts = (keys[n : n + 500] for n in range(0, len(keys), 500))
            rows = (row for part in parts for row in conn.execute(query.where(register.c.key.in_(part))))
        for row in rows:
            found.setdefault(row.key, []).append(row)
        return found

    def _write(
        self, conn: Connection, dataset: str, closing: list[int], adding: list[dict[str, Any]], now: datetime
    ) -> None:
        for n in range(0, len(closing), 500):
            change = update(register).where(register.c.id.in_(closing[n : n + 500]))
            conn.execute(change.values(known_to=now))
        for n in range(0, len(adding), 5_000):
            conn.execute(register.insert(), adding[n : n + 5_000])
        self._bump(conn, dataset, now)

    @staticmethod
    def _bump(conn: Connection, dataset: str, now: datetime) -> None:
        first = insert(conn, register_version).values(dataset=dataset, version=1, known_at=now)
        following = {"version": register_version.c.version + 1, "known_at": now}
        conn.execute(first.on_conflict_do_update(index_elements=["dataset"], set_=following))

    def _packed(self, contract: Contract, key: str, row: dict[str, Any], cipher: Any) -> dict[str, Any]:
        hidden = _sensitive(contract)
        plain = {name: value for name, value in row.items() if name not in hidden}
        secret = {name: row[name] for name in hidden if row.get(name) is not None}
        body = None
        if secret:
            body = sealed(cipher or self._things[contract.id], msgspec.msgpack.encode(secret), _context(contract, key))
        return {"data": msgspec.to_builtins(plain, str_keys=True), "sealed": body}

    def _opened(self, contract: Contract, row: Any, ciphers: Mapping[str, Any] | None = None) -> dict[str, Any]:
        data = self._plain(contract, row)
        if row.sealed is not None:
            secret = msgspec.msgpack.decode(self._unseal(contract, row, ciphers))
            data |= self._shaped(contract, row, [f for f in contract.fields if f.name in secret], secret)
        return data

    def _plain(self, contract: Contract, row: Any) -> dict[str, Any]:
        """The fields that are not sealed; of a row in memory they are made once."""
        if not isinstance(row, Held):
            return self._shaped(contract, row, contract.fields, row.data)
        if row.plain is None:
            row.plain = self._shaped(contract, row, contract.fields, row.data)
        return dict(row.plain)

    @staticmethod
    def _shaped(contract: Contract, row: Any, fields: Iterable[Field], data: dict[str, Any]) -> dict[str, Any]:
        try:
            return shaped(fields, data)
        except ValueError as error:
            # Its number, never its key, which may name a person: this goes into logs.
            raise LedgerError(
                str(error), where=f"{contract.id}, row {row.id} of the table register", mend="enter that row anew"
            ) from None

    def _unseal(self, contract: Contract, row: Any, ciphers: Mapping[str, Any] | None) -> bytes:
        context = _context(contract, row.key)
        if row.resident_id is None:
            return unsealed(self._things[contract.id], row.sealed, context)
        if ciphers is None:
            return self._keys.unseal(row.resident_id, row.sealed, context)
        if row.resident_id not in ciphers:
            raise KeyMissing("the key of this person was destroyed", where=contract.id)
        return unsealed(ciphers[row.resident_id].cipher, row.sealed, context)

    def _open_all(self, contract: Contract, rows: Sequence[Any]) -> list[tuple[Any, dict[str, Any]]]:
        people = {row.resident_id for row in rows if row.sealed is not None and row.resident_id is not None}
        ciphers = self._keys.people(people, make=False) if people else {}
        return _sound(rows, lambda row: self._opened(contract, row, ciphers))

    def _rows(self, contract: Contract, rows: Sequence[Any]) -> list[Row]:
        return [
            Row(r.key, r.resident_id, r.valid_from, r.valid_to, r.known_from, r.known_to, data)
            for r, data in self._open_all(contract, rows)
        ]

    def _same(self, contract: Contract, old: Any, row: dict[str, Any]) -> bool:
        try:
            before = self._opened(contract, old)
        except (KeyMissing, LedgerError):
            return False
        return all(before.get(name) == row.get(name) for name in contract.field_names)


def _sound(rows: Iterable[Any], opened: Callable[[Any], dict[str, Any]]) -> list[tuple[Any, dict[str, Any]]]:
    """Each row with its fields; one that cannot be read is logged and left out, so that the others are there."""
    found = []
    for row in rows:
        try:
            found.append((row, opened(row)))
        except LedgerError as error:
            log.error("a row of a register is left out", extra={"fields": {"error": str(error)}})
    return found


def _sensitive(contract: Contract) -> list[str]:
    return [field.name for field in contract.fields if field.classification == "sensitive"]


def _context(contract: Contract, key: str) -> str:
    return f"register/{contract.id}/{key}"
