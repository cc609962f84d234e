"""Readings as a picture and as a table that says the same; the browser draws the picture, the table is always there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hucheng.portals.words import Words

TABLE_ROWS = 24
"""Lines shown in the table beside a chart, newest first."""
STRIP = 1000
"""Width of a strip, in its own units."""


@dataclass(frozen=True)
class Strip:
    """What is so or not so over a time: ``spans`` (from, width) in parts of `STRIP` where it is so; what it is now."""

    name: str
    spans: list[tuple[int, int]]
    newest: str


@dataclass(frozen=True)
class Figure:
    """One chart: series that share a unit, and the table of its latest values.

    ``strips`` stand instead of a chart where values are yes or no; both are empty where they are steps with names.
    """

    title: str
    unit: str
    series: list[dict[str, Any]]
    head: list[str]
    lines: list[tuple[datetime, list[str]]]
    newest: datetime | None
    simulated: bool
    source: str
    more: int = 0
    begin: datetime | None = None
    strips: list[Strip] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)


def figures(
    rows: Iterable[Mapping[str, Any]],
    contract: Any,
    words: Words,
    limits: Mapping[str, tuple[float, Mapping[str, str]]] | None = None,
    steps: Mapping[str, Sequence[Mapping[str, str]]] | None = None,
) -> list[Figure]:
    """Charts of readings (rows with metric, observed_at, value, unit), one for each unit, newest values first.

    ``contract``: titles and units of the metrics. ``limits``: metric → (value, name) of a line worth seeing.
    ``steps``: metric → what its whole values from 0 on are called.
    """
    steps = steps or {}
    by_metric: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_metric.setdefault(str(row["metric"]), []).append(row)
    alike: dict[tuple[str, str], list[str]] = {}
    for name in contract.metrics:
        if name in by_metric:
            metric = contract.metrics[name]
            apart = "yes or no" if yes_or_no(metric) else name if name in steps else ""
            alike.setdefault((metric.unit, apart), []).append(name)
    return [_figure(unit, names, by_metric, contract, words, limits or {}, steps) for (unit, _), names in alike.items()]


def yes_or_no(metric: Any) -> bool:
    """Whether a metric says that something is so, or is not."""
    return bool(metric.integer and (metric.low, metric.high) == (0, 1))


def _figure(
    unit: str,
    names: list[str],
    by_metric: Mapping[str, list[Mapping[str, Any]]],
    contract: Any,
    words: Words,
    limits: Mapping[str, tuple[float, Mapping[str, str]]],
    steps: Mapping[str, Sequence[Mapping[str, str]]],
) -> Figure:
    def shown(name: str, value: Any) -> str:
        if yes_or_no(contract.metrics[name]):
            return words.number(bool(value))
        named = steps.get(name)
        return words.tell(named[int(value)]) if named and 0 <= int(value) < len(named) else words.number(value)

    drawable = not yes_or_no(contract.metrics[names[0]]) and names[0] not in steps
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
        if name in limits:
            value, called = limits[name]
            one["limit"] = {"value": value, "name": words.tell(called)}
        series.append(one)
        for row in rows:
            at.setdefault(row["observed_at"], [""] * len(names))[position] = shown(name, row["value"])
    lines = sorted(at.items(), reverse=True)
    unit = words.unit(unit)
    begin, end = (lines[-1][0], lines[0][0]) if lines else (None, None)
    title = words.tell(contract.title)
    return Figure(
        title=title,
        unit=unit,
        series=series,
        head=[one["name"] for one in series],
        lines=lines[:TABLE_ROWS],
        more=max(0, len(lines) - TABLE_ROWS),
        newest=end,
        begin=begin,
        strips=[_strip(name, by_metric[name], begin, end, contract, words) for name in names]
        if begin and end and yes_or_no(contract.metrics[names[0]])
        else [],
        simulated=simulated,
        source=contract.id,
        data={"unit": unit, "series": series} if drawable else {},
    )


def _strip(
    name: str, rows: Iterable[Mapping[str, Any]], begin: datetime, end: datetime, contract: Any, words: Words
) -> Strip:
    """Where it was so: from each reading that says so to the next that does not."""
    ordered = sorted(rows, key=lambda row: row["observed_at"])
    whole = max((end - begin).total_seconds(), 1.0)

    def place(at: datetime) -> int:
        return round(STRIP * (at - begin).total_seconds() / whole)

    spans: list[tuple[int, int]] = []
    since: int | None = None
    for row in ordered:
        at = place(row["observed_at"])
        if row["value"] and since is None:
            since = at
        elif not row["value"] and since is not None:
            spans.append((since, max(at - since, 2)))
            since = None
    if since is not None:
        spans.append((min(since, STRIP - 2), max(STRIP - since, 2)))
    newest = words.number(bool(ordered[-1]["value"]))
    return Strip(words.tell(contract.metrics[name].title), spans, newest)


def _clock(at: datetime, words: Words) -> str:
    """The city's clock time without its zone: every browser shows it as it is."""
    return words.local(at).replace(tzinfo=None).isoformat(timespec="seconds")
