"""Figures for notebooks: the epidemic curve with its nowcast, and R_t."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from hucheng.apps.epidemic.charts import epicurve, reproduction
from hucheng.apps.epidemic.charts.captions import say_in
from hucheng.apps.epidemic.now.triangle import Named
from hucheng.tables import as_arrow


def nowcast_fan(
    triangle: Any, nowcasted: Any, places: Sequence[str] = (), named: Named | None = None, language: str = "en"
) -> Figure:
    """A figure: counts of a triangle as reported, and the nowcast made from it; of the named places, or the largest."""
    seen = epicurve.history(as_arrow(triangle), named)
    return epicurve.nowcast(as_arrow(nowcasted), seen, list(places), say_in(language))


def rt_ribbon(estimates: Any, places: Sequence[str] = (), language: str = "en") -> Figure:
    """A figure: median and the 50 % and 90 % intervals of R_t as `rt` gave it; of the named places, or the largest."""
    return reproduction.ribbon(as_arrow(estimates), list(places), say_in(language))
