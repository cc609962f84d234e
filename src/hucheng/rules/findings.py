"""What a check finds, and how it is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from hucheng.rules.diagram import Leaf
from hucheng.rules.kinds import Kind, written

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One complaint, and behind a “;” its mend.

    ``where`` is file and line; ``example`` a person (fact to value, and ``decision_date`` where the pack asks for it)
    or None; ``versions`` the first days of the versions in which it is so.
    """

    kind: str
    severity: Severity
    where: str
    message: str
    example: dict[str, Any] | None
    versions: tuple[date, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The finding as JSON has it."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "where": self.where,
            "message": self.message,
            "example": self.example,
            "versions": [day.isoformat() for day in self.versions],
        }

    @property
    def line(self) -> int:
        """Line in the file."""
        return int(self.where.rpartition(":")[2])


def merged(found: Iterable[Finding]) -> list[Finding]:
    """The same finding of several versions once, with all their days; in the order of the file.

    Findings are the same if they say the same up to their mend, which names the example of each. A warning beside an
    error of the same kind about the same line says nothing new.
    """
    first: dict[tuple[str, str, str, str], Finding] = {}
    for each in found:
        key = (each.kind, each.severity, each.where, each.message.partition(";")[0])
        before = first.get(key)
        first[key] = replace(before, versions=before.versions + each.versions) if before else each
    errors = {(each.kind, each.where) for each in first.values() if each.severity == "error"}
    told = [each for each in first.values() if each.severity == "error" or (each.kind, each.where) not in errors]
    return sorted(told, key=lambda finding: (finding.line, finding.kind))


def said(kind: Kind, value: Any) -> str:
    """A value as the pack would write it; “unknown”, or why there is none."""
    if isinstance(value, Leaf):
        return value.value if value is not Leaf.OPEN else "unknown"
    return "unknown" if value is None else written(kind, value)
