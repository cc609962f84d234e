"""What registers say: reading what holds, what held, and what was known when, sensitive fields opened."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import func, select

from hucheng.base.bitemporal import as_known, equal, holding, holds, joined, register, register_version, texts
from hucheng.base.catalogue import Catalogue
from hucheng.base.contracts import Contract, Field
from hucheng.base.fieldvalues import shaped
from hucheng.base.keys import Keys, unsealed
from hucheng.base.ledger import Ledger
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


class RegisterReader:
    """All registers of a node, in the ledger, for those who ask. ``clock`` gives the moment that is now."""

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
        hidden = set(sensitive(contract))
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
        context = context_of(contract, row.key)
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


def _sound(rows: Iterable[Any], opened: Callable[[Any], dict[str, Any]]) -> list[tuple[Any, dict[str, Any]]]:
    """Each row with its fields; one that cannot be read is logged and left out, so that the others are there."""
    found = []
    for row in rows:
        try:
            found.append((row, opened(row)))
        except LedgerError as error:
            log.error("a row of a register is left out", extra={"fields": {"error": str(error)}})
    return found


def sensitive(contract: Contract) -> list[str]:
    """The fields that are sealed."""
    return [field.name for field in contract.fields if field.classification == "sensitive"]


def context_of(contract: Contract, key: str) -> str:
    """What a row's seal is bound to: it opens nowhere else."""
    return f"register/{contract.id}/{key}"
