"""Every error of Hucheng, in one tree.

HuchengError                 what happened · where · how to mend it
├── SettingsError            a setting is missing, unknown or out of range
├── ContractError            a data contract does not say what it must
├── UnknownDataset           nobody published a contract under this name
├── IdentityError            an identity number is malformed or already taken
├── KeyMissing               a key was destroyed or never made: the field stays closed
├── LedgerError              the ledger cannot take or give a row
├── StreamError              the broker is not there or is not set up as it must be
├── LakeError                a table cannot be read or written
│   └── Fenced               another writer owns this partition now
├── Refused                  the gate says no; names the policy and what would be needed
├── JournalBroken            the journal was changed; names the first bad entry
├── RuleError                a rule pack cannot be loaded or applied
├── ProcessError             a process model holds what is not allowed
├── CaseError                a deed does not fit the state of the case
├── NotFound                 there is no such thing, or not for you
├── BadRequest               the input cannot be understood
├── TooLarge                 the input is over a stated limit
└── Unavailable              a part of the node does not answer: try again
    └── Outside              a service outside the node does not answer: try again
"""

from __future__ import annotations

from typing import Any, ClassVar


class HuchengError(Exception):
    """Base of all errors: says what happened, where, and how to mend it.

    ``status`` is the HTTP status, ``exit_code`` the exit status of a command.
    """

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str | None = None, mend: str | None = None, **details: Any) -> None:
        self.what = what
        self.where = where
        self.mend = mend
        self.details = details
        super().__init__(" · ".join(part for part in (what, where, mend) if part))

    @property
    def code(self) -> str:
        """Stable name of the kind of error, for programs."""
        return type(self).__name__

    def as_problem(self) -> dict[str, Any]:
        """The error as an RFC 9457 problem object."""
        return {
            "type": f"about:hucheng#{self.code}",
            "title": self.code,
            "status": self.status,
            "detail": self.what,
            "where": self.where,
            "mend": self.mend,
            **self.details,
        }


class SettingsError(HuchengError):
    """A setting is missing, unknown or out of range."""

    exit_code = 2


class ContractError(HuchengError):
    """A data contract does not say what it must."""

    status = 422


class UnknownDataset(HuchengError):
    """Nobody published a contract under this name."""

    status = 404


class IdentityError(HuchengError):
    """An identity number is malformed or already taken."""

    status = 422


class KeyMissing(HuchengError):
    """A key was destroyed or never made: the field stays closed."""

    status = 410


class LedgerError(HuchengError):
    """The ledger cannot take or give a row."""


class StreamError(HuchengError):
    """The broker is not there or is not set up as it must be."""

    status = 503


class LakeError(HuchengError):
    """A table cannot be read or written."""


class Fenced(LakeError):
    """Another writer owns this partition now: this one must stop."""


class Refused(HuchengError):
    """The gate says no. ``details`` carry ``policy`` (its id) and ``needed`` (what would open it)."""

    status = 403
    exit_code = 3


class NotSignedIn(Refused):
    """Nobody is signed in, or the token is forged or has run out."""

    status = 401


class JournalBroken(HuchengError):
    """The journal was changed. ``details`` carry ``seq``, the first bad entry."""


class RuleError(HuchengError):
    """A rule pack cannot be loaded or applied."""

    status = 422


class ProcessError(HuchengError):
    """A process model holds what is not allowed."""

    status = 422


class CaseError(HuchengError):
    """A deed does not fit the state of the case."""

    status = 409


class NotFound(HuchengError):
    """There is no such thing, or not for you."""

    status = 404


class BadRequest(HuchengError):
    """The input cannot be understood."""

    status = 400
    exit_code = 2


class TooLarge(HuchengError):
    """The input is over a stated limit."""

    status = 413


class Unavailable(HuchengError):
    """A part of the node does not answer: try again."""

    status = 503
    exit_code = 4


class Outside(Unavailable):
    """A service outside the node does not answer: the node itself sees and works."""


def kinds() -> dict[str, type[HuchengError]]:
    """Every error class by its name (used where an error crosses a socket)."""
    found: dict[str, type[HuchengError]] = {}
    todo: list[type[HuchengError]] = [HuchengError]
    while todo:
        kind = todo.pop()
        found[kind.__name__] = kind
        todo.extend(kind.__subclasses__())
    return found
