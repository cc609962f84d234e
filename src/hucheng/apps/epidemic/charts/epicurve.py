"""The epidemic curve: counts as reported, and what the last of them will come to, as a fan of intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hucheng.apps.epidemic.charts import paper
from hucheng.apps.epidemic.now.triangle import Named, triangle
from hucheng.apps.epidemic.series import Series

Say = Callable[..., str]
FAN = ((0.025, 0.975, 0.18), (0.25, 0.75, 0.4))
"""Intervals and how dark each is."""
MOST, SHOWN_STEPS = 6, {1: 90, 7: 52}


def history(rows: pa.Table, named: Named | None = None, as_of: datetime | None = None) -> Series:
    """The counts of a triangle as its last version has them."""
    seen = triangle(rows, named, None if as_of is None else as_of.date())
    return Series(seen.days, seen.places, seen.known[-1], seen.step)


def nowcast(found: pa.Table, seen: Series, places: Sequence[str], say: Say) -> Figure:
    """Bars of reported counts with the nowcast's median and its 50 % and 95 % intervals; one panel a place."""
    shown = list(places) or largest(seen)
    with paper.style():
        figure, axes = paper.figure(len(shown), 1, height_mm=22 + 45 * len(shown))
        for one, place in zip(axes[:, 0], shown, strict=True):
            _panel(one, found.filter(pc.equal(found.column("location"), place)), seen, place, say)
        axes[-1, 0].set_xlabel(say("Date of the event"))
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=4)
        made: Figure = figure
    return made


def largest(seen: Series, many: int = 3) -> list[str]:
    """The places with most events."""
    total = np.nansum(seen.values, axis=0)
    return [seen.places[at] for at in np.argsort(-total, kind="stable")[:many]]


def _panel(one: Any, rows: pa.Table, seen: Series, place: str, say: Say) -> None:
    if place not in seen.places:
        from hucheng.errors import BadRequest

        raise BadRequest(f"there is no place “{place}”", mend=f"there are: {', '.join(seen.places[:20])}")
    counts = seen.values[-SHOWN_STEPS[seen.step] :, seen.places.index(place)]
    days = seen.days[-SHOWN_STEPS[seen.step] :]
    one.bar(days, counts, width=0.85 * seen.step, color="#b9c4cc", label=say("Reported so far"))
    levels = rows.column("output_type_id").to_numpy()
    when, value = rows.column("target_end_date").to_numpy(), rows.column("value").to_numpy()

    def at(level: float) -> tuple[NDArray[Any], NDArray[Any]]:
        """Days and the quantile nearest to a level."""
        mine = np.isclose(levels, np.unique(levels)[np.abs(np.unique(levels) - level).argmin()])
        return when[mine], value[mine]

    if len(when):
        for low, high, dark in FAN:
            x, bottom = at(low)
            one.fill_between(x, bottom, at(high)[1], color=paper.COLOURS[0], alpha=dark, linewidth=0,
                             label=say("%(share)s %% interval", share=f"{(high - low) * 100:.0f}"))  # fmt: skip
        one.plot(*at(0.5), color=paper.COLOURS[0], linewidth=1.4, label=say("Nowcast, median"))
    paper.days(one)
    one.set_ylim(bottom=0)
    one.set_title(place)
    one.set_ylabel(say("Events a day") if seen.step == 1 else say("Events a week"))
