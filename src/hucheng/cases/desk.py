"""The desk: what officers, carers and residents see of cases and do with them. Every read and deed goes by the gate."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import structs
from sqlalchemy import ColumnElement, false, func, select

from hucheng.base.ledger import Ledger
from hucheng.base.rpc import exposed
from hucheng.cases import deeds, owing, store
from hucheng.cases.deeds import Deed
from hucheng.cases.handling import Handling
from hucheng.cases.pulse import Pulse
from hucheng.cases.rosters import TIERS, Contact, scopes_of
from hucheng.cases.tables import case_decision, case_file
from hucheng.cases.views import CasePage, CaseRow, CaseView, Counts, Owed
from hucheng.decisions.tables import decision
from hucheng.errors import BadRequest, NotFound, Refused
from hucheng.gate import Gate, Principal, Read, Scope

PURPOSE: Final = {
    "officer": "cases.work",
    "operator": "cases.inspect",
    "auditor": "cases.inspect",
    "service": "cases.work",
    "carer": "mandate.access",
    "resident": "self.access",
}
"""For what each kind of principal looks at cases."""

ORDERS: Final = {
    "due": ("due_at", False),
    "urgent": ("urgent", False),
    "newest": ("opened_at", True),
    "oldest": ("opened_at", False),
    "closed": ("closed_at", True),
}
MAX_PAGE: Final = 500
MAX_WAIT_S: Final = 15.0
COUNTS_S: Final = timedelta(milliseconds=500)
QUIET_COUNTS_S: Final = timedelta(seconds=2)
_MISSING: Final[dict[str, Any]] = {"title": {}, "text": {}, "reasons": [], "assigned_to": None, "assigned_name": None}


class Desk:
    """Cases as people meet them. Served over the local socket; the first argument is always who asks."""

    def __init__(
        self, ledger: Ledger, gate: Gate, handling: Handling, pulse: Pulse, clock: Callable[[], datetime]
    ) -> None:
        self._ledger, self._gate, self._handling = ledger, gate, handling
        self._pulse, self._clock = pulse, clock
        self._counted: dict[frozenset[str] | None, tuple[int, datetime, Counts]] = {}

    @exposed
    def queue(
        self,
        principal: Principal,
        *,
        kind: str | None = None,
        open_only: bool = True,
        limit: int = 50,
        offset: int = 0,
        order: str = "due",
    ) -> CasePage:
        """A page of the cases this principal may see. ``order``: due, urgent, newest, oldest, closed.

        Raises BadRequest for an order or page that is none, Refused where the gate says no.
        """
        if order not in ORDERS:
            raise BadRequest(f"order {order!r}", mend="one of " + ", ".join(ORDERS))
        _is_page(limit, offset)
        version = self._pulse.version
        where: dict[str, Any] = {"is_open": True} if open_only else {}
        if kind is not None:
            where["kind"] = kind
        name, descending = ORDERS[order]
        read = Read(store.DATASET, "rows", where, order=name, descending=descending, limit=limit, offset=offset)
        found = self._look(principal, read)
        return CasePage([_row(one) for one in found], self._total(principal, where, len(found), limit, offset), version)

    @exposed
    def case(self, principal: Principal, case_id: str) -> CaseView:
        """A whole case. Raises NotFound where there is none, or not for this principal."""
        found = self._one(principal, case_id)
        with self._ledger.read() as conn:
            view = self._view(conn, _row(found), found)
        if principal.kind != "officer":  # once it is closed it is an officer's alone to write in
            carries = view.row.assigned_to == principal.id
            may = [name for name in view.actions if carries or name not in deeds.CARRYING]
            view.actions = may if view.row.state != "closed" else []
        return view

    @exposed
    def act(
        self,
        principal: Principal,
        case_id: str,
        action: str,
        note: str | None = None,
        to: str | None = None,
        outcome: str | None = None,
        eta_minutes: int | None = None,
    ) -> CaseView | None:
        """Do something with a case: take, go, visit, hand_over, note, answer, close.

        Gives the case as `case` would show it to this principal now; None where that is nothing any more, as after
        handing it to somebody else.

        ``to``: whom it is handed to (a principal's id, or "roster"), or which owed answer was given. Raises NotFound,
        Refused, CaseError where the deed does not fit the state, BadRequest where something is missing.
        """
        with self._ledger.read() as conn:
            row = conn.execute(select(case_file.c.resident_id, case_file.c.is_open).where(_is(case_id))).first()
        if row is None:
            raise NotFound(f"no case {case_id!r}")
        if action not in deeds.ACTIONS:
            raise BadRequest(f"no deed {action!r}", where=case_id, mend="known: " + ", ".join(sorted(deeds.ACTIONS)))
        self._gate.authorise(principal, f"cases.{action}", person=row.resident_id, case=case_id)
        deed = Deed(
            action=action,  # type: ignore[arg-type]
            actor=(principal.id, principal.name),
            note=note,
            to=to,
            outcome=outcome,
            eta_minutes=eta_minutes,
        )
        with self._ledger.begin() as conn:
            deeds.do(conn, self._handling, case_id, deed, self._clock())
        try:
            return self.case(principal, case_id)
        except (NotFound, Refused):
            return None

    @exposed
    def owed(self, principal: Principal, limit: int = 50, offset: int = 0) -> list[Owed]:
        """Whom this principal, or anybody at the same desk, still owes an answer; past shifts included.

        A page of it, the most pressing first. Raises BadRequest for a page that is none.
        """
        _is_page(limit, offset)
        with self._ledger.read() as conn:
            found = owing.at_desk(conn, self._area(principal), principal.id, limit, offset)
        if not found:
            return []
        named = sorted({one.case_id for one in found})
        seen = {row["id"]: row for row in self._look(principal, Read(store.DATASET, "rows", {"id": named}, order="id"))}
        found = [one for one in found if one.case_id in seen]
        return [structs.replace(one, title=seen[one.case_id].get("title") or {}) for one in found]

    @exposed
    def owed_count(self, principal: Principal) -> int:
        """How many answers `owed` would give in all; names nobody."""
        with self._ledger.read() as conn:
            return owing.count_at_desk(conn, self._area(principal), principal.id)

    def _area(self, principal: Principal) -> frozenset[str]:
        return self._gate.principals.area(principal) if principal.kind == "officer" else frozenset()

    @exposed(within_s=MAX_WAIT_S + 5)
    async def changes(self, since: int, timeout_s: float) -> int:
        """Wait until anything changed since that version, at most so many seconds; the version now."""
        return await self._pulse.after(since, min(max(timeout_s, 0.0), MAX_WAIT_S))

    @exposed
    def of_person(self, principal: Principal, resident_id: str) -> list[CaseRow]:
        """Cases about one resident, the latest first."""
        where = {"resident_id": resident_id}
        read = Read(store.DATASET, "rows", where, order="opened_at", descending=True, limit=MAX_PAGE)
        return [_row(one) for one in self._look(principal, read, person=resident_id)]

    @exposed
    def colleagues(self, principal: Principal, case_id: str) -> list[Contact]:
        """To whom a case can be handed now: everybody with an account on duty for its place."""
        self._one(principal, case_id)
        with self._ledger.read() as conn:
            row = conn.execute(select(case_file.c.resident_id, case_file.c.org).where(_is(case_id))).one()
            scopes = scopes_of(row.resident_id, [part for part in row.org.split("/") if part])
            return self._handling.rosters.colleagues(conn, scopes, self._clock())

    @exposed
    def counts(self, principal: Principal | None = None) -> Counts:
        """How many cases stand where, of an officer's own area or of all; nobody is named, nothing is journaled.

        At most `COUNTS_S` old, `QUIET_COUNTS_S` where no case changed: where thousands of cases climb, every change
        would count them all again.
        """
        area = self._area(principal) if principal is not None and principal.kind == "officer" else None
        version, now = self._pulse.version, self._clock()
        kept = self._counted.get(area)
        if kept is not None and timedelta(0) <= now - kept[1] < (COUNTS_S if kept[0] != version else QUIET_COUNTS_S):
            return kept[2]
        counts = self._count(store.within(Scope(communities=area)), now)
        self._counted = {place: one for place, one in self._counted.items() if now - one[1] < QUIET_COUNTS_S}
        self._counted[area] = version, now, counts
        return counts

    def _count(self, within: list[ColumnElement[bool]], now: datetime) -> Counts:
        file = case_file.c
        grouped = (
            select(file.kind, file.state, file.urgent, func.count().label("n"), func.min(file.opened_at).label("first"))
            .where(file.is_open.is_(True), *within)
            .group_by(file.kind, file.state, file.urgent)
        )
        with self._ledger.read() as conn:
            rows = conn.execute(grouped).all()
            opened = conn.execute(select(func.count()).select_from(case_file).where(*within)).scalar_one()
            undelivered = owing.count(conn, "not_delivered", within)
        kinds: dict[str, int] = {}
        for row in rows:
            kinds[row.kind] = kinds.get(row.kind, 0) + row.n
        calling = [row for row in rows if row.state == "calling"]
        oldest = min((row.first for row in calling), default=None)
        return Counts(
            open=sum(row.n for row in rows),
            calling=sum(row.n for row in calling),
            urgent_calling=sum(row.n for row in calling if row.urgent),
            by_kind=kinds,
            opened=int(opened),
            not_delivered=undelivered,
            oldest_calling_s=(now - oldest).total_seconds() if oldest is not None else None,
        )

    def _look(
        self, principal: Principal, read: Read, *, case: str | None = None, person: str | None = None
    ) -> list[dict[str, Any]]:
        purpose = PURPOSE.get(principal.kind)
        if purpose is None:
            raise Refused("no purpose for this kind of principal", policy="cases.work", needed="an officer's account")
        return self._gate.look(principal, purpose, [read], case=case, person=person)[0]

    def _one(self, principal: Principal, case_id: str) -> dict[str, Any]:
        """One row. A carer who was called for it sees it as such while it is open, and then by her mandate, if any."""
        with self._ledger.read() as conn:
            row = conn.execute(select(case_file.c.resident_id, case_file.c.is_open).where(_is(case_id))).first()
            called = principal.kind == "carer" and principal.id in store.called_for(conn, case_id)
        if row is None:
            raise NotFound(f"no case {case_id!r}", mend="is the link complete?")
        read = Read(store.DATASET, "row", {"id": case_id})
        if called and row.is_open:
            found = self._gate.look(principal, "cases.work", [read], case=case_id, person=row.resident_id)[0]
        else:
            found = self._look(principal, read, case=case_id, person=row.resident_id)
        if not found:
            raise NotFound(f"no case {case_id!r}", mend="is the link complete?")
        return found[0]

    def _view(self, conn: Any, row: CaseRow, found: dict[str, Any]) -> CaseView:
        there = case_decision.join(decision, decision.c.id == case_decision.c.decision_id)
        linked = select(case_decision.c.decision_id).select_from(there).where(case_decision.c.case_id == row.id)
        running = self._handling.running(conn, row.id)
        return CaseView(
            row=row,
            history=self._handling.history.read(conn, row.id, row.resident_id),
            decision_ids=list(conn.execute(linked.order_by(case_decision.c.at)).scalars()),
            steps=running.progress(),
            diagram=running.picture(),
            eta_minutes=found.get("eta_minutes"),
            eta_at=found.get("eta_at") if found.get("eta_minutes") else None,
            tiers=running.model.tiers,
            responder=found.get("responder"),
            owed=owing.of_case(conn, row.id),
            actions=deeds.possible(running),
        )

    def _total(self, principal: Principal, where: dict[str, Any], here: int, limit: int, offset: int) -> int:
        """How many there are in all: known from the page where it is the last, else counted within the same area."""
        if here and here < limit:
            return offset + here
        if principal.kind in ("officer", "operator", "auditor", "service"):
            area = Scope(communities=self._gate.principals.area(principal))
            with self._ledger.read() as conn:
                return store.count(conn, where, store.within(area))
        return offset + here


def _is_page(limit: int, offset: int) -> None:
    if not 0 < limit <= MAX_PAGE or offset < 0:
        raise BadRequest(f"a page of {limit} from {offset}", mend=f"1 to {MAX_PAGE} from 0 on")


def _is(case_id: str) -> Any:
    return false() if "\0" in case_id else case_file.c.id == case_id


def _row(found: dict[str, Any]) -> CaseRow:
    values = {name: found.get(name, _MISSING.get(name)) for name in CaseRow.__struct_fields__ if name != "tier_name"}
    values["tier_name"] = TIERS.get(found.get("tier") or 0, {"zh": "", "en": ""})
    return msgspec.convert(values, CaseRow)
