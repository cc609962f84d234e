"""What is happening to a person right now, in one plain sentence: for the resident, the family, a help link."""

from __future__ import annotations

from typing import Literal

import msgspec

from hucheng.cases.views import CaseRow, CaseView
from hucheng.gate import Principal
from hucheng.portals.services import Desk
from hucheng.portals.words import Words

Stage = Literal["quiet", "calling", "taken", "coming", "there", "closed"]

LADDER: tuple[Stage, ...] = ("calling", "taken", "coming", "there", "closed")


class Now(msgspec.Struct, frozen=True):
    """``stage`` for the picture, ``head`` in large type, ``line`` below it, ``text`` both, to be read aloud."""

    stage: Stage
    head: str
    line: str
    text: str
    case_id: str | None = None


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


def now_of(view: CaseView, words: Words, *, own: bool = True) -> Now:
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
        line = words.say("%(tier)s has been told. Somebody will answer shortly.", tier=words.tell(row.tier_name))
    elif stage == "taken":
        head = words.say("%(name)s is looking after it", name=name)
        line = words.say("About: %(what)s. You will be called.", what=what) if own else about
    elif stage == "coming":
        head = words.say("Someone is coming: %(name)s, %(minutes)s minutes", name=name, minutes=view.eta_minutes)
        stay = words.say("About: %(what)s. Please stay where you are if you can.", what=what)
        line = stay if own else about
    elif stage == "there":
        head = words.say("%(name)s is with you", name=name) if own else words.say("%(name)s is there", name=name)
        line = about
    else:
        head = words.say("It has been taken care of")
        line = about
    return Now(stage, head, line, both(head, line, words), row.id)


def quiet(words: Words) -> Now:
    """The sentence when nothing is open."""
    head, line = words.say("All is well"), words.say("No alarm is open. Nobody needs to do anything.")
    return Now("quiet", head, line, both(head, line, words))


async def latest(desk: Desk, who: Principal, rows: list[CaseRow], words: Words) -> Now | None:
    """The sentence for the case a person should hear of first; None where nothing is open."""
    row = most_urgent(rows)
    return now_of(await desk.case(who, row.id), words, own=who.kind != "carer") if row else None


async def happening(desk: Desk, who: Principal, rows: list[CaseRow], words: Words) -> Now:
    """What to say first: of an open case, or that all is well."""
    return await latest(desk, who, rows, words) or quiet(words)


def both(head: str, line: str, words: Words) -> str:
    """Two sentences as one text."""
    return words.say("%(head)s. %(line)s", head=head, line=line)


def most_urgent(rows: list[CaseRow]) -> CaseRow | None:
    """The open case a person should hear of first: urgent before not, then the newest."""
    open_rows = [row for row in rows if row.state != "closed"]
    return max(open_rows, key=lambda row: (row.urgent, row.opened_at), default=None)
