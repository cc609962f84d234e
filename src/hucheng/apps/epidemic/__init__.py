"""Epidemics: who met whom, where it goes, where it stands; on files, without a node.

``hucheng epidemic …`` and this package are the same science, file in and file out or table in and table out. The names
for notebooks are listed in `NAMES` and imported when they are asked for.

May touch: `hucheng.gate`, `hucheng.rules`, `hucheng.decisions`, `hucheng.cases`, `hucheng.portals`.
Never: the name of a hub, a disease or a place in code; a vintage later than the date it forecasts for; a clock.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

NAMES = {
    "Index": "contacts.index",
    "find_contacts": "contacts.api",
    "find_proximity_contacts": "contacts.api",
    "contact_network": "charts.network",
    "forecast": "forecasts.api",
    "forecast_report": "forecasts.api",
    "forecast_fan": "forecasts.api",
    "score": "scores.api",
    "compare": "scores.api",
    "calibration_chart": "scores.api",
    "Columns": "series",
    "nowcast": "now.tables",
    "rt": "now.tables",
    "nowcast_fan": "now.figures",
    "rt_ribbon": "now.figures",
    "clean": "linelist.cleaning",
    "counts": "linelist.counting",
    "triangle": "linelist.counting",
    "Note": "series",
    "Delay": "now.delays",
    "generation": "now.delays",
    "reporting": "now.delays",
}
"""What Python calls, and the module of this room it stands in; imported when first asked for."""

__all__ = sorted(NAMES)


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{NAMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *NAMES})
