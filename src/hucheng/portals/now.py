"""What is happening to a person right now, in one plain sentence: for the resident, the family, a help link."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from hucheng.cases.views import CaseRow, CaseView
from hucheng.gate import Principal
from hucheng.portals.services import Desk
from hucheng.portals.words import Words, mark

Stage = Literal["quiet", "calling", "taken", "coming", "there", "closed"]

LADDER: tuple[Stage, ...] = ("calling", "taken", "coming", "there", "closed")

TOLD: Mapping[int, tuple[str, str]] = {
    1: (mark("The duty officer has been told."), mark("The duty officer has been told.")),
    2: (
        mark("Your key holder or your family has been told."),
        mark("The key holder or the family has been told."),
    ),
    3: (mark("The mobile responder has been told."), mark("The mobile responder has been told.")),
    4: (mark("The emergency desk has been told."), mark("The emergency desk has been told.")),
}
"""Who was called last, by tier: as the person herself is told, and as others are."""


class Now(msgspec.Struct, frozen=True):
    """``stage`` for the picture, ``head`` in large type, ``line`` below it, ``text`` both, to be read aloud.

    ``name`` stands in ``head`` and stays on one line.
    """

    stage: Stage
    head: str
    line: str
    text: str
    case_id: str | None = None
    simulated: bool = False
    name: str = ""


def minutes_left(view: CaseView, now: datetime) -> int | None:
    """Whole minutes until help should be there, 0 where it should be by now; None where nobody said when."""
    if not view.eta_minutes:
        return None
    if view.eta_at is None:
        return view.eta_minutes
    return max(0, -int(-(view.eta_at - now) // timedelta(minutes=1)) if view.eta_at > now else 0)


def stage_of(view: CaseView) -> Stage:
    """Where a case stands for the person it is about."""
    row = view.row
    if row.state == "closed":
        return "closed"
    if row.state == "calling":
        return "calling"
    if row.state == "visiting":
        return "coming" if view.eta_minutes else "there"
    return "coming" if view.eta_minutes else "taken"


def now_of(view: CaseView, words: Words, at: datetime, *, own: bool = True) -> Now:
    """The sentence for one case; ``own``: said to the person it is about, not to her family."""
    row, stage = view.row, stage_of(view)
    name = view.responder or row.assigned_name or words.say("A colleague")
    what = words.tell(row.title)
    about = words.say("About: %(what)s.", what=what)
    if stage == "calling" and not row.urgent:
        head = words.say("The centre has been told")
        line = words.say("About: %(what)s. It is not urgent; somebody will see to it.", what=what)
    elif stage == "calling":
        head = words.say("Help is being called") if own else words.say("Calling for help")
        told = TOLD.get(row.tier, TOLD[1])[not own]
        line = words.say("%(told)s Somebody will answer shortly.", told=words.say(told))
    elif stage == "taken":
        head = words.say("%(name)s is looking after it", name=name)
        line = words.say("About: %(what)s. You will be called.", what=what) if own else about
    elif stage == "coming":
        head, when = _coming(view, name, words, at)
        stay = words.say("About: %(what)s. Please stay where you are if you can.", what=what)
        line = when + (stay if own else about)
    elif stage == "there":
        head = words.say("%(name)s is with you", name=name) if own else words.say("%(name)s is there", name=name)
        line = about
    else:
        head = words.say("It has been taken care of")
        line = about
    return Now(stage, head, line, both(head, line, words), row.id, row.simulated, name if name in head else "")


def _coming(view: CaseView, name: str, words: Words, at: datetime) -> tuple[str, str]:
    """Who is coming and in how many minutes from now, and at what time; or that they should be there."""
    left = minutes_left(view, at)
    clock = words.clock(view.eta_at) if view.eta_at else ""
    if not left:
        when = words.say("Expected at %(time)s. ", time=clock) if clock else ""
        return words.say("%(name)s should be there by now", name=name), when
    head = words.say_many(
        "Someone is coming: %(name)s, %(num)s minute", "Someone is coming: %(name)s, %(num)s minutes", left, name=name
    )
    return head, words.say("Expected at %(time)s. ", time=clock) if clock else ""


def quiet(words: Words, appeal: bool = False, own: bool = True) -> Now:
    """The sentence when nothing is open; ``appeal``: one waits for its answer.

    A family is not told that nothing is to be done: appeals are not shown under a mandate.
    """
    head = words.say("All is well")
    if not own:
        line = words.say("No alarm is open.")
        return Now("quiet", head, line, both(head, line, words))
    line = words.say("No alarm is open. Nobody needs to do anything.")
    if appeal:
        line = words.say("No alarm is open. Your appeal waits for the answer of a human; you need do nothing.")
    return Now("quiet", head, line, both(head, line, words))


async def latest(desk: Desk, who: Principal, rows: list[CaseRow], words: Words, at: datetime) -> Now | None:
    """The sentence for the case a person should hear of first; None where nothing is open."""
    row = most_urgent(rows)
    return now_of(await desk.case(who, row.id), words, at, own=who.kind != "carer") if row else None


async def happening(
    desk: Desk, who: Principal, rows: list[CaseRow], words: Words, at: datetime, appeal: bool = False
) -> Now:
    """What to say first: of an open case, or that all is well."""
    return await latest(desk, who, rows, words, at) or quiet(words, appeal, own=who.kind != "carer")


def before(rows: list[CaseRow], now: Now) -> tuple[list[CaseRow], list[CaseRow]]:
    """What is over, and what else is open beside the case that is told of first."""
    others = [row for row in rows if row.state != "closed" and row.id != now.case_id]
    return [row for row in rows if row.state == "closed"], others


def both(head: str, line: str, words: Words) -> str:
    """Two sentences as one text."""
    return words.say("%(head)s. %(line)s", head=head, line=line)


def most_urgent(rows: list[CaseRow]) -> CaseRow | None:
    """The open case a person should hear of first: urgent before not, then the newest."""
    open_rows = [row for row in rows if row.state != "closed"]
    return max(open_rows, key=lambda row: (row.urgent, row.opened_at), default=None)
