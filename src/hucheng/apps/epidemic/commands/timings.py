"""How a distribution of days is given on the command line: a file, or mean and standard deviation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hucheng.errors import BadRequest
from hucheng.files import read


def timing(file: Path | None, mean: float | None, sd: float | None, what: str) -> Any:
    """A table, or (mean, sd), or None; BadRequest where both or half of one is given."""
    if file is not None and (mean is not None or sd is not None):
        raise BadRequest(f"the {what} is given twice", mend="give the file, or mean and standard deviation")
    if file is not None:
        return read(file)
    if (mean is None) != (sd is None):
        raise BadRequest(f"half of the {what} is missing", mend="give the mean and the standard deviation, in days")
    return None if mean is None or sd is None else (mean, sd)
