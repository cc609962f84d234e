"""Who may read the journal: residents about themselves, carers by mandate, auditors the heads without people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from pyroaring import BitMap
from sqlalchemy import BigInteger, literal, literal_column, select

from hucheng.base.keys import Keys, Person
from hucheng.base.rpc import exposed
from hucheng.errors import HuchengError
from hucheng.gate.checkpoints import Checkpoint
from hucheng.gate.entries import Entry, Head, asked_by, decode, open_detail
from hucheng.gate.gate import Gate
from hucheng.gate.journal import Journal
from hucheng.gate.principals import Principal
from hucheng.gate.purposes import BASE
from hucheng.gate.tables import STRETCH, journal
from hucheng.gate.verify import Verified, verify

_STRETCHES = 64  # looked through in one query
_LAW = {one.id: one.legal_basis for one in BASE}
_PAGE = 100  # entries at once: a set of many people may be large


class Line(Struct, frozen=True):
    """One entry as people read it. ``detail``: None where it is sealed and the key is gone, {} where there is none."""

    seq: int
    at: datetime
    kind: str
    principal: str
    principal_name: str
    principal_kind: str
    org: str
    purpose: str
    basis: str
    datasets: tuple[str, ...]
    fields: tuple[tuple[str, ...], ...]
    action: str
    case: str | None
    result: str
    policy: str
    counts: dict[str, int]
    detail: dict[str, Any] | None = None


Known = dict[tuple[str, str], tuple[str, str]]
"""Who asked, by the entry's word and kind: a list names few people many times."""


class JournalDesk:
    """The journal as it is served: every question goes through the gate and is an entry itself."""

    def __init__(
        self, gate: Gate, journal: Journal, keys: Keys, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._gate = gate
        self._journal = journal
        self._keys = keys
        self._clock = clock

    @exposed
    def of_person(self, principal: Principal, resident_id: str, limit: int = 200) -> list[Line]:
        """Every use of a resident's data, newest first, bulk and standing uses too. Raises Refused."""
        who = self._gate.permit(principal, "rights.journal", "journal.read", person=resident_id)
        self._note(who, "rights.journal", "journal.read", resident_id)
        person = self._keys.people([resident_id], make=False).get(resident_id)
        return self._lines(person, resident_id, max(1, min(limit, 1000))) if person is not None else []

    @exposed
    def heads(self, principal: Principal, limit: int = 100, before: int | None = None) -> list[Line]:
        """Entries without the people they are about, newest first. Raises Refused."""
        who = self._gate.permit(principal, "audit.review", "journal.read")
        query = select(journal.c.seq, journal.c.person, journal.c.body)
        query = query.order_by(journal.c.seq.desc()).limit(max(1, min(limit, 1000)))
        if before is not None:
            query = query.where(journal.c.seq < before)
        with self._journal.ledger.read() as conn:
            rows = conn.execute(query).all()
        self._note(who, "audit.review", "journal.read", None)
        known: Known = {}
        found = []
        for row in rows:
            stored = decode(row.body)
            detail = open_detail(stored, 0, None) if row.person == 0 else None  # what is about nobody lies open
            found.append(self._line(row.seq, stored.head, detail, known, names=False))
        return found

    @exposed(within_s=3600)
    def verify(self, principal: Principal) -> Verified:
        """Check the whole journal. Raises JournalBroken naming the first bad entry; Refused."""
        who = self._gate.permit(principal, "audit.review", "journal.verify")
        self._note(who, "audit.review", "journal.verify", None)
        public = self._keys.node.public
        return verify(self._journal.ledger, public, self._journal.file, checkpointing=self._journal.checkpointing)

    @exposed
    def checkpoints(self, principal: Principal, limit: int = 20) -> list[Checkpoint]:
        """The newest signed checkpoints, newest first. Raises Refused."""
        self._gate.permit(principal, "audit.review", "journal.read")
        return self._journal.checkpoints(max(1, min(limit, 1000)))

    def _note(self, who: Principal, purpose: str, action: str, person: str | None) -> None:
        self._journal.append(
            [
                Entry(
                    at=self._clock(),
                    kind="look",
                    purpose=purpose,
                    basis=_LAW[purpose],
                    action=action,
                    person=person if person and self._keys.people([person], make=False) else None,
                    **asked_by(who),
                )
            ]
        )

    def _lines(self, person: Person, resident_id: str, limit: int) -> list[Line]:
        found: list[Line] = []
        known: Known = {}
        seen: set[str] = set()
        for seq, number, body in self._about(person.number):
            stored = decode(body)
            if number != person.number and not _holds(stored.people, stored.head, person.number):
                continue
            if stored.head.ref is not None and stored.head.ref in seen:
                continue  # the stream delivered this entry twice
            if stored.head.ref is not None:
                seen.add(stored.head.ref)
            detail = open_detail(stored, number, person) if number == person.number else {}
            found.append(self._line(seq, stored.head, detail, known, names=True))
            if len(found) == limit:
                break
        return found

    def _about(self, number: int) -> Iterator[tuple[int, int, bytes]]:
        """Entries of this person or of many, newest first; which they are is told by the index alone."""
        stretch = literal_column("(seq / 1024)", BigInteger)
        entries = select(journal.c.seq, journal.c.person, journal.c.body).order_by(journal.c.seq.desc())
        for newest in range(self._journal.seq // STRETCH, -1, -_STRETCHES):
            some = [literal(n, literal_execute=True) for n in range(max(newest - _STRETCHES + 1, 0), newest + 1)]
            query = select(journal.c.seq).where(stretch.in_(some), journal.c.person.in_([number, 0]))
            with self._journal.ledger.read() as conn:
                places = sorted(conn.execute(query).scalars(), reverse=True)
            for start in range(0, len(places), _PAGE):
                page = entries.where(journal.c.seq.in_(places[start : start + _PAGE]))
                with self._journal.ledger.read() as conn:
                    rows: Sequence[Any] = conn.execute(page).all()
                for row in rows:
                    yield row.seq, row.person, row.body

    def _line(self, seq: int, head: Head, detail: dict[str, Any] | None, known: Known, *, names: bool) -> Line:
        asked = (head.principal, head.principal_kind)
        if not names and head.principal.startswith("#"):
            who, name = head.principal, ""
        else:
            who, name = known[asked] if asked in known else known.setdefault(asked, self._who(head))
        return Line(
            seq,
            head.moment,
            head.kind,
            who,
            name,
            head.principal_kind,
            head.org,
            head.purpose,
            head.basis,
            head.datasets,
            head.fields,
            head.action,
            head.case,
            head.result,
            head.policy,
            head.counts,
            detail,
        )

    def _who(self, head: Head) -> tuple[str, str]:
        """Id and name of the principal; of a resident whose key is gone, the number alone."""
        try:
            if not head.principal.startswith("#"):
                return head.principal, self._gate.principals.get(head.principal).name
            resident = self._keys.resident(int(head.principal[1:]))
            found = self._gate.principals.by_resident(resident, head.principal_kind) if resident else None
            return (found.id, found.name) if found is not None else (resident or head.principal, "")
        except HuchengError:
            return head.principal, ""


def _holds(people: bytes | None, head: Head, number: int) -> bool:
    """Whether a stored set holds a person, or the person asked."""
    if head.principal == f"#{number}":
        return True
    return people is not None and number in BitMap.deserialize(people)
