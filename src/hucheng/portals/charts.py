"""Readings as a picture and as a table that says the same; the browser draws the picture, the table is always there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hucheng.portals.words import Words

TABLE_ROWS = 24
"""Lines shown in the table beside a chart, newest first."""


@dataclass(frozen=True)
class Figure:
    """One chart: series that share a unit, and the table of its latest values."""

    title: str
    unit: str
    series: list[dict[str, Any]]
    head: list[str]
    lines: list[tuple[datetime, list[str]]]
    newest: datetime | None
    simulated: bool
    source: str
    more: int = 0
    data: dict[str, Any] = field(default_factory=dict)


def figures(
    rows: Iterable[Mapping[str, Any]],
    contract: Any,
    words: Words,
    limits: Mapping[str, tuple[float, Mapping[str, str]]] | None = None,
) -> list[Figure]:
    """Charts of readings (rows with metric, observed_at, value, unit), one for each unit, newest values first.

    ``contract``: titles and units of the metrics. ``limits``: metric → (value, name) of a line worth seeing.
    """
    by_metric: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_metric.setdefault(str(row["metric"]), []).append(row)
    by_unit: dict[str, list[str]] = {}
    for name in contract.metrics:
        if name in by_metric:
            by_unit.setdefault(contract.metrics[name].unit, []).append(name)
    return [_figure(unit, names, by_metric, contract, words, limits or {}) for unit, names in by_unit.items()]


def _figure(
    unit: str,
    names: list[str],
    by_metric: Mapping[str, list[Mapping[str, Any]]],
    contract: Any,
    words: Words,
    limits: Mapping[str, tuple[float, Mapping[str, str]]],
) -> Figure:
    series: list[dict[str, Any]] = []
    at: dict[datetime, list[str]] = {}
    simulated = False
    for position, name in enumerate(names):
        rows = sorted(by_metric[name], key=lambda row: row["observed_at"])
        simulated = simulated or any(row.get("simulated") for row in rows)
        one: dict[str, Any] = {
            "name": words.tell(contract.metrics[name].title),
            "points": [[_clock(row["observed_at"], words), row["value"]] for row in rows],
        }
        metric = contract.metrics[name]
        if metric.integer and (metric.low, metric.high) == (0, 1):
            one["step"] = True
        if name in limits:
            value, called = limits[name]
            one["limit"] = {"value": value, "name": words.tell(called)}
        series.append(one)
        for row in rows:
            at.setdefault(row["observed_at"], [""] * len(names))[position] = words.number(row["value"])
    lines = sorted(at.items(), reverse=True)
    shown = words.unit(unit)
    title = words.tell(contract.title)
    return Figure(
        title=title,
        unit=shown,
        series=series,
        head=[one["name"] for one in series],
        lines=lines[:TABLE_ROWS],
        more=max(0, len(lines) - TABLE_ROWS),
        newest=lines[0][0] if lines else None,
        simulated=simulated,
        source=contract.id,
        data={"unit": shown, "series": series},
    )


def _clock(at: datetime, words: Words) -> str:
    """The city's clock time without its zone: every browser shows it as it is."""
    return words.local(at).replace(tzinfo=None).isoformat(timespec="seconds")
