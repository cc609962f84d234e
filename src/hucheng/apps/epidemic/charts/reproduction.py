"""R_t as a ribbon over time; pale where data hardly speak, hatched where the counts changed their meaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from hucheng.apps.epidemic.charts import paper
from hucheng.errors import BadRequest

Say = Callable[..., str]
PALE, DARK, BREAK = 0.12, 0.32, 0.1
HIGHEST = 6.0


def ribbon(found: pa.Table, places: Sequence[str], say: Say) -> Figure:
    """Median and the 50 % and 90 % intervals of R_t; one panel a place. BadRequest for a place that is not there."""
    there = pc.unique(found.column("location")).to_pylist()
    shown = list(places) or _largest(found)
    if unknown := [place for place in shown if place not in there]:
        raise BadRequest(f"there is no place “{unknown[0]}”", mend=f"there are: {', '.join(there[:20])}")
    with paper.style():
        figure, axes = paper.figure(len(shown), 1, height_mm=22 + 42 * len(shown))
        for one, place in zip(axes[:, 0], shown, strict=True):
            _panel(one, found.filter(pc.equal(found.column("location"), place)), place, say)
        axes[-1, 0].set_xlabel(say("Date"))
        figure.legend(handles=_key(axes[:, 0], say), loc="outside upper left", ncols=4)
        made: Figure = figure
    return made


def _largest(found: pa.Table, many: int = 3) -> list[str]:
    totals = found.group_by("location").aggregate([("count", "sum")]).sort_by([("count_sum", "descending")])
    names: list[str] = totals.column("location").to_pylist()[:many]
    return names


def _key(panels: Sequence[Any], say: Say) -> list[Any]:
    """The legend: intervals as dark as they lie over one another, and what the pale stretches mean."""
    colour = paper.COLOURS[0]
    found: list[Any] = [
        Patch(color=colour, alpha=DARK, linewidth=0, label=say("%(share)s %% interval", share="90")),
        Patch(color=colour, alpha=1 - (1 - DARK) ** 2, linewidth=0, label=say("%(share)s %% interval", share="50")),
        Line2D([], [], color=colour, linewidth=1.3, label=say("Median of R")),
        Patch(color=colour, alpha=PALE, linewidth=0, label=say("Pale: few cases, ruled by what was assumed")),
    ]
    if any(shape.get_gid() == "break" for one in panels for shape in one.patches):
        label = say("Counts changed their meaning")
        found.append(Patch(color=paper.COLOURS[1], alpha=2 * BREAK, linewidth=0, label=label))
    return found


def _panel(one: Any, rows: pa.Table, place: str, say: Say) -> None:
    days = rows.column("date").to_numpy()
    column = {name: rows.column(name).to_numpy() for name in ("R_0.05", "R_0.25", "R_0.5", "R_0.75", "R_0.95")}
    basis = np.array(rows.column("basis").to_pylist())
    data = basis == "data"
    step = np.timedelta64(1, "D")
    one.axhline(1, color=paper.INK, linewidth=0.8, linestyle="--")
    for low, high in (("R_0.05", "R_0.95"), ("R_0.25", "R_0.75")):
        one.fill_between(days, column[low], column[high], color=paper.COLOURS[0], alpha=PALE, linewidth=0)
        one.fill_between(days, column[low], column[high], where=data, color=paper.COLOURS[0], alpha=DARK - PALE,
                         linewidth=0)  # fmt: skip
    one.plot(days, column["R_0.5"], color=paper.COLOURS[0], linewidth=1.3)
    for at in np.flatnonzero(basis == "break"):
        one.axvspan(days[at] - step, days[at] + step, color=paper.COLOURS[1], alpha=BREAK, linewidth=0, gid="break")
    paper.days(one)
    top = np.nanmax(np.where(data, column["R_0.95"], np.nan)) if data.any() else HIGHEST
    one.set_ylim(0, min(max(2.0, float(top) * 1.1), HIGHEST))
    one.set_title(place)
    one.set_ylabel(say("Reproduction number R_t").replace("R_t", "$R_t$"))
