"""How quick rules are: batches as the intake brings them, one person as a case page asks, a whole city at once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from bench.table import Figure
from hucheng.rules import load, names

ON = date(2026, 3, 1)


def people(rows: int, unknown: float, seed: int = 0) -> pa.Table:
    """Vital signs of people who do not exist."""
    rng = np.random.default_rng(seed)

    def column(values: Any, kind: pa.DataType) -> pa.Array:
        return pa.array(values, kind, mask=rng.random(rows) < unknown) if unknown else pa.array(values, kind)

    words = rng.choice(["alert", "new_confusion", "voice", "pain"], rows, p=[0.91, 0.04, 0.03, 0.02])
    born = column(rng.integers(-18000, 18000, rows).astype("int32"), pa.int32()).cast(pa.date32())
    return pa.table(
        {
            "resident_id": np.arange(rows),
            "born": born,
            "pregnant": column(rng.random(rows) < 0.02, pa.bool_()),
            "hypercapnic": column(rng.random(rows) < 0.05, pa.bool_()),
            "consciousness": column(words, pa.string()),
            "oxygen": column(rng.random(rows) < 0.1, pa.bool_()),
            "oxygen_saturation": column(rng.integers(80, 101, rows).astype(float), pa.float64()),
            "respiratory_rate": column(rng.integers(8, 30, rows).astype(float), pa.float64()),
            "systolic": column(rng.integers(80, 230, rows).astype(float), pa.float64()),
            "pulse": column(rng.integers(35, 140, rows).astype(float), pa.float64()),
            "temperature": column(np.round(rng.normal(37, 0.8, rows), 2), pa.float64()),
            "diastolic": column(rng.integers(40, 130, rows).astype(float), pa.float64()),
        }
    )


def spent(work: Callable[[int], object], times: int) -> list[float]:
    """Milliseconds of each call, after one that does not count."""
    work(0)
    found = []
    for place in range(times):
        start = time.perf_counter()
        work(place)
        found.append((time.perf_counter() - start) * 1e3)
    return sorted(found)


def measure(quick: bool) -> list[Figure]:
    """Figures of the rules room; one process, no node."""
    times, rows = (20, 100_000) if quick else (200, 1_000_000)
    news, pressure = load("news2"), load("blood-pressure")
    batch = people(1_000, 0.0)
    readings = batch.select(["resident_id", "systolic", "diastolic"])
    persons = people(400, 0.3).drop_columns(["diastolic"]).to_pylist()
    rng = random.Random(0)
    figures = []
    for what, work in (
        ("rules: 1,000 readings by blood-pressure", lambda _: pressure.decide(readings, ON)),
        ("rules: 1,000 people by NEWS2", lambda _: news.decide(batch.drop_columns(["diastolic"]), ON)),
    ):
        took = spent(work, times)
        under = f"Arrow in and out, all outcomes, warm, {times} times; median"
        figures.append(Figure(what, took[len(took) // 2], "ms", under, 5, "less", {"p95": took[int(len(took) * 0.95)]}))
    for what, work, goal in (
        (
            "rules: decide and explain one person by NEWS2 emergency",
            lambda _: news.explain(rng.choice(persons), ON, ["emergency"], nearest=False),
            10,
        ),
        ("rules: the same with the nearest change", lambda _: news.explain(rng.choice(persons), ON, ["emergency"]), 20),
        (
            "rules: the next question for NEWS2 emergency",
            lambda _: news.questions(rng.choice(persons), ON, ["emergency"]),
            10,
        ),
    ):
        for person in persons:
            work(person)
        took = spent(work, times)
        under = f"30 % of the facts unknown, warm, {times} people; p95"
        value = took[int(len(took) * 0.95)]
        figures.append(Figure(what, value, "ms", under, goal, "less", {"median": took[len(took) // 2]}))

    def decide(table: pa.Table, _: int) -> pa.Table:
        return news.decide(table, ON)

    for unknown in (0.0, 0.15):
        table = people(rows, unknown).drop_columns(["diastolic"])
        took = spent(partial(decide, table), 3)
        under = f"{rows:,} people, 12 outcomes, {unknown:.0%} of the facts unknown, every determined case decided"
        figures.append(Figure(f"rules: NEWS2 in bulk, {unknown:.0%} unknown", took[0] / 1e3, "s", under, None, "less"))
    start = time.perf_counter()
    found = sum(len(load(name).check()) for name in names())
    seconds = time.perf_counter() - start
    under = f"{len(names())} packs that ship, {found} findings"
    figures.append(Figure("rules: check", seconds, "s", under, 5, "less"))
    return figures
