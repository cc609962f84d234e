"""The forecast fan: what was observed, then the quantiles of the weeks ahead, widening."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from matplotlib.figure import Figure

from hucheng.apps.epidemic.charts import paper
from hucheng.apps.epidemic.charts.calibration import Say
from hucheng.apps.epidemic.forecasts.forecast import Forecast, weeks_before
from hucheng.apps.epidemic.forecasts.spread import LEVELS
from hucheng.apps.epidemic.series import WEEK, Series
from hucheng.errors import BadRequest

BANDS = ((0.025, 0.15), (0.1, 0.25), (0.25, 0.4))
"""Lower level of each shaded interval (95, 80, 50 %) and how dark it is."""
SHOWN = 6
HISTORY = 26
"""Weeks of history that are drawn."""


def forecasts(observed: Series, made: Forecast, places: Sequence[str], say: Say) -> Figure:
    """One panel a place (the largest, where none is named): counts a week, 50, 80 and 95 % intervals, median."""
    weekly, _ = weeks_before(observed, made.reference)
    index = {name: place for place, name in enumerate(made.places)}
    if unknown := [name for name in places if name not in index]:
        raise BadRequest(f"no forecast of {', '.join(unknown)}", mend=f"there are: {', '.join(made.places[:20])}")
    middle = made.quantiles[:, :, len(LEVELS) // 2].sum(axis=1)
    shown = list(places) or [made.places[place] for place in np.argsort(-middle)[:SHOWN]]
    across = min(3, len(shown))
    down = -(-len(shown) // across)
    ends = [made.reference + timedelta(WEEK * step) for step in range(made.quantiles.shape[1])]
    with paper.style():
        figure, axes = paper.figure(down, across, height_mm=15 + 45 * down)
        for panel, one in enumerate(axes.flat):
            if panel >= len(shown):
                one.set_visible(False)
                continue
            name = shown[panel]
            past = weekly.values[-HISTORY:, weekly.places.index(name)]
            one.plot(weekly.days[-HISTORY:], past, color=paper.INK, marker=".", markersize=3, linewidth=0.9,
                     label=say("observed"))  # fmt: skip
            fan = made.quantiles[index[name]]
            for low, dark in BANDS:
                at = int(np.abs(LEVELS - low).argmin())
                words = say("%(share)s %% interval", share=f"{100 * (1 - 2 * low):g}")
                one.fill_between(ends, fan[:, at], fan[:, -1 - at], color=paper.COLOURS[0], alpha=dark + 0.1,
                                 linewidth=0, label=words)  # fmt: skip
            one.plot(ends, fan[:, len(LEVELS) // 2], color=paper.COLOURS[0], linewidth=1.2, label=say("median"))
            one.set_title(name)
            one.set_ylim(bottom=0)
            paper.days(one, ticks=5)
            one.set_ylabel(say("New events a week") if panel % across == 0 else "")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=5)
        made_figure: Figure = figure
    return made_figure
