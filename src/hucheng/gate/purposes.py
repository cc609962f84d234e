"""Why one asks: the closed list of purposes, each with its legal basis, owner, users and end.

What an app brings (purposes with the fields they would see, policies, and what its datasets grant to purposes of
others) is a *request*. Nothing opens until the data bureau accepts it, with an impact assessment on record (PIPL
arts. 55 and 56). The digest of a purpose covers the purpose and every use that a contract gives it: change one field
of one use, and it must be accepted again. The house's purposes cover the house's contracts only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, tzinfo
from hashlib import sha256
from typing import Any, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import Column, Connection, Table, Text, select

from hucheng.base.catalogue import Catalogue
from hucheng.base.contracts import Use
from hucheng.base.ledger import Instant, Ledger, after_commit, insert, metadata
from hucheng.errors import BadRequest, NotFound, Refused

State = Literal["requested", "accepted", "refused"]

request = Table(
    "request",
    metadata,
    Column("kind", Text, primary_key=True, comment="purpose, policies or uses"),
    Column("id", Text, primary_key=True, comment="of the purpose, or name of the app whose policies or uses they are"),
    Column("app", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("by", Text, nullable=True),
    Column("at", Instant, nullable=False),
    Column("assessment", Text, nullable=True),
)


class Purpose(Struct, frozen=True):
    """Why data is used, and under what law. ``kinds`` of principals may ask; after ``ends`` nobody may."""

    id: str
    title: dict[str, str]
    legal_basis: str
    owner: str
    kinds: tuple[str, ...]
    needs_case: bool = False
    ends: date | None = None
    standing: bool = False


class Request(Struct, frozen=True):
    """Something an app asks for, and what became of it."""

    kind: str
    id: str
    app: str
    digest: str
    state: State
    by: str | None
    at: datetime
    assessment: str | None


BASE: tuple[Purpose, ...] = (
    Purpose(
        "self.access",
        {"zh": "本人查阅", "en": "Access to one's own data"},
        "个人信息保护法 第45条 (PIPL art. 45)",
        "city.data-bureau",
        ("resident",),
    ),
    Purpose(
        "rights.journal",
        {"zh": "查看谁使用了我的数据", "en": "Who used my data"},
        "个人信息保护法 第44条、第50条 (PIPL arts. 44, 50)",
        "city.data-bureau",
        ("resident", "carer"),
    ),
    Purpose(
        "mandate.access",
        {"zh": "受托照护", "en": "Caring under a mandate"},
        "民法典 第33条、第161条；个人信息保护法 第29条 (Civil Code arts. 33, 161; PIPL art. 29)",
        "city.population",
        ("carer",),
    ),
    Purpose(
        "rights.erasure",
        {"zh": "依法删除个人信息", "en": "Erasing a person as the law asks"},
        "个人信息保护法 第47条 (PIPL art. 47)",
        "city.data-bureau",
        ("operator", "officer"),
    ),
    Purpose(
        "rights.appeal",
        {"zh": "申诉与答复", "en": "Appealing, and answering an appeal"},
        "个人信息保护法 第24条、第50条 (PIPL arts. 24, 50)",
        "city.data-bureau",
        ("resident", "carer", "officer"),
    ),
    Purpose(
        "registers.keep",
        {"zh": "登记管理", "en": "Keeping the registers"},
        "个人信息保护法 第8条、第34条 (PIPL arts. 8, 34)",
        "city.population",
        ("operator", "service"),
    ),
    Purpose(
        "node.operate",
        {"zh": "平台运行", "en": "Running the platform"},
        "个人信息保护法 第9条、第51条 (PIPL arts. 9, 51)",
        "city.data-bureau",
        ("operator", "officer"),
    ),
    Purpose(
        "cases.work",
        {"zh": "处理事项", "en": "Working on cases"},
        "个人信息保护法 第13条、第34条 (PIPL arts. 13, 34)",
        "city.operations",
        ("officer", "carer", "service"),
    ),
    Purpose(
        "cases.inspect",
        {"zh": "检查事项", "en": "Inspecting cases"},
        "个人信息保护法 第51条、第54条 (PIPL arts. 51, 54)",
        "city.data-bureau",
        ("operator", "auditor"),
    ),
    Purpose(
        "audit.review",
        {"zh": "审计", "en": "Audit"},
        "个人信息保护法 第54条 (PIPL art. 54)",
        "city.audit",
        ("auditor",),
    ),
    Purpose(
        "city.statistics",
        {"zh": "城市统计", "en": "City statistics"},
        "统计法 第9条；个人信息保护法 第34条 (Statistics Law art. 9; PIPL art. 34)",
        "city.data-bureau",
        ("officer", "auditor", "operator"),
    ),
)
ASSESSED = (
    "随平台提供并经评估：使平台对城中之人负责所必需。"
    "Shipped with the platform and assessed there: what makes the house answerable to the people in it."
)


class Purposes:
    """Purposes and requests, in the ledger. `declare` what is installed, `accept` what may open.

    ``zone``: the city's, in which the day of a purpose's end is over.
    """

    def __init__(
        self,
        ledger: Ledger,
        catalogue: Catalogue,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        zone: tzinfo = UTC,
    ) -> None:
        self._ledger = ledger
        self._catalogue = catalogue
        self._clock = clock
        self._zone = zone
        self._purposes: dict[str, tuple[str, Purpose]] = {purpose.id: ("base", purpose) for purpose in BASE}
        self._policies: dict[str, str] = {}
        self._brought: dict[str, str] = {}
        self._digests: dict[str, str] = {}
        self._states: dict[tuple[str, str], Request] | None = None
        self._lock = threading.Lock()
        self.changes = 0

    def declare(
        self, app: str, purposes: Iterable[Purpose] = (), policies: str = "", datasets: Iterable[str] = ()
    ) -> None:
        """Say what an installed app asks for, and which datasets it brings.

        Raises BadRequest when a purpose belongs to somebody else.
        """
        for purpose in purposes:
            owner = self._purposes.get(purpose.id, (app, purpose))[0]
            if owner != app:
                raise BadRequest(
                    f"purpose {purpose.id!r} belongs to {owner!r}", where=app, mend="name it after the app"
                )
            if not purpose.legal_basis or not purpose.kinds:
                raise BadRequest(f"purpose {purpose.id!r} says no legal basis or nobody who may", where=app)
            self._purposes[purpose.id] = (app, purpose)
            self._digests.pop(purpose.id, None)
        if policies.strip():
            self._policies[app] = policies
        self._brought |= dict.fromkeys(datasets, app)
        self._digests.clear()

    def enrol(self, *, conn: Connection | None = None) -> list[Request]:
        """Enter what is declared as requests in the ledger; returns what waits for acceptance.

        What is there with the same digest stays as it is; with another digest it is a request again. The base's
        own purposes come accepted, with the assessment shipped with them.
        """
        now = self._clock()
        with self._ledger.on(conn) as writing:
            stored = self._load(writing)
            for kind, name, app, digest in self._declared():
                held = stored.get((kind, name))
                if held is not None and held.digest == digest:
                    continue
                shipped = app == "base"
                fresh = {
                    "app": app,
                    "digest": digest,
                    "state": "accepted" if shipped else "requested",
                    "by": "hucheng" if shipped else None,
                    "at": now,
                    "assessment": ASSESSED if shipped else None,
                }
                statement = insert(writing, request).values(kind=kind, id=name, **fresh)
                writing.execute(statement.on_conflict_do_update(index_elements=["kind", "id"], set_=fresh))
            after_commit(writing, self.forget_cached)
            return [one for one in self._load(writing).values() if one.state == "requested"]

    def accept(self, kind: str, name: str, *, by: str, assessment: str, conn: Connection | None = None) -> Request:
        """Accept a request as it is declared now. Raises BadRequest without an assessment, NotFound without request."""
        if len(assessment.strip()) < 20:
            raise BadRequest(
                "an impact assessment must be on record", where=name, mend="say what it risks and why it may"
            )
        return self._settle(kind, name, "accepted", by, assessment, conn)

    def refuse(self, kind: str, name: str, *, by: str, reason: str, conn: Connection | None = None) -> Request:
        """Refuse a request, or take an acceptance back; it closes at once."""
        return self._settle(kind, name, "refused", by, reason, conn)

    def requests(self) -> list[Request]:
        """Every request with its state, by kind and id."""
        return [one for _, one in sorted(self._current().items())]

    def waiting(self) -> list[Request]:
        """Requests that are not accepted as they are declared now, by kind and id."""
        declared = {(kind, name): digest for kind, name, _, digest in self._declared()}
        return [one for one in self.requests() if not _accepted(one, declared.get((one.kind, one.id), one.digest))]

    def named(self, kind: str, name: str) -> dict[str, str]:
        """Kind and id of a request as the journal may hold them in the open: nothing that is not declared."""
        return {"kind": kind, "id": name} if (kind, name) in {(k, n) for k, n, *_ in self._declared()} else {}

    def all(self) -> list[Purpose]:
        """Every declared purpose, accepted or not, by id."""
        return [purpose for _, (_, purpose) in sorted(self._purposes.items())]

    def accepted(self) -> list[Purpose]:
        """The purposes that are accepted as they stand, by id."""
        held = self._current()
        return [one for one in self.all() if _accepted(held.get(("purpose", one.id)), self._digest(one))]

    def granted(self, dataset: str, purpose_id: str) -> None:
        """Raises Refused where an app's dataset grants a purpose of somebody else, and nobody has accepted that."""
        app = self._brought.get(dataset)
        if app is not None and self._purposes[purpose_id][0] != app:
            self._open("uses", app, self._digest_of_uses(app))

    def owner(self, purpose_id: str) -> str:
        """The app that declared a purpose, ``base`` for the base's own."""
        return self._purposes[purpose_id][0]

    def get(self, purpose_id: str) -> Purpose:
        """A purpose in force. Raises Refused when it is unknown, not accepted as it stands, or past its end."""
        if purpose_id not in self._purposes:
            raise Refused(
                f"{purpose_id!r} is no purpose", policy="purpose.listed", needed="a purpose from the closed list"
            )
        _, purpose = self._purposes[purpose_id]
        self._open("purpose", purpose_id, self._digest(purpose))
        if purpose.ends is not None and self._clock().astimezone(self._zone).date() > purpose.ends:
            raise Refused(
                f"the purpose {purpose_id!r} ended on {purpose.ends.isoformat()}",
                policy="purpose.in-force",
                needed="a new purpose with a new assessment",
            )
        return purpose

    def asked(self, app: str) -> str:
        """The policies an app asks for. Raises NotFound when it asks for none."""
        if app not in self._policies:
            raise NotFound(f"{app} asks for no policies", mend="is the app installed?")
        return self._policies[app]

    def policies(self) -> dict[str, str]:
        """Policy texts of apps that are accepted as they stand, by app."""
        found = {}
        for app, text in sorted(self._policies.items()):
            held = self._current().get(("policies", app))
            if _accepted(held, _hash(text)):
                found[app] = text
        return found

    def forget_cached(self) -> None:
        """Read states anew."""
        with self._lock:
            self._states = None
            self.changes += 1

    def _open(self, kind: str, name: str, digest: str) -> None:
        held = self._current().get((kind, name))
        of = f"what {name!r} grants to purposes of others" if kind == "uses" else f"the {kind} {name!r}"
        if held is None or held.state == "requested":
            what = f"{of} is a request: nobody has accepted it"
        elif held.state == "refused":
            what = f"{of} was refused"
        elif held.digest != digest:
            what = f"{of} is not what was accepted: it changed since"
        else:
            return
        raise Refused(what, policy=f"{kind}.accepted", needed="acceptance by the data bureau with an impact assessment")

    def _settle(self, kind: str, name: str, state: State, by: str, assessment: str, conn: Connection | None) -> Request:
        declared = {(k, n): (app, digest) for k, n, app, digest in self._declared()}
        if (kind, name) not in declared:
            raise NotFound(f"nobody asks for the {kind} {name!r}", mend="is the app installed?")
        app, digest = declared[kind, name]
        settled = Request(kind, name, app, digest, state, by, self._clock(), assessment)
        fresh = {n: getattr(settled, n) for n in ("app", "digest", "state", "by", "at", "assessment")}
        with self._ledger.on(conn) as writing:
            statement = insert(writing, request).values(kind=kind, id=name, **fresh)
            writing.execute(statement.on_conflict_do_update(index_elements=["kind", "id"], set_=fresh))
            after_commit(writing, self.forget_cached)
        return settled

    def _declared(self) -> list[tuple[str, str, str, str]]:
        asked = [("purpose", p.id, app, self._digest(p)) for app, p in self._purposes.values()]
        asked += [("policies", app, app, _hash(text)) for app, text in self._policies.items()]
        givers = sorted(app for app in set(self._brought.values()) if self._uses_of(app))
        return asked + [("uses", app, app, self._digest_of_uses(app)) for app in givers]

    def _digest(self, purpose: Purpose) -> str:
        if (known := self._digests.get(purpose.id)) is not None:
            return known
        house = self._purposes[purpose.id][0] == "base"
        uses = {
            c.id: c.uses[purpose.id]
            for c in self._catalogue
            if purpose.id in c.uses and not (house and c.id in self._brought)
        }
        found = _hash({"purpose": purpose, "uses": dict(sorted(uses.items()))})
        self._digests[purpose.id] = found
        return found

    def _uses_of(self, app: str) -> dict[str, dict[str, Use]]:
        """What an app's datasets grant to purposes that are not its own, by dataset and purpose."""
        found = {}
        for contract in self._catalogue:
            if self._brought.get(contract.id) == app:
                others = {n: use for n, use in contract.uses.items() if self._purposes.get(n, ("", None))[0] != app}
                if others:
                    found[contract.id] = others
        return found

    def _digest_of_uses(self, app: str) -> str:
        key = f"uses of {app}"
        if key not in self._digests:
            self._digests[key] = _hash(self._uses_of(app))
        return self._digests[key]

    def _current(self) -> dict[tuple[str, str], Request]:
        states = self._states
        if states is None:
            changes = self.changes
            with self._ledger.read() as conn:
                states = self._load(conn)
            with self._lock:
                if changes == self.changes:  # what was read before a change must not be kept after it
                    self._states = states
        return states

    @staticmethod
    def _load(conn: Connection) -> dict[tuple[str, str], Request]:
        names = Request.__struct_fields__
        rows = conn.execute(select(*(request.c[name] for name in names))).all()
        return {(row.kind, row.id): Request(*row) for row in rows}


def _accepted(held: Request | None, digest: str) -> bool:
    return held is not None and held.state == "accepted" and held.digest == digest


def _hash(value: Any) -> str:
    return sha256(msgspec.json.encode(value, order="sorted")).hexdigest()
