"""Registers: bitemporal facts about people and things (what was so when, and when did we know it).

A row holds from ``valid_from`` to ``valid_to`` in the world and was known from ``known_from`` to ``known_to``
(both half open, UTC; None is "until further notice"). Nothing is overwritten: a correction closes what was known
and adds what is known now. Fields that the contract calls sensitive are sealed under the person's key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, delete, or_, select, update

from hucheng.base.bitemporal import as_known, covers, equal, joined, over, register, register_version, rests, utc
from hucheng.base.contracts import Contract
from hucheng.base.fieldvalues import entered
from hucheng.base.keys import sealed
from hucheng.base.ledger import after_commit, insert, picked
from hucheng.base.registerreader import RegisterReader, context_of, sensitive
from hucheng.errors import BadRequest, KeyMissing, LedgerError


class Registers(RegisterReader):
    """All registers of a node, for those who enter as well. ``clock`` says when something becomes known."""

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
            held = self._keys.people(people, conn=writing) if sensitive(contract) else {}
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
        hidden = sensitive(contract)
        plain = {name: value for name, value in row.items() if name not in hidden}
        secret = {name: row[name] for name in hidden if row.get(name) is not None}
        body = None
        if secret:
            body = sealed(
                cipher or self._things[contract.id], msgspec.msgpack.encode(secret), context_of(contract, key)
            )
        return {"data": msgspec.to_builtins(plain, str_keys=True), "sealed": body}

    def _same(self, contract: Contract, old: Any, row: dict[str, Any]) -> bool:
        try:
            before = self._opened(contract, old)
        except (KeyMissing, LedgerError):
            return False
        return all(before.get(name) == row.get(name) for name in contract.field_names)
