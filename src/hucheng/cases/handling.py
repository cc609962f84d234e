"""What happens to a case: it is opened or joined, climbs the roster by its timers, and moves by deeds.

Every function works inside the caller's transaction: case, history, timers, notices and what is owed become durable
together or not at all, so that a process killed at any moment neither loses nor doubles a step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, select, update

from hucheng.base.ledger import insert
from hucheng.cases import outbox, owing
from hucheng.cases.clock import instant, micros
from hucheng.cases.history import History, Line
from hucheng.cases.models import Models
from hucheng.cases.processes import Model, Service
from hucheng.cases.rosters import Contact, Rosters, scopes_of
from hucheng.cases.running import Moved, Running, Stand, Timer, unpacked
from hucheng.cases.tables import case_called, case_decision, case_file, case_state, case_timer
from hucheng.cases.words import OWED
from hucheng.decisions.bodies import Bodies
from hucheng.decisions.findings import Finding
from hucheng.decisions.record import Appeal, Decision
from hucheng.errors import CaseError, NotFound
from hucheng.gate import Principal

ANSWER_WITHIN = timedelta(hours=24)
"""How soon the resident and whoever was called are to hear what came of it."""
APPEAL_WITHIN = timedelta(days=15)
"""How soon a human answers an appeal."""
LONGEST = 10
"""The longest wait for the last tier, in waits of the process."""


@dataclass(frozen=True)
class Place:
    """Where a resident belongs: the community, the path to it from the root, its name."""

    community: str
    path: tuple[str, ...]
    title: dict[str, str]


@dataclass(frozen=True)
class Handling:
    """The parts a case needs. ``place_of`` tells where a resident belongs, from the register."""

    bodies: Bodies
    history: History
    models: Models
    rosters: Rosters
    place_of: Callable[[str], Place]
    place: Callable[[str], Place]
    site: str = ""
    own_addresses: tuple[str, ...] = ()
    titles: Mapping[str, dict[str, str]] = field(default_factory=dict)
    """Title of a case by its rule; the process's own title where there is none."""

    def open_or_join(
        self, conn: Connection, finding: Finding, decision: str, now: datetime, *, new: bool = False
    ) -> tuple[str, bool]:
        """Open a case for a decision, or join the open one of the same resident, kind and rule.

        Returns the case's id and whether it is new. A decision that has its case changes nothing; ``new``: the
        decision was just recorded, so it has none.
        """
        if not new:
            known = select(case_decision.c.case_id).where(case_decision.c.decision_id == decision)
            if (case_id := conn.execute(known).scalar()) is not None:
                return str(case_id), False
        named = msgspec.json.encode((finding.resident_id, finding.kind, finding.rule))
        key = hashlib.sha256(named).hexdigest()
        row = conn.execute(select(case_file).where(case_file.c.open_key == key)).first()
        if row is not None:
            self._join(conn, row, finding, decision, now)
            return str(row.id), False
        return self._open(conn, key, finding, decision, now), True

    def fire(self, conn: Connection, case_id: str, task: str, now: datetime) -> bool:
        """A timer of a case ran out; False where it no longer waits."""
        mine = (case_timer.c.case_id == case_id) & (case_timer.c.task == task)
        timer = conn.execute(delete(case_timer).where(mine).returning(case_timer.c.step)).scalar()
        if timer is None:
            return False
        row = self._row(conn, case_id)
        model = self.models.of_digest(conn, row.model)
        after = self.models.after(model, row.process, task)
        if after is None:
            self._set_due(conn, case_id)
            return False
        stand, moved = after
        called = row.step in model.steps and model.steps[row.step].phase == "called"
        lines: list[Line] = []
        if called and self.history.last(conn, case_id) != "nobody":
            lines = [Line("no_answer", tier=row.tier, values={"seconds": int(model.timers[timer])})]
        self.apply(conn, row, stand, moved, now, lines)
        return True

    def appealed(self, conn: Connection, of: Decision, filed: Appeal, by: Principal, now: datetime) -> None:
        """A resident appeals: from now on the desk owes an answer, in the case that the decision opened."""
        row = self._of_decision(conn, of.id)
        if row is not None:
            self.history.write(conn, row.id, row.resident_id, now, [Line("appealed", by.id, values={"name": by.name})])
            owing.owe(conn, row, "appeal", to=filed.by, now=now, turn=filed.id, within=APPEAL_WITHIN)

    def appeal_answered(self, conn: Connection, of: Decision, filed: Appeal, by: Principal, now: datetime) -> None:
        """A human answered: nothing is owed for it any more; a decision that it made stands in the same case."""
        row = self._of_decision(conn, of.id)
        if row is not None:
            line = Line("answered", by.id, values={"name": by.name, "text": OWED["appeal"]})
            lines = [line, Line("upheld" if filed.result == "upheld" else "rejected", by.id, values={"name": by.name})]
            self.history.write(conn, row.id, row.resident_id, now, lines)
            owing.settle(conn, row.id, ["appeal"], by.id, now)
            if of.superseded_by is not None:
                linked = {"decision_id": of.superseded_by, "case_id": row.id, "at": now}
                conn.execute(insert(conn, case_decision).on_conflict_do_nothing(), [linked])

    @staticmethod
    def _of_decision(conn: Connection, decision: str) -> Any:
        query = select(case_file).join(case_decision, case_decision.c.case_id == case_file.c.id)
        return conn.execute(query.where(case_decision.c.decision_id == decision)).first()

    def load(self, conn: Connection, case_id: str) -> tuple[Any, Running]:
        """The row and the running process of a case. Raises NotFound."""
        row = self._row(conn, case_id)
        return row, Running.restore(self.models.of_digest(conn, row.model), unpacked(row.process))

    def running(self, conn: Connection, case_id: str) -> Running:
        """The process of a case as it stands. Raises NotFound where it was erased."""
        return self.load(conn, case_id)[1]

    def apply(
        self,
        conn: Connection,
        row: Any,
        stand: Stand,
        moved: Moved,
        now: datetime,
        lines: Sequence[Line] = (),
        **changes: Any,
    ) -> None:
        """Store what a move made of a case: timers, calls, state, and the changes that the deed brings.

        ``lines`` are written in the history first. Raises CaseError where somebody else changed the case meanwhile.
        """
        begun = self._begin(conn, row.id, moved, now, self._patience(conn, row, stand.model, moved))
        if moved.gone:
            gone = (case_timer.c.case_id == row.id) & case_timer.c.task.in_(moved.gone)
            conn.execute(delete(case_timer).where(gone))
        tier = row.tier
        for service in moved.services:
            if service.do == "call":
                tier = service.tier
                begun = self._call(conn, row, stand.model.tiers, service, moved, now, *lines) or begun
                lines = ()
            else:
                self._remind(conn, row, service, now)
        self.history.write(conn, row.id, row.resident_id, now, lines)
        conn.execute(update(case_state).where(case_state.c.case_id == row.id).values(state=stand.state))
        known = stand.waiting == len(moved.begun)
        done = conn.execute(
            update(case_file)
            .where(case_file.c.id == row.id, case_file.c.version == row.version)
            .values(
                state="closed" if stand.step is None else _STATES[stand.step.phase],
                step=stand.step.id if stand.step else None,
                tier=tier,
                version=row.version + 1,
                due_us=begun if known else self._next(conn, row.id),
                **changes,
            )
        )
        if not done.rowcount:
            raise CaseError("somebody else changed the case meanwhile", where=row.id, mend="look again, then act")

    def note(self, conn: Connection, row: Any, what: str, now: datetime, *lines: Line, **values: Any) -> None:
        """Write one line of the node's own in the history of a case, and then further ones."""
        tier = values.pop("tier", None)
        first = Line(what, tier=tier, values=values)
        self.history.write(conn, row.id, row.resident_id, now, [first, *lines])

    def tell(
        self, conn: Connection, row: Any, contacts: Sequence[Contact | None], turn: str, now: datetime, handed: bool
    ) -> None:
        """Put notices about a case in the outbox; None stands for the node's own addresses."""
        words: dict[str, Any] = {
            "tier": row.tier,
            "case": row.id,
            "title": self.models.of_kind(row.kind).title if row.kind in self.models.kinds else row.kind,
            "community": self.place(row.community).title,
            "url": f"{self.site}/desk/cases/{row.id}",
            "simulated": _SIMULATED if row.simulated else "",
        }
        for contact in contacts:
            told = words | {"tier": contact.tier if contact else row.tier}
            outbox.enqueue(
                conn,
                case_id=row.id,
                turn=turn,
                contact=contact,
                own=self.own_addresses,
                words=told,
                handed=handed,
                now=now,
            )

    def _open(self, conn: Connection, key: str, finding: Finding, decision: str, now: datetime) -> str:
        model = self.models.of_kind(finding.kind)
        stand, moved = self.models.begun(model, finding.urgent)
        assert stand.step is not None
        place = self.place_of(finding.resident_id)
        name = "c-" + hashlib.sha256(decision.encode()).hexdigest()[:12]
        body = {
            "title": self.titles.get(finding.rule, model.title),
            "text": finding.text,
            "reasons": msgspec.to_builtins(finding.reasons, builtin_types=(datetime,)),
        }
        values: dict[str, Any] = {
            "id": name,
            "kind": finding.kind,
            "rule": finding.rule,
            "resident_id": finding.resident_id,
            "open_key": key,
            "is_open": True,
            "community": place.community,
            "org": "/".join(place.path) + "/",
            "body": self.bodies.seal(conn, finding.resident_id, f"case/{name}", body),
            "opened_at": now,
            "state": _STATES[stand.step.phase],
            "step": stand.step.id,
            "tier": max((service.tier for service in moved.services), default=0),
            "joined": 0,
            "simulated": finding.simulated,
            "urgent": finding.urgent,
            "assigned_to": None,
            "version": 1,
        }
        row = SimpleNamespace(**values)
        due = self._begin(conn, name, moved, now)
        opened = [Line("opened", values={"text": finding.text})]
        for service in moved.services:
            due = self._call(conn, row, model.tiers, service, moved, now, *opened) or due
            opened = []
        self.models.keep(conn, model, now)
        conn.execute(case_file.insert(), values | {"due_us": due})
        conn.execute(case_decision.insert(), {"decision_id": decision, "case_id": name, "at": now})
        conn.execute(case_state.insert(), {"case_id": name, "model": model.digest, "state": stand.state})
        owing.owe(conn, row, "resident", to=finding.resident_id, now=now, within=ANSWER_WITHIN)
        return name

    def _join(self, conn: Connection, row: Any, finding: Finding, decision: str, now: datetime) -> None:
        conn.execute(case_decision.insert(), {"decision_id": decision, "case_id": row.id, "at": now})
        self.note(conn, row, "joined", now, text=finding.text)
        conn.execute(
            update(case_file)
            .where(case_file.c.id == row.id)
            .values(
                joined=case_file.c.joined + 1,
                version=case_file.c.version + 1,
                urgent=row.urgent or finding.urgent,
                simulated=row.simulated and finding.simulated,
            )
        )

    def _call(
        self, conn: Connection, row: Any, tiers: int, service: Service, moved: Moved, now: datetime, *before: Line
    ) -> int | None:
        """Call whoever is on duty in a tier; where nobody is, the next tier is due at once: then gives that instant."""
        scopes = scopes_of(row.resident_id, [part for part in row.org.split("/") if part])
        contacts = self.rosters.called(conn, scopes, service.tier, now)
        lines = [Line("called", tier=service.tier, values={"name": one.name}) for one in contacts]
        known = [
            {"case_id": row.id, "who": who, "tier": service.tier, "at": now}
            for who in dict.fromkeys(one.who for one in contacts)
            if who is not None
        ]
        if known:
            conn.execute(insert(conn, case_called).on_conflict_do_nothing(), known)
        last = service.tier >= tiers
        if not contacts:
            lines = [Line("nobody", tier=service.tier)]
            if not last and moved.begun:
                soon = case_timer.c.task.in_([timer.task for timer in moved.begun])
                conn.execute(update(case_timer).where(case_timer.c.case_id == row.id, soon).values(due_us=micros(now)))
        self.history.write(conn, row.id, row.resident_id, now, [*before, *lines])
        also: list[Contact | None] = [None] if self.own_addresses and (service.tier == 1 or last) else []
        turn = f"{service.tier}/{moved.begun[0].task if moved.begun else ''}/{row.version}"
        self.tell(conn, row, [*contacts, *also], turn, now, handed=False)
        return None if contacts or last else micros(now)

    def _remind(self, conn: Connection, row: Any, service: Service, now: datetime) -> None:
        """A promise ran out: the desk owes it to the resident to look."""
        self.note(conn, row, "reminder", now, title=service.title)
        owing.owe(
            conn,
            row,
            "promise",
            to=row.resident_id,
            now=now,
            turn=f"{service.id}/{row.version}",
            owner=(row.assigned_to, row.assigned_name) if row.assigned_to else None,
            within=timedelta(),
            title=service.title,
        )

    @staticmethod
    def _begin(conn: Connection, case_id: str, moved: Moved, now: datetime, patience: int = 1) -> int | None:
        """Store the timers that begin; the poller fires each when it is due, however often the process dies.

        Gives the earliest.
        """
        dues = [_due(timer, now, patience) for timer in moved.begun]
        timers = [
            {"case_id": case_id, "task": timer.task, "step": timer.step, "due_us": due}
            for timer, due in zip(moved.begun, dues, strict=True)
        ]
        if timers:
            conn.execute(case_timer.insert(), timers)
        return min(dues, default=None)

    def _patience(self, conn: Connection, row: Any, model: Model, moved: Moved) -> int:
        """By how much the wait for the last tier is longer: it is called again for ever, but not ever as often.

        Five times at the wait of the process, then at growing waits up to ten times as long.
        """
        again = row.tier == model.tiers and any(service.do == "call" for service in moved.services)
        return min(LONGEST, max(1, self.history.count(conn, row.id, "no_answer", row.tier) - 3)) if again else 1

    @staticmethod
    def _row(conn: Connection, case_id: str) -> Any:
        """The row of a case with its ``model`` and ``process``. Raises NotFound."""
        kept = select(case_file, case_state.c.model, case_state.c.state.label("process"))
        row = conn.execute(
            kept.join(case_state, case_state.c.case_id == case_file.c.id).where(case_file.c.id == case_id)
        ).first()
        if row is None:
            raise NotFound(f"no case {case_id!r}")
        return row

    @staticmethod
    def _next(conn: Connection, case_id: str) -> int | None:
        query = select(func.min(case_timer.c.due_us)).where(case_timer.c.case_id == case_id)
        return conn.execute(query).scalar()

    def _set_due(self, conn: Connection, case_id: str) -> None:
        due = self._next(conn, case_id)
        conn.execute(update(case_file).where(case_file.c.id == case_id).values(due_us=due))


_STATES = {"called": "calling", "taken": "taken", "way": "visiting", "there": "visiting"}
_SIMULATED = {"zh": "【模拟信号】", "en": "[simulated signal]"}


def _due(timer: Timer, now: datetime, patience: int = 1) -> int:
    """When a timer that begins now runs out, in microseconds since 1970."""
    return micros(now) + int(timer.seconds * patience * 1_000_000)


def due_timers(conn: Connection, now: datetime, limit: int = 200) -> list[tuple[str, str]]:
    """Case and task of every timer that ran out, the oldest first."""
    query = select(case_timer.c.case_id, case_timer.c.task).where(case_timer.c.due_us <= micros(now))
    return [(row.case_id, row.task) for row in conn.execute(query.order_by(case_timer.c.due_us).limit(limit))]


def next_due(conn: Connection) -> datetime | None:
    """When the next timer runs out."""
    found = conn.execute(select(func.min(case_timer.c.due_us))).scalar()
    return instant(int(found)) if found is not None else None


def shift_due(conn: Connection, apart: timedelta) -> int:
    """Move every due time by as much as the clock has jumped; returns how many timers moved."""
    delta = apart // timedelta(microseconds=1)
    moved = conn.execute(update(case_timer).values(due_us=case_timer.c.due_us + delta)).rowcount
    waiting = case_file.c.due_us.is_not(None) & case_file.c.is_open
    conn.execute(update(case_file).where(waiting).values(due_us=case_file.c.due_us + delta))
    return int(moved)
