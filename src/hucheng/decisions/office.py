"""Decisions as people meet them: listed for the person, explained, appealed, answered. All of it by the gate."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from hucheng.base.ledger import Ledger
from hucheng.base.rpc import exposed
from hucheng.decisions import record
from hucheng.decisions.bodies import Bodies
from hucheng.decisions.record import RESULTS, Appeal, Decision, Result
from hucheng.decisions.store import DATASET
from hucheng.errors import BadRequest, NotFound, Refused
from hucheng.gate import Gate, Principal, Read

PURPOSE: Final = {"officer": "cases.work", "carer": "mandate.access", "resident": "self.access"}
"""For what each kind of principal looks at decisions."""

Hook = Callable[[Connection, Decision, Appeal, Principal, datetime], None]
_BLANK: Final[dict[str, Any]] = {
    "outcome": {},
    "facts": [],
    "reasons": [],
    "text": {},
    "device_id": None,
    "appeal": None,
}


class Decisions:
    """Served over the local socket; the first argument is always who asks.

    ``appealed`` and ``answered`` run in the transaction of an appeal and of its answer, so that whoever must answer
    owes it from that moment, and no longer afterwards.
    """

    def __init__(
        self,
        ledger: Ledger,
        gate: Gate,
        bodies: Bodies,
        clock: Callable[[], datetime],
        appealed: Hook | None = None,
        answered: Hook | None = None,
    ) -> None:
        self._ledger, self._gate, self._bodies, self._clock = ledger, gate, bodies, clock
        self._appealed, self._answered = appealed, answered

    @exposed
    def of_person(self, principal: Principal, resident_id: str, case: str | None = None) -> list[Decision]:
        """What was decided about a person, the latest first. ``case``: the open case an officer works on."""
        read = Read(DATASET, "rows", {"resident_id": resident_id}, limit=200)
        return [_decision(row) for row in self._look(principal, read, resident_id, case)]

    @exposed
    def get(self, principal: Principal, decision_id: str, case: str | None = None) -> Decision:
        """One decision with its facts and reasons. Raises NotFound where there is none, or not for this principal."""
        known = self._known(decision_id)
        read = Read(DATASET, "row", {"id": decision_id})
        found = self._look(principal, read, known.resident_id, case)
        if not found:
            raise NotFound(f"no decision {decision_id!r}")
        return _decision(found[0])

    @exposed
    def appeal(self, principal: Principal, decision_id: str, text: str) -> Appeal:
        """Say what is wrong with a decision; a human must answer. Raises CaseError for a second appeal."""
        known = self._known(decision_id)
        self._gate.authorise(principal, "decisions.appeal", person=known.resident_id)
        now = self._clock()
        with self._ledger.begin() as conn:
            filed = record.file_appeal(conn, self._bodies, known, principal.id, text, now)
            if self._appealed is not None:
                self._appealed(conn, known, filed, principal, now)
        return filed

    @exposed
    def answer(self, principal: Principal, decision_id: str, text: str, result: Result) -> Appeal:
        """Answer an appeal as a human being, with reasons: upheld (the decision no longer holds) or rejected.

        Raises NotFound without one, CaseError when it has its answer, BadRequest for another result or no reasons.
        """
        if result not in RESULTS:
            raise BadRequest(f"result {result!r}", where=decision_id, mend="one of " + ", ".join(RESULTS))
        known = self._known(decision_id)
        self._gate.authorise(principal, "decisions.review", person=known.resident_id)
        if result == "upheld":
            self._gate.authorise(principal, "decisions.supersede", person=known.resident_id)
        now = self._clock()
        with self._ledger.begin() as conn:
            fresh = record.get(conn, self._bodies, decision_id, now)
            by = (principal.id, principal.name)
            given = record.answer_appeal(conn, self._bodies, fresh, by, text, result, now)
            fresh = record.get(conn, self._bodies, decision_id, now)
            if self._answered is not None:
                self._answered(conn, fresh, given, principal, now)
        return given

    def _known(self, decision_id: str) -> Decision:
        with self._ledger.read() as conn:
            return record.get(conn, self._bodies, decision_id, self._clock())

    def _look(self, principal: Principal, read: Read, resident_id: str, case: str | None) -> list[dict[str, Any]]:
        purpose = PURPOSE.get(principal.kind)
        if purpose is None:
            refusal = Refused(
                f"{principal.kind}s do not read decisions about people",
                policy="decisions.read",
                needed="to be the person, a carer with a mandate, or an officer of the area",
            )
            raise self._gate.noted(principal.id, refusal, "read", person=resident_id, case=case, datasets=[DATASET])
        return self._gate.look(principal, purpose, [read], case=case, person=resident_id)[0]


def _decision(row: dict[str, Any]) -> Decision:
    return msgspec.convert({**_BLANK, **row}, Decision)
