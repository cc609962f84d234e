"""What somebody does with a case, read from a form: checked here for its shape, decided by the desk."""

from __future__ import annotations

from typing import Any

from hucheng.cases.views import OUTCOMES
from hucheng.errors import BadRequest
from hucheng.portals.shell import Visit

ACTIONS = ("take", "go", "visit", "hand_over", "note", "answer", "close")
NOTE_LIMIT = 2000
LONGEST_WAY_MIN = 240


def deed_of(visit: Visit) -> dict[str, Any]:
    """Arguments of `Desk.act` from the form. Raises BadRequest naming the field."""
    form = visit.form
    given = {name: str(form.get(name, "")).strip() for name in ("action", "note", "to", "outcome", "eta_minutes")}
    return checked(given["action"], given["note"], given["to"], given["outcome"], given["eta_minutes"])


def checked(action: str, note: str, to: str, outcome: str, eta: str) -> dict[str, Any]:
    """The same for values from anywhere; empty text means not given."""
    if action not in ACTIONS:
        raise BadRequest("there is no such action", where="action", mend="one of: " + ", ".join(ACTIONS))
    if len(note) > NOTE_LIMIT:
        raise BadRequest(f"the note is longer than {NOTE_LIMIT} characters", where="note")
    if action == "note" and not note:
        raise BadRequest("the note is empty", where="note", mend="write what should be kept")
    if action == "hand_over" and not to:
        raise BadRequest("nobody was named to hand it to", where="to", mend="name the colleague")
    if action == "close" and outcome not in OUTCOMES:
        raise BadRequest("the outcome is missing", where="outcome", mend="one of: " + ", ".join(OUTCOMES))
    if eta and (not eta.isascii() or not eta.isdigit() or not 0 < int(eta) <= LONGEST_WAY_MIN):
        raise BadRequest(f"minutes must be a whole number from 1 to {LONGEST_WAY_MIN}", where="eta_minutes")
    return {
        "action": action,
        "note": note or None,
        "to": to or None,
        "outcome": outcome or None,
        "eta_minutes": int(eta) if eta else None,
    }
