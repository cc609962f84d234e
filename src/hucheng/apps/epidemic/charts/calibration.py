"""Figures on how good forecasts were: score and its parts, calibration, PIT, score over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.figure import Figure

from hucheng.apps.epidemic.charts import paper

Say = Callable[..., str]
PARTS = (("dispersion", "Width"), ("overprediction", "Overprediction"), ("underprediction", "Underprediction"))


def parts(models: Sequence[Mapping[str, Any]], mine: Sequence[str], say: Say, log: bool = False) -> Figure:
    """Bars of the weighted interval score, in its three parts; the best on top, one's own in bold."""
    tail = "_log" if log else ""
    ordered = sorted(models, key=lambda one: one[f"wis{tail}"], reverse=True)
    with paper.style():
        figure, axes = paper.figure(height_mm=18 + 7 * len(ordered))
        one = axes[0, 0]
        begin = np.zeros(len(ordered))
        for (part, title), colour in zip(PARTS, paper.COLOURS, strict=False):
            width = np.array([model[f"{part}{tail}"] for model in ordered])
            one.barh([model["model"] for model in ordered], width, left=begin, color=colour, label=say(title))
            begin += width
        for label in one.get_yticklabels():
            label.set_fontweight("bold" if label.get_text() in mine else "normal")
        one.grid(axis="y", visible=False)
        one.set_xlabel(
            say("Mean weighted interval score, after log(1 + x)") if log else say("Mean weighted interval score")
        )
        figure.legend(loc="outside upper left", ncols=3)
        made: Figure = figure
    return made


def reliability(models: Sequence[Mapping[str, Any]], levels: Sequence[float], say: Say) -> Figure:
    """Share of truths at or below each quantile against its level: on the diagonal where calibrated."""
    with paper.style():
        figure, axes = paper.figure(width_mm=100, height_mm=95)
        one = axes[0, 0]
        one.plot([0, 1], [0, 1], color=paper.SOFT, linewidth=0.8, linestyle="--")
        for model, colour in zip(models, _colours(len(models)), strict=True):
            one.plot(levels, model["reliability"], marker=".", markersize=4, color=colour, label=model["model"])
        one.set_xlabel(say("Level of the quantile"))
        one.set_ylabel(say("Share of truths at or below it"))
        one.set_aspect("equal")
        one.legend(loc="upper left")
        made: Figure = figure
    return made


def pit(models: Sequence[Mapping[str, Any]], say: Say) -> Figure:
    """Histograms of the probability integral transform: flat where calibrated."""
    across = min(3, len(models))
    down = -(-len(models) // across)
    with paper.style():
        figure, axes = paper.figure(down, across, height_mm=12 + 38 * down)
        for place, one in enumerate(axes.flat):
            if place >= len(models):
                one.set_visible(False)
                continue
            shares = models[place]["pit"]
            one.bar(np.arange(len(shares)) + 0.5, np.array(shares) * len(shares), width=0.92, color=paper.COLOURS[0])
            one.axhline(1, color=paper.SOFT, linewidth=0.8, linestyle="--")
            one.set_title(models[place]["model"])
            one.set_xticks([0, len(shares) / 2, len(shares)], ["0", "0.5", "1"])
            one.set_ylabel(say("Density") if place % across == 0 else "")
        made: Figure = figure
    return made


def over_time(scores: pa.Table, models: Sequence[str], say: Say, log: bool = True) -> Figure:
    """Mean score by reference date, one line a model."""
    column = "wis_log" if log else "wis_natural"
    with paper.style():
        figure, axes = paper.figure()
        one = axes[0, 0]
        for model, colour in zip(models, _colours(len(models)), strict=True):
            mine = scores.filter(pc.field("model") == model).group_by("reference_date").aggregate([(column, "mean")])
            mine = mine.sort_by("reference_date")
            one.plot(mine.column("reference_date").to_numpy(), mine.column(f"{column}_mean").to_numpy(), color=colour,
                     label=model, linewidth=1.2)  # fmt: skip
        paper.days(one)
        one.set_ylim(bottom=0)
        one.set_xlabel(say("Reference date"))
        one.set_ylabel(
            say("Mean weighted interval score, after log(1 + x)") if log else say("Mean weighted interval score")
        )
        figure.legend(loc="outside upper left", ncols=3)
        made: Figure = figure
    return made


def _colours(many: int) -> list[str]:
    return [paper.COLOURS[place % len(paper.COLOURS)] for place in range(many)]
