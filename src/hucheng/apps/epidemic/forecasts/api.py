"""For notebooks: a table of counts in, a submission out, in the same kind of table."""

from __future__ import annotations

from datetime import date
from typing import Any

from matplotlib.figure import Figure

from hucheng.apps.epidemic.charts import fan
from hucheng.apps.epidemic.charts.captions import say_in
from hucheng.apps.epidemic.forecasts import forecast as forecasting
from hucheng.apps.epidemic.forecasts import hubverse
from hucheng.apps.epidemic.series import Columns, observed
from hucheng.apps.epidemic.series import population as people_of
from hucheng.tables import like


def forecast(
    counts: Any, reference_date: date | str, target: str, population: Any = None, columns: Columns | None = None
) -> Any:
    """A hubverse submission (reference_date, target, horizon, target_end_date, location, output_type,
    output_type_id, value) for the week that ends with the reference date and the three after it.

    ``counts`` has one row a place and date (Arrow, Polars, pandas, DuckDB), ``population`` one a place. Raises
    BadRequest where the data cannot carry a forecast; `forecast_report` says how each place was made.
    """
    return like(counts, hubverse.table(_made(counts, reference_date, population, columns), target))


def forecast_report(
    counts: Any, reference_date: date | str, population: Any = None, columns: Columns | None = None
) -> dict[str, Any]:
    """How each place would be forecast and why, and what was found in its data."""
    return hubverse.report(_made(counts, reference_date, population, columns))


def forecast_fan(
    counts: Any, reference_date: date | str, population: Any = None, places: tuple[str, ...] = (),
    columns: Columns | None = None,
) -> Figure:  # fmt: skip
    """A figure: history, 50, 80 and 95 % intervals and median of the named places, or of the largest."""
    made = _made(counts, reference_date, population, columns)
    return fan.forecasts(observed(counts, columns), made, places, say_in("en"))


def _made(counts: Any, reference_date: date | str, population: Any, columns: Columns | None) -> forecasting.Forecast:
    day = date.fromisoformat(reference_date) if isinstance(reference_date, str) else reference_date
    people = people_of(population) if population is not None else {}
    return forecasting.forecast(observed(counts, columns), day, people)
