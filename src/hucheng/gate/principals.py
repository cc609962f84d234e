"""Who asks: principals in the organisation tree (nation, province, city, district, street, community; beside it
departments and enterprises)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct, structs
from sqlalchemy import Column, Connection, Index, Table, Text, select

from hucheng.base.ledger import Instant, Json, Ledger, after_commit, insert, metadata
from hucheng.errors import BadRequest, NotFound, Refused

Kind = Literal["resident", "carer", "officer", "auditor", "operator", "service"]
Level = Literal["nation", "province", "city", "district", "street", "community", "department", "enterprise"]
LEVELS: tuple[str, ...] = ("nation", "province", "city", "district", "street", "community")

organisation = Table(
    "organisation",
    metadata,
    Column("id", Text, primary_key=True),
    Column("parent", Text, nullable=True),
    Column("level", Text, nullable=False),
    Column("title", Json, nullable=False),
    Index("ix_organisation_parent", "parent"),
)

principal = Table(
    "principal",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("org", Text, nullable=False),
    Column("roles", Json, nullable=False),
    Column("resident_id", Text, nullable=True, index=True),
    Column("subject", Text, nullable=True, unique=True, comment="issuer and subject at the identity provider"),
    Column("ended_at", Instant, nullable=True),
)


class Org(Struct, frozen=True):
    """A place in the tree; ``parent`` is None at the root only."""

    id: str
    parent: str | None
    level: Level
    title: dict[str, str]


class Principal(Struct, frozen=True):
    """Whoever asks the gate; ``org`` is the path from the root of the tree to the principal's own place."""

    id: str
    kind: Kind
    name: str
    org: tuple[str, ...]
    roles: tuple[str, ...] = ()
    resident_id: str | None = None


class Principals:
    """The organisation tree and its principals, in the ledger; read from memory after the first time."""

    def __init__(self, ledger: Ledger, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._ledger = ledger
        self._clock = clock
        self._orgs: dict[str, Org] | None = None
        self._below: dict[str, frozenset[str]] = {}
        self._people: dict[str, tuple[Principal, datetime | None]] = {}
        self._changes = 0  # what was read before a change must not be kept after it
        self._lock = threading.Lock()

    def put_orgs(self, orgs: Iterable[Org], *, conn: Connection | None = None) -> None:
        """Enter or change places. Raises BadRequest when a parent is missing, or a place would be below itself."""
        fresh = {org.id: org for org in orgs}
        with self._ledger.on(conn) as writing:
            tree = self._load_orgs(writing) | fresh
            for org in fresh.values():
                _path(tree, org.id)
            rows = [structs.asdict(org) for org in fresh.values()]
            for row in rows:
                change = {name: row[name] for name in ("parent", "level", "title")}
                statement = insert(writing, organisation).values(row)
                writing.execute(statement.on_conflict_do_update(index_elements=["id"], set_=change))
            after_commit(writing, self.forget_cached)

    def put(
        self,
        principals: Iterable[Principal],
        *,
        subjects: dict[str, str] | None = None,
        conn: Connection | None = None,
    ) -> None:
        """Enter or change principals; ``subjects`` gives, by id, who they are at the identity provider.

        Whoever is not in ``subjects`` keeps the identity they have, and whose time ended stays ended (`revive`).
        Raises BadRequest when a place is not in the tree.
        """
        given = list(principals)
        with self._ledger.on(conn) as writing:
            tree = self._load_orgs(writing)
            rows = []
            for one in given:
                if not one.org or one.org[-1] not in tree or _path(tree, one.org[-1]) != one.org:
                    raise BadRequest(
                        f"{one.id}: {'/'.join(one.org)} is no path of the tree", mend="enter the place first"
                    )
                rows.append(
                    {
                        "id": one.id,
                        "kind": one.kind,
                        "name": one.name,
                        "org": one.org[-1],
                        "roles": list(one.roles),
                        "resident_id": one.resident_id,
                    }
                )
            known = subjects or {}
            named = [row | {"subject": known[str(row["id"])]} for row in rows if row["id"] in known]
            others = [row for row in rows if row["id"] not in known]
            for some in (named, others):
                if some:
                    statement = insert(writing, principal)
                    change = {name: statement.excluded[name] for name in some[0] if name != "id"}
                    writing.execute(statement.on_conflict_do_update(index_elements=["id"], set_=change), some)
            after_commit(writing, self.forget_cached)

    def revive(self, principal_ids: Iterable[str], *, conn: Connection | None = None) -> None:
        """Let principals whose time ended ask again."""
        with self._ledger.on(conn) as writing:
            for one in principal_ids:
                writing.execute(principal.update().where(principal.c.id == one).values(ended_at=None))
            after_commit(writing, self.forget_cached)

    def end(self, principal_id: str, at: datetime | None = None, *, conn: Connection | None = None) -> None:
        """Let a principal ask nothing any more from ``at`` (None: now)."""
        with self._ledger.on(conn) as writing:
            change = principal.update().where(principal.c.id == principal_id)
            if not writing.execute(change.values(ended_at=at or self._clock())).rowcount:
                raise NotFound(f"no principal {principal_id!r}")
            after_commit(writing, self.forget_cached)

    def erase(self, resident_id: str, *, conn: Connection | None = None) -> list[str]:
        """Delete every principal who is this resident; gives the ids they had."""
        with self._ledger.on(conn) as writing:
            mine = principal.c.resident_id == resident_id
            gone = list(writing.execute(select(principal.c.id).where(mine)).scalars())
            writing.execute(principal.delete().where(mine))
            after_commit(writing, self.forget_cached)
        return gone

    def get(self, principal_id: str) -> Principal:
        """A principal in force. Raises Refused when nobody has this id, or not any longer."""
        found = self._people.get(principal_id)
        if found is None:
            changes = self._changes
            with self._ledger.read() as conn:
                row = conn.execute(select(principal).where(principal.c.id == principal_id)).first()
            if row is None:
                raise Refused("nobody of this name may ask", policy="principal.known", needed="an entry as principal")
            found = self._shaped(row), row.ended_at
            with self._lock:
                if changes == self._changes:
                    self._people[principal_id] = found
        if found[1] is not None and found[1] <= self._clock():
            raise Refused(
                "this principal's time ended",
                where=principal_id,
                policy="principal.in-force",
                needed=f"an entry that lasts beyond {found[1].date().isoformat()}",
            )
        return found[0]

    def known(self, principal_id: str) -> Principal | None:
        """The principal of this id, also one whose time ended; None when nobody has it."""
        with self._ledger.read() as conn:
            row = conn.execute(select(principal).where(principal.c.id == principal_id)).first()
        return self._shaped(row) if row is not None else None

    def held(self, ids: Collection[str]) -> dict[str, tuple[Principal, str | None, bool]]:
        """Of these ids those that are entered: who, their identity at the provider, and whether their time ended."""
        found: dict[str, tuple[Principal, str | None, bool]] = {}
        now, asked = self._clock(), list(ids)
        with self._ledger.read() as conn:
            for start in range(0, len(asked), 400):
                rows = conn.execute(select(principal).where(principal.c.id.in_(asked[start : start + 400])))
                for row in rows:
                    over = row.ended_at is not None and row.ended_at <= now
                    found[row.id] = self._shaped(row), row.subject, over
        return found

    def kind_of(self, principal_id: str) -> Kind | None:
        """Of which kind this principal is, also one whose time ended; None when nobody has this id."""
        try:
            return self.get(principal_id).kind
        except Refused:
            found = self.known(principal_id)
            return found.kind if found is not None else None

    def by_subject(self, subject: str) -> Principal | None:
        """The principal with this identity at the identity provider; None when there is none."""
        with self._ledger.read() as conn:
            found = conn.execute(select(principal.c.id).where(principal.c.subject == subject)).scalar()
        return self.get(found) if found is not None else None

    def by_resident(self, resident_id: str, kind: str) -> Principal | None:
        """The principal of a kind who is this resident; None when there is none in force.

        Whoever signs in goes before the holders of help links, who stand for a device.
        """
        query = select(principal.c.id).where(principal.c.resident_id == resident_id, principal.c.kind == kind)
        with self._ledger.read() as conn:
            found = conn.execute(query.order_by(principal.c.id.startswith("help:"), principal.c.id)).scalar()
        try:
            return self.get(found) if found is not None else None
        except Refused:
            return None

    def all(self, *, kind: str | None = None, role: str | None = None, org: str | None = None) -> list[Principal]:
        """Principals in force, by id: of a kind, with a role, at or below a place."""
        query = select(principal).order_by(principal.c.id)
        if kind is not None:
            query = query.where(principal.c.kind == kind)
        with self._ledger.read() as conn:
            rows = conn.execute(query).all()
        now = self._clock()
        found = [self._shaped(row) for row in rows if row.ended_at is None or row.ended_at > now]
        return [p for p in found if (role is None or role in p.roles) and (org is None or org in p.org)]

    def org(self, org_id: str) -> Org:
        """A place. Raises NotFound."""
        try:
            return self._tree()[org_id]
        except KeyError:
            raise NotFound(f"no place {org_id!r} in the organisation tree") from None

    def orgs(self) -> Sequence[Org]:
        """Every place, by id."""
        return [org for _, org in sorted(self._tree().items())]

    def path(self, org_id: str) -> tuple[str, ...]:
        """The path from the root to a place. Raises NotFound."""
        self.org(org_id)
        return _path(self._tree(), org_id)

    def below(self, org_id: str) -> frozenset[str]:
        """A place and every place below it."""
        changes = self._changes
        tree = self._tree()
        found = self._below.get(org_id)
        if found is None:
            found = frozenset(one for one in tree if org_id in _path(tree, one))
            with self._lock:
                if changes == self._changes:
                    self._below[org_id] = found
        return found

    def area(self, asking: Principal) -> frozenset[str]:
        """The places a principal answers for: their own and all below; a department answers for its parent's.

        A department or enterprise stands beside the tree of places: its area is the place it belongs to.
        """
        place = self.org(asking.org[-1])
        while place.level not in LEVELS and place.parent is not None:
            place = self.org(place.parent)
        return self.below(place.id)

    def warm(self) -> None:
        """Take all principals into memory in one pass."""
        changes = self._changes
        with self._ledger.read() as conn:
            rows = conn.execute(select(principal)).all()
        found = {row.id: (self._shaped(row), row.ended_at) for row in rows}
        with self._lock:
            if changes == self._changes:
                self._people.update(found)

    def forget_cached(self) -> None:
        """Read everything anew."""
        with self._lock:
            self._changes += 1
            self._orgs = None
            self._below.clear()
            self._people.clear()

    def _tree(self) -> dict[str, Org]:
        tree = self._orgs
        if tree is None:
            changes = self._changes
            with self._ledger.read() as conn:
                tree = self._load_orgs(conn)
            with self._lock:
                if changes == self._changes:
                    self._orgs = tree
        return tree

    @staticmethod
    def _load_orgs(conn: Connection) -> dict[str, Org]:
        return {row.id: Org(row.id, row.parent, row.level, row.title) for row in conn.execute(select(organisation))}

    def _shaped(self, row: Any) -> Principal:
        return Principal(row.id, row.kind, row.name, self.path(row.org), tuple(row.roles), row.resident_id)


def _path(tree: dict[str, Org], org_id: str) -> tuple[str, ...]:
    path: list[str] = []
    here: str | None = org_id
    while here is not None:
        if here in path:
            raise BadRequest(f"{org_id!r} would be below itself", mend="mend the parents")
        if here not in tree:
            raise BadRequest(f"place {here!r} is not in the tree", mend="enter the parent first or in the same call")
        path.append(here)
        here = tree[here].parent
    return tuple(reversed(path))
