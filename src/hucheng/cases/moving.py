"""Moves of cases in one transaction: what they need to know is read at once, what they change is written at once.

A single deed and the climb of a thousand cases that nobody answers go through the same lines; the statements are as
many for a thousand cases as for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from hucheng.base.ledger import insert
from hucheng.cases import outbox
from hucheng.cases.clock import micros
from hucheng.cases.history import History, Line
from hucheng.cases.processes import Service
from hucheng.cases.rosters import Contact, Roll, Rosters, scopes_of
from hucheng.cases.running import Moved, Stand
from hucheng.cases.tables import case_called, case_file, case_state, case_timer
from hucheng.errors import CaseError

STATES: Mapping[str, str] = {"called": "calling", "taken": "taken", "way": "visiting", "there": "visiting"}
"""State of a case by the phase of the step at which it stands."""

Tell = Callable[[Any, Sequence[Contact | None], str], Iterable[Mapping[str, Any]]]
"""``tell(row, contacts, turn)`` gives the notices to send; None stands for the node's own addresses."""
Remind = Callable[[Any, Service], None]


class Moving:
    """The moves of some cases at one instant. Nothing is changed before `write`.

    ``own``: whether the node has addresses of its own that hear of the first and the last tier.
    """

    def __init__(
        self,
        conn: Connection,
        now: datetime,
        history: History,
        rosters: Rosters,
        *,
        tell: Tell,
        remind: Remind,
        own: bool,
    ) -> None:
        self.conn, self.now = conn, now
        self._history, self._rosters, self._tell, self._remind, self._own = history, rosters, tell, remind, own
        self._roll: Roll | None = None
        self._scopes: dict[str, list[str]] = {}
        self._waits: dict[str, dict[str, tuple[str, int]]] = {}
        self._lines: list[tuple[str, str, Line]] = []
        self._gone: list[dict[str, str]] = []
        self._begun: list[dict[str, Any]] = []
        self._called: list[dict[str, Any]] = []
        self._notices: list[Mapping[str, Any]] = []
        self._states: list[dict[str, Any]] = []
        self._files: list[dict[str, Any]] = []

    def opens(self, row: Any) -> None:
        """A case that begins now: nothing waits in it."""
        self._scopes[row.id] = scopes_of(row.resident_id, [part for part in row.org.split("/") if part])
        self._waits[row.id] = {}

    def know(self, rows: Sequence[Any]) -> None:
        """Take these cases in, with the timers that wait in them."""
        for row in rows:
            self.opens(row)
        waiting = select(case_timer).where(case_timer.c.case_id.in_([row.id for row in rows]))
        for timer in self.conn.execute(waiting):
            self._waits[timer.case_id][timer.task] = (timer.step, timer.due_us)

    def runs_out(self, case_id: str, task: str) -> str | None:
        """A timer is over: the step that it belongs to; None where it does not wait (somebody was quicker)."""
        known = self._waits[case_id].pop(task, None)
        if known is None:
            return None
        self._gone.append({"b_case": case_id, "b_task": task})
        return known[0]

    def begin(
        self, row: Any, moved: Moved, tiers: int, lines: Sequence[Line] = (), patience: int = 1
    ) -> tuple[int, int | None]:
        """What a move asks for: timers, calls, reminders. ``lines`` stand first in the history.

        Gives the tier that was called last and when the case's next timer runs out (microseconds since 1970).
        """
        for task in moved.gone:
            self.runs_out(row.id, task)
        dues = {one.task: micros(self.now) + int(one.seconds * patience * 1_000_000) for one in moved.begun}
        tier = row.tier
        for service in moved.services:
            if service.do == "call":
                tier = service.tier
                if not self._call(row, service, moved, tier >= tiers, lines):
                    dues = dict.fromkeys(dues, micros(self.now))
                lines = ()
            else:  # a promise ran out
                self.say(row, [Line("reminder", values={"title": service.title})])
                self._remind(row, service)
        self.say(row, lines)
        for one in moved.begun:
            self._waits[row.id][one.task] = (one.step, dues[one.task])
            self._begun.append({"case_id": row.id, "task": one.task, "step": one.step, "due_us": dues[one.task]})
        return tier, self._due(row)

    def apply(
        self, row: Any, stand: Stand, moved: Moved, lines: Sequence[Line] = (), patience: int = 1, **changes: Any
    ) -> None:
        """Note what a move made of a case, and the ``changes`` of its file that the deed brings."""
        tier, due = self.begin(row, moved, stand.model.tiers, lines, patience)
        self._states.append({"b_case": row.id, "state": stand.state})
        self._files.append(
            {
                "b_case": row.id,
                "b_version": row.version,
                "state": "closed" if stand.step is None else STATES[stand.step.phase],
                "step": stand.step.id if stand.step else None,
                "tier": tier,
                "version": row.version + 1,
                "due_us": due,
                **changes,
            }
        )

    def stays(self, row: Any) -> None:
        """Only a timer of it is gone: the case is due when the next one is."""
        self._files.append({"b_case": row.id, "b_version": row.version, "due_us": self._due(row)})

    def say(self, row: Any, lines: Iterable[Line]) -> None:
        """Lines for the history of a case, in their order."""
        self._lines += [(row.id, row.resident_id, line) for line in lines]

    def write(self) -> None:
        """Write it all. Raises CaseError where somebody else changed one of the cases meanwhile."""
        if self._gone:
            c = case_timer.c
            self.conn.execute(
                delete(case_timer).where(c.case_id == bindparam("b_case"), c.task == bindparam("b_task")), self._gone
            )
        if self._begun:
            self.conn.execute(case_timer.insert(), self._begun)
        if self._called:
            self.conn.execute(insert(self.conn, case_called).on_conflict_do_nothing(), self._called)
        outbox.put(self.conn, self._notices)
        self._history.put(self.conn, self._lines, self.now)
        if self._states:
            mine = case_state.c.case_id == bindparam("b_case")
            self.conn.execute(update(case_state).where(mine).values(state=bindparam("state")), self._states)
        self._write_files()

    def _due(self, row: Any) -> int | None:
        return min((due for _, due in self._waits[row.id].values()), default=None)

    def _write_files(self) -> None:
        alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for one in self._files:
            alike.setdefault(tuple(one), []).append(one)
        for names, files in alike.items():
            mine = (case_file.c.id == bindparam("b_case")) & (case_file.c.version == bindparam("b_version"))
            values: dict[str, Any] = {name: bindparam(name) for name in names if not name.startswith("b_")}
            if self.conn.execute(update(case_file).where(mine).values(values), files).rowcount != len(files):
                where = ", ".join(one["b_case"] for one in files[:3])
                raise CaseError("somebody else changed the case meanwhile", where=where, mend="look again, then act")

    def _call(self, row: Any, service: Service, moved: Moved, last: bool, before: Sequence[Line]) -> bool:
        """Call whoever is on duty in a tier; False where nobody is and the next tier is due at once."""
        contacts = self._on_duty(row, service.tier)
        lines = [Line("called", tier=service.tier, values={"name": one.name}) for one in contacts]
        self._called += [
            {"case_id": row.id, "who": who, "tier": service.tier, "at": self.now}
            for who in dict.fromkeys(one.who for one in contacts)
            if who is not None
        ]
        self.say(row, [*before, *(lines or [Line("nobody", tier=service.tier)])])
        also: list[Contact | None] = [None] if self._own and (service.tier == 1 or last) else []
        turn = f"{service.tier}/{moved.begun[0].task if moved.begun else ''}/{row.version}"
        self._notices += self._tell(row, [*contacts, *also], turn)
        return bool(contacts) or last

    def _on_duty(self, row: Any, tier: int) -> list[Contact]:
        if self._roll is None:
            scopes = dict.fromkeys(scope for scopes in self._scopes.values() for scope in scopes)
            self._roll = self._rosters.roll(self.conn, list(scopes), self.now)
        return self._roll.called(self._scopes[row.id], tier)
