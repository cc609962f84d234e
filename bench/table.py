"""One measured figure with what it was measured under, and the file and table they end in."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

RESULTS = Path(__file__).with_name("results.json")


@dataclass(frozen=True)
class Figure:
    """A figure and the load it was measured under; ``goal`` and which way is better where there is one."""

    what: str
    value: float
    unit: str
    under: str
    """Load, batch size, sync mode, duration: whatever the figure depends on."""
    goal: float | None = None
    better: Literal["more", "less"] = "more"
    more: dict[str, float | int | str] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.better == "more" else self.value <= self.goal


def write(figures: Iterable[Figure], quick: bool) -> None:
    """Put the figures into results.json; those not measured in this run stay as they were."""
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))["figures"] if RESULTS.exists() else []
    fresh = [asdict(figure) | {"met": figure.met, "quick": quick} for figure in figures]
    names = {one["what"] for one in fresh}
    body = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "system": platform.system(), "python": platform.python_version()},
        "figures": [*(one for one in kept if one["what"] not in names), *fresh],
    }
    RESULTS.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def show(figures: Iterable[Figure]) -> str:
    """The table as Markdown."""
    lines = ["| what | reached | goal | met | under |", "|---|---|---|---|---|"]
    for one in figures:
        sign = "≥" if one.better == "more" else "≤"
        goal = "–" if one.goal is None else f"{sign} {one.goal:,.4g} {one.unit}"
        met = {True: "yes", False: "**no**", None: "–"}[one.met]
        lines.append(f"| {one.what} | {one.value:,.4g} {one.unit} | {goal} | {met} | {one.under} |")
    return "\n".join(lines)
