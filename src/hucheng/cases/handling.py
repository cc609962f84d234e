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
from sqlalchemy import Connection, func, select, update

from hucheng.base.ledger import insert
from hucheng.cases import outbox, owing
from hucheng.cases.clock import instant, micros
from hucheng.cases.history import History, Line
from hucheng.cases.models import Models
from hucheng.cases.moving import STATES, Moving
from hucheng.cases.processes import Service
from hucheng.cases.rosters import Contact, Rosters
from hucheng.cases.running import Moved, Running, Stand, unpacked
from hucheng.cases.tables import case_decision, case_file, case_state, case_timer
from hucheng.cases.words import OWED, length
from hucheng.decisions.bodies import Bodies
from hucheng.decisions.findings import Finding
from hucheng.decisions.record import Appeal, Decision
from hucheng.errors import NotFound
from hucheng.gate import Principal

ANSWER_WITHIN = timedelta(hours=24)
"""How soon the resident and whoever was called are to hear what came of it."""
APPEAL_WITHIN = timedelta(days=15)
"""How soon a human answers an appeal."""
LONGEST = 10
"""The longest wait for the last tier, in waits of the process."""


def patience(missed: int) -> int:
    """How long the last tier is waited for when nobody answered there so often before, in waits of the process.

    >>> [patience(missed) for missed in (0, 4, 5, 6, 30)]
    [1, 1, 1, 2, 10]
    """
    return min(LONGEST, max(1, missed - 4))


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
    """Title of a case by its rule, or ``rule/dataset``; the process's own title where there is none."""

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

    def fire(self, conn: Connection, due: Sequence[tuple[str, str]], now: datetime) -> int:
        """Timers (case and task) ran out, one a case: their cases move together. Gives how many moved.

        A timer that does not wait any more moves nothing; a second one of the same case stays due.
        """
        tasks: dict[str, str] = {}
        for case_id, task in due:
            tasks.setdefault(case_id, task)
        rows = self._rows(conn, list(tasks))
        moving = self._moving(conn, now)
        moving.know(rows)
        last = self.history.last(conn, list(tasks))
        longest = [row.id for row in rows if row.tier == self.models.of_digest(conn, row.model).tiers]
        missed = self.history.unanswered(conn, longest)
        moved = sum(
            self._runs_out(moving, row, tasks[row.id], last.get(row.id), missed.get((row.id, row.tier), 0))
            for row in rows
        )
        moving.write()
        return moved

    def _runs_out(self, moving: Moving, row: Any, task: str, last: str | None, missed: int) -> bool:
        """``last``: what the last line of its history is about; ``missed``: how often its last tier gave no answer."""
        step = moving.runs_out(row.id, task)
        if step is None:
            return False
        model = self.models.of_digest(moving.conn, row.model)
        after = self.models.after(model, row.process, task)
        if after is None:
            moving.stays(row)
            return False
        stand, moved = after
        lines: list[Line] = []
        if row.step in model.steps and model.steps[row.step].phase == "called" and last != "nobody":
            waited = model.timers[step] * (patience(missed) if row.tier == model.tiers else 1)
            lines = [Line("no_answer", tier=row.tier, values={"within": length(waited)})]
        again = row.tier == model.tiers and any(service.do == "call" for service in moved.services)
        moving.apply(row, stand, moved, lines, patience=patience(missed + len(lines)) if again else 1)
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

    def apply(self, conn: Connection, row: Any, stand: Stand, moved: Moved, now: datetime, **changes: Any) -> None:
        """Store what a move made of a case: timers, calls, state, and the changes that the deed brings.

        Raises CaseError where somebody else changed the case meanwhile.
        """
        moving = self._moving(conn, now)
        moving.know([row])
        moving.apply(row, stand, moved, **changes)
        moving.write()

    def note(self, conn: Connection, row: Any, what: str, now: datetime, *lines: Line, **values: Any) -> None:
        """Write one line of the node's own in the history of a case, and then further ones."""
        tier = values.pop("tier", None)
        first = Line(what, tier=tier, values=values)
        self.history.write(conn, row.id, row.resident_id, now, [first, *lines])

    def tell(
        self, conn: Connection, row: Any, contacts: Sequence[Contact | None], turn: str, now: datetime, handed: bool
    ) -> None:
        """Put notices about a case in the outbox; None stands for the node's own addresses."""
        outbox.put(conn, self._notices(row, contacts, turn, now, handed))

    def _notices(
        self, row: Any, contacts: Sequence[Contact | None], turn: str, now: datetime, handed: bool
    ) -> list[dict[str, Any]]:
        words: dict[str, Any] = {
            "tier": row.tier,
            "case": row.id,
            "title": self.models.of_kind(row.kind).title if row.kind in self.models.kinds else row.kind,
            "community": self.place(row.community).title,
            "url": f"{self.site}/desk/cases/{row.id}",
            "simulated": _SIMULATED if row.simulated else "",
        }
        return [
            notice
            for contact in contacts
            for notice in outbox.notices(
                case_id=row.id,
                turn=turn,
                contact=contact,
                own=self.own_addresses,
                words=words | {"tier": contact.tier if contact else row.tier},
                handed=handed,
                now=now,
            )
        ]

    def _open(self, conn: Connection, key: str, finding: Finding, decision: str, now: datetime) -> str:
        model = self.models.of_kind(finding.kind)
        stand, moved = self.models.begun(model, finding.urgent)
        assert stand.step is not None
        place = self.place_of(finding.resident_id)
        name = "c-" + hashlib.sha256(decision.encode()).hexdigest()[:12]
        body = {
            "title": self.titles.get(f"{finding.rule}/{finding.dataset}") or self.titles.get(finding.rule, model.title),
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
            "state": STATES[stand.step.phase],
            "step": stand.step.id,
            "tier": max((service.tier for service in moved.services), default=0),
            "joined": 0,
            "simulated": finding.simulated,
            "urgent": finding.urgent,
            "assigned_to": None,
            "version": 1,
        }
        row = SimpleNamespace(**values)
        moving = self._moving(conn, now)
        moving.opens(row)
        _, due = moving.begin(row, moved, model.tiers, [Line("opened", values={"text": finding.text})])
        moving.write()
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

    def _moving(self, conn: Connection, now: datetime) -> Moving:
        """Moves of cases, to be told of which, and what they are, and then written."""
        return Moving(
            conn,
            now,
            self.history,
            self.rosters,
            tell=lambda row, contacts, turn: self._notices(row, contacts, turn, now, handed=False),
            remind=lambda row, service: self._remind(conn, row, service, now),
            own=bool(self.own_addresses),
        )

    def _remind(self, conn: Connection, row: Any, service: Service, now: datetime) -> None:
        """A promise ran out: the desk owes it to the resident to look."""
        owing.owe(
            conn,
            row,
            "promise",
            to=row.resident_id,
            now=now,
            turn=f"{service.id}/{row.version}",
            owner=(row.assigned_to, row.assigned_name) if row.assigned_to else None,
            title=service.title,
        )

    def _row(self, conn: Connection, case_id: str) -> Any:
        """The row of a case with its ``model`` and ``process``. Raises NotFound."""
        return self._rows(conn, [case_id])[0]

    @staticmethod
    def _rows(conn: Connection, cases: Sequence[str]) -> Sequence[Any]:
        """The rows of cases with their ``model`` and ``process``. Raises NotFound where one is gone."""
        kept = select(case_file, case_state.c.model, case_state.c.state.label("process"))
        both = kept.join(case_state, case_state.c.case_id == case_file.c.id)
        rows = conn.execute(both.where(case_file.c.id.in_(cases))).all()
        if len(rows) != len(cases):
            gone = sorted(set(cases) - {row.id for row in rows})
            raise NotFound(f"no case {gone[0]!r}")
        return rows


_SIMULATED = {"zh": "【模拟信号】", "en": "[simulated signal]"}


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
