"""Recording decisions: once a finding, never changed, superseded by a later one, expired by time, appealed by a person.

Every function works inside the caller's transaction, so that a decision and the case it opens are durable together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Select, and_, func, or_, select, update

from hucheng.base.ledger import insert
from hucheng.decisions.bodies import Bodies
from hucheng.decisions.findings import FactUsed, Finding, Reason
from hucheng.decisions.tables import appeal, decision
from hucheng.errors import BadRequest, CaseError, NotFound

MAX_TEXT = 4_000
ERASED = {"zh": "已依法删除", "en": "Erased by law"}


Result = Literal["upheld", "rejected"]
"""How an appeal ends: the decision no longer holds, or it stands."""
RESULTS: tuple[Result, ...] = ("upheld", "rejected")
REVIEW = "appeal:"
"""What the findings of decisions begin with that a human made on an appeal."""


class Appeal(msgspec.Struct, frozen=True):
    """What a person says against a decision, and the answer of a human."""

    id: str
    decision_id: str
    by: str
    at: datetime
    text: str
    answered_at: datetime | None = None
    answered_by: str | None = None
    answer: str | None = None
    result: Result | None = None


class Decision(msgspec.Struct, frozen=True):
    """A decision as it was made: outcome, facts with their dates, reasons, basis; and what became of it since."""

    id: str
    finding_id: str
    resident_id: str
    kind: str
    rule: str
    pack: str
    version: str
    dataset: str
    device_id: str | None
    outcome: dict[str, Any]
    facts: list[FactUsed]
    reasons: list[Reason]
    text: dict[str, str]
    basis: str
    observed_at: datetime
    decided_at: datetime
    expires_at: datetime | None
    simulated: bool
    urgent: bool
    state: Literal["in_force", "superseded", "expired"]
    superseded_by: str | None = None
    appeal: Appeal | None = None


def decision_id(finding: str) -> str:
    """The name of the decision that rests on this finding.

    >>> decision_id("f-1")
    'd-3defc6e632408e5aedde'
    """
    return "d-" + hashlib.sha256(finding.encode()).hexdigest()[:20]


def record(conn: Connection, bodies: Bodies, finding: Finding, now: datetime) -> tuple[str, bool]:
    """Record the decision of a finding; returns its id and whether it is new (the same finding again is not)."""
    name = decision_id(finding.id)
    body = {
        "outcome": finding.outcome,
        "facts": msgspec.to_builtins(finding.facts, builtin_types=(datetime,)),
        "reasons": msgspec.to_builtins(finding.reasons, builtin_types=(datetime,)),
        "text": finding.text,
    }
    fresh = insert(conn, decision).values(
        id=name,
        finding_id=finding.id,
        resident_id=finding.resident_id,
        kind=finding.kind,
        rule=finding.rule,
        pack=finding.pack,
        version=finding.version,
        dataset=finding.dataset,
        device_id=finding.device_id,
        basis=finding.basis,
        body=bodies.seal(conn, finding.resident_id, f"decision/{name}", body),
        observed_at=finding.observed_at,
        decided_at=now,
        expires_at=finding.expires_at,
        simulated=finding.simulated,
        urgent=finding.urgent,
    )
    entered = fresh.on_conflict_do_nothing(index_elements=["finding_id"]).returning(decision.c.id)
    return name, conn.execute(entered).first() is not None


def supersede(conn: Connection, bodies: Bodies, old: str, finding: Finding, now: datetime) -> str:
    """Record a decision that takes the place of another one about the same person under the same rule.

    Raises NotFound for an unknown decision, CaseError where it was superseded already or is about something else.
    """
    row = conn.execute(select(decision).where(decision.c.id == old)).first()
    if row is None:
        raise NotFound(f"no decision {old!r}")
    name = decision_id(finding.id)
    if row.superseded_by == name:
        return name
    if row.superseded_by is not None:
        raise CaseError("it was superseded already", where=old, mend=f"supersede {row.superseded_by} instead")
    if (row.resident_id, row.rule) != (finding.resident_id, finding.rule) or name == old:
        raise CaseError("the new decision is about something else", where=old, mend="same person, same rule")
    record(conn, bodies, finding, now)
    conn.execute(update(decision).where(decision.c.id == old).values(ended_at=now, superseded_by=name))
    return name


def uphold(conn: Connection, bodies: Bodies, of: Decision, by: tuple[str, str], why: str, now: datetime) -> str:
    """Record that an appeal was right: a decision of its own takes the place of the one that no longer holds.

    It says who found so (``by``: id and name), why, and which one it replaces; that one stays as it was made. It sets
    no outcome of the rule: only evidence and the rule give one. Raises as `supersede` does.
    """
    assert of.appeal is not None
    name = by[1] or by[0]
    review = Finding(
        id=REVIEW + of.appeal.id,
        kind=of.kind,
        rule=of.rule,
        pack=of.pack,
        version=of.version,
        resident_id=of.resident_id,
        device_id=of.device_id,
        dataset=of.dataset,
        outcome={"appeal": "upheld", "replaces": of.id, "by": by[0], "why": why},
        facts=[],
        reasons=[],
        text={
            "zh": f"申诉成立，原决定不再有效（{name}：{why}）",
            "en": f"Upheld on appeal: the earlier decision no longer holds ({name}: {why})",
        },
        basis=of.basis,
        observed_at=of.observed_at,
        detected_at=now,
        simulated=of.simulated,
        urgent=False,
    )
    return supersede(conn, bodies, of.id, review, now)


def expire(conn: Connection, now: datetime) -> int:
    """End every decision whose time ran out; returns how many."""
    over = and_(decision.c.ended_at.is_(None), decision.c.expires_at <= now)
    return int(conn.execute(update(decision).where(over).values(ended_at=decision.c.expires_at)).rowcount)


def file_appeal(conn: Connection, bodies: Bodies, of: Decision, by: str, text: str, now: datetime) -> Appeal:
    """Enter an appeal against a decision. Raises BadRequest for no or too much text, CaseError for a second one."""
    said = text.strip()
    if not said or len(said) > MAX_TEXT:
        raise BadRequest("an appeal says in words what is wrong", mend=f"1 to {MAX_TEXT} characters")
    name = "a-" + of.id.removeprefix("d-")
    entered = insert(conn, appeal).values(
        id=name,
        decision_id=of.id,
        resident_id=of.resident_id,
        by=by,
        at=now,
        body=bodies.seal(conn, of.resident_id, f"appeal/{name}", {"text": said}),
    )
    once = entered.on_conflict_do_nothing(index_elements=["decision_id"]).returning(appeal.c.id)
    if conn.execute(once).first() is None:
        raise CaseError("there is an appeal already", where=of.id, mend="wait for its answer, or speak to the desk")
    return Appeal(name, of.id, by, now, said)


def answer_appeal(
    conn: Connection, bodies: Bodies, of: Decision, by: tuple[str, str], text: str, result: Result, now: datetime
) -> Appeal:
    """Enter a human's answer; upheld, the decision is superseded (`uphold`). ``by``: id and name of who answers.

    Raises NotFound without an appeal, CaseError when it has its answer, BadRequest for no reasons or no result.
    """
    if result not in RESULTS:
        raise BadRequest(f"result {result!r}", where=of.id, mend="one of " + ", ".join(RESULTS))
    said = text.strip()
    if not said or len(said) > MAX_TEXT:
        raise BadRequest("an answer says in words what follows", mend=f"1 to {MAX_TEXT} characters")
    if of.appeal is None:
        raise NotFound("no appeal against this decision", where=of.id)
    if of.appeal.answered_at is not None:
        raise CaseError("the appeal has its answer", where=of.id)
    sealed = bodies.seal(conn, of.resident_id, f"answer/{of.appeal.id}", {"text": said, "result": result})
    conn.execute(
        update(appeal).where(appeal.c.id == of.appeal.id).values(answered_at=now, answered_by=by[0], answer=sealed)
    )
    if result == "upheld":
        uphold(conn, bodies, of, by, said, now)
    return msgspec.structs.replace(of.appeal, answered_at=now, answered_by=by[0], answer=said, result=result)


def get(conn: Connection, bodies: Bodies, name: str, now: datetime) -> Decision:
    """One decision. Raises NotFound."""
    row = conn.execute(_query().where(decision.c.id == name)).first()
    if row is None:
        raise NotFound(f"no decision {name!r}")
    return _shaped(row, bodies, now)


def of_person(conn: Connection, bodies: Bodies, resident_id: str, now: datetime, *, limit: int = 200) -> list[Decision]:
    """What was decided about a person, the latest first."""
    query = _query().where(decision.c.resident_id == resident_id)
    rows = conn.execute(query.order_by(decision.c.decided_at.desc(), decision.c.id).limit(limit))
    return [_shaped(row, bodies, now) for row in rows]


def some(conn: Connection, bodies: Bodies, names: list[str], now: datetime) -> list[Decision]:
    """The decisions with these ids, the latest first; unknown ids are left out."""
    rows = conn.execute(_query().where(decision.c.id.in_(names)).order_by(decision.c.decided_at.desc(), decision.c.id))
    return [_shaped(row, bodies, now) for row in rows]


def in_force(conn: Connection, resident_id: str, rule: str, now: datetime) -> list[str]:
    """Ids of the decisions about a person under a rule that hold now."""
    live = or_(decision.c.expires_at.is_(None), decision.c.expires_at > now)
    query = select(decision.c.id).where(
        decision.c.resident_id == resident_id, decision.c.rule == rule, decision.c.ended_at.is_(None), live
    )
    query = query.where(decision.c.finding_id.not_like(REVIEW + "%"))  # which says that one does not hold
    return list(conn.execute(query.order_by(decision.c.decided_at)).scalars())


def count(conn: Connection) -> int:
    """How many decisions there are."""
    return int(conn.execute(select(func.count()).select_from(decision)).scalar_one())


def erase(conn: Connection, resident_id: str, principals: Sequence[str] = ()) -> int:
    """Take everything that was said about a person out; that a decision was made stays countable.

    ``principals``: as whom the person appealed for others; the appeal stays without them.
    """
    mine = decision.c.resident_id == resident_id
    changed = conn.execute(update(decision).where(mine).values(body=None, device_id=None, resident_id="erased"))
    said = {"body": None, "answer": None, "resident_id": "erased", "by": "erased"}
    conn.execute(update(appeal).where(appeal.c.resident_id == resident_id).values(**said))
    conn.execute(update(appeal).where(appeal.c.by.in_(list(principals))).values(by="erased"))
    return int(changed.rowcount)


def _query() -> Select[Any]:
    said = [column.label(f"appeal_{column.name}") for column in appeal.c]
    return select(decision, *said).select_from(decision.outerjoin(appeal, appeal.c.decision_id == decision.c.id))


def _shaped(row: Any, bodies: Bodies, now: datetime) -> Decision:
    body = bodies.open(row.resident_id, f"decision/{row.id}", row.body)
    found = body or {"outcome": {}, "facts": [], "reasons": [], "text": ERASED}
    state: Literal["in_force", "superseded", "expired"] = "in_force"
    if row.superseded_by is not None:
        state = "superseded"
    elif row.ended_at is not None or (row.expires_at is not None and row.expires_at <= now):
        state = "expired"
    return Decision(
        id=row.id,
        finding_id=row.finding_id,
        resident_id=row.resident_id,
        kind=row.kind,
        rule=row.rule,
        pack=row.pack,
        version=row.version,
        dataset=row.dataset,
        device_id=row.device_id,
        outcome=found["outcome"],
        facts=msgspec.convert(found["facts"], list[FactUsed]),
        reasons=msgspec.convert(found["reasons"], list[Reason]),
        text=found["text"],
        basis=row.basis,
        observed_at=row.observed_at,
        decided_at=row.decided_at,
        expires_at=row.expires_at,
        simulated=row.simulated,
        urgent=row.urgent,
        state=state,
        superseded_by=row.superseded_by,
        appeal=_appeal(row, bodies),
    )


def _appeal(row: Any, bodies: Bodies) -> Appeal | None:
    if row.appeal_id is None:
        return None
    said = bodies.open(row.appeal_resident_id, f"appeal/{row.appeal_id}", row.appeal_body)
    answered = bodies.open(row.appeal_resident_id, f"answer/{row.appeal_id}", row.appeal_answer)
    return Appeal(
        id=row.appeal_id,
        decision_id=row.id,
        by=row.appeal_by,
        at=row.appeal_at,
        text=said["text"] if said else ERASED["en"],
        answered_at=row.appeal_answered_at,
        answered_by=row.appeal_answered_by,
        answer=answered["text"] if answered else None,
        result=answered.get("result") if answered else None,
    )
