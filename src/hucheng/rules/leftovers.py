"""What a version declares and nothing uses: numbers in no expression, acknowledgements of nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from hucheng.rules.cliffs import possible
from hucheng.rules.findings import Finding, Severity
from hucheng.rules.model import Version


def unused(version: Version) -> Iterator[Finding]:
    """Parameters that no expression mentions: an error where the version itself says them, a warning where they are
    taken over from the version it amends."""
    for name, parameter in version.parameters.items():
        if parameter.used:
            continue
        if parameter.inherited:
            message = f"{name}: nothing uses this number in this version; write the version out without it"
            yield _finding(version, "unused", "warning", parameter.line, message)
        else:
            message = f"{name}: nothing uses this number; use it in an expression, or remove it"
            yield _finding(version, "unused", "error", parameter.line, message)


def misnamed(version: Version) -> Iterator[Finding]:
    """Acknowledgements whose name is none of a cliff that is looked for."""
    known = possible(version)
    for name, meant in version.acknowledged.items():
        if name in known or meant.inherited:
            continue
        near = difflib.get_close_matches(name, known, 1)
        mend = f"did you mean “{near[0]}”?" if near else f"known: {', '.join(known)}" if known else "remove it"
        yield _finding(version, "acknowledge", "error", meant.line, f"{name}: acknowledges nothing; {mend}")


def _finding(version: Version, kind: str, severity: Severity, line: int, message: str) -> Finding:
    return Finding(kind, severity, f"{version.file}:{line}", message, None, (version.in_force,))
