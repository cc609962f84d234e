"""Contacts in a city: an index of 100 million stays, the search in it, DuckDB beside it; and ten times as many.

The stays are made up: 14 days, people alike, places by Zipf with exponent 0.8, a stay from 5 minutes to 8 hours long.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from pyarrow import parquet

from bench.table import Figure
from hucheng.apps.epidemic.contacts.index import Index

DAYS, DAY, START = 14, 86_400, 20_454 * 86_400
SLOTS = 1 << 25
MINUTES, CASES, INFECTIOUS = 15, 500, 6
SQL = """
with own as (
  select c.person as c, v.place, greatest(v.arrive, c."from") as a, least(v.leave, c."until") as b
  from read_parquet('{stays}') v join '{cases}' c on v.person = c.person
  where v.arrive < c."until" and v.leave > c."from")
select v.person, own.c as "case", v.place, greatest(v.arrive, a) as "from", least(v.leave, b) as "until"
from own join read_parquet('{stays}') v on v.place = own.place and v.arrive < b and v.leave > a
where v.person <> own.c and least(v.leave, b) - greatest(v.arrive, a) >= 900
"""
"""The whole question in one query; nothing is merged, as no two of these stays touch, or hardly ever."""


def stays(day: int, many: int, people: int, places: int) -> pa.Table:
    """The stays that begin on one day, sorted by nothing."""
    rng = np.random.default_rng([7, day])
    place = by_share(places)[rng.integers(0, SLOTS, many, dtype=np.int32)]
    arrive = START + day * DAY + rng.integers(0, DAY, many, dtype=np.int64)
    length = np.clip(np.exp(8 + rng.standard_normal(many, dtype=np.float32)), 300, 8 * 3600).astype(np.int64)
    person = rng.integers(0, people, many, dtype=np.int64)
    return pa.table({"person": person, "place": place, "arrive": arrive, "leave": arrive + length})


@lru_cache(maxsize=1)
def by_share(places: int) -> Any:
    """Places, each as often as its share of the visits (Zipf)."""
    shares = np.cumsum(np.arange(1, places + 1) ** -0.8)
    return np.searchsorted(shares, (np.arange(SLOTS) + 0.5) / SLOTS * shares[-1]).astype(np.int64)


def cases(people: int, many: int = CASES) -> pa.Table:
    """People who were infectious for six of the fourteen days."""
    rng = np.random.default_rng(11)
    begin = START + rng.integers(0, (DAYS - INFECTIOUS) * DAY, many)
    return pa.table(
        {"person": rng.choice(people, many, replace=False), "from": begin, "until": begin + INFECTIOUS * DAY}
    )


def raw(folder: Path, many: int, people: int, places: int) -> Iterator[Path]:
    """The stays as files of a day."""
    folder.mkdir()
    for day in range(DAYS):
        parquet.write_table(stays(day, many // DAYS, people, places), folder / f"{day:02}.parquet")
        yield folder / f"{day:02}.parquet"


def sorted_copy(folder: Path) -> Path:
    """The same stays in one file, sorted by place and arrival, as the quickest query wants them."""
    out = folder.with_suffix(".parquet")
    with duckdb.connect() as base:
        base.execute(f"set memory_limit = '6GB'; set temp_directory = '{folder.parent}/spilled'")
        base.execute(f"copy (from '{folder}/*.parquet' order by place, arrive) to '{out}' (row_group_size 122880)")
    return out


def told(code: str, *given: object) -> dict[str, Any]:
    """What a process of its own measured: seconds and peak memory are its alone."""
    run = subprocess.run(
        [sys.executable, "-c", code, *map(str, given)], check=True, capture_output=True, text=True, env=os.environ
    )
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


BUILD = """
import json, resource, sys, time
from hucheng.apps.epidemic.contacts.index import Index
begin = time.perf_counter()
index, added = Index.build(sys.argv[2:], sys.argv[1])
print(json.dumps({"s": time.perf_counter() - begin, "cpu": time.process_time(), "days": len(added.added),
                  "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}))
"""


def load() -> dict[str, float | int | str]:
    """How many others wanted the machine's cores: what a figure must be read with."""
    return {"load": round(os.getloadavg()[0], 1)}


def warm(index: Index, asked: pa.Table, times: int) -> tuple[dict[str, float | int | str], float, Any]:
    """The median seconds of searches with tables of overlaps and of people; before it the first, the best, and the
    seconds of all cores in the best."""
    took: list[tuple[float, float]] = []
    found = None
    for _ in range(times + 1):
        begin, cores = time.perf_counter(), time.process_time()
        found = index.contacts(asked, MINUTES)
        found.overlaps, found.people  # noqa: B018
        took.append((time.perf_counter() - begin, time.process_time() - cores))
    best = min(took)
    more = {"first": round(took[0][0], 2), "best": round(best[0], 3), "best_cpu_s": round(best[1], 3)}
    return more | load(), sorted(took[1:])[times // 2][0], found


def size(folder: Path) -> float:
    """Gigabytes of a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e9


def measure(quick: bool) -> list[Figure]:
    """Figures of contacts; the large city only where it is asked for (HUCHENG_BENCH_LARGE=1), it takes half an hour."""
    many, people, places = (5_000_000, 300_000, 30_000) if quick else (100_000_000, 3_000_000, 300_000)
    figures = []
    with tempfile.TemporaryDirectory(prefix="hucheng-bench-") as held:
        room = Path(held)
        files = list(raw(room / "raw", many, people, places))
        city = f"{many / 1e6:g} million stays, {people:,} people, {places:,} places, 14 days, Zipf 0.8"
        all_but_one = told(BUILD, room / "index", *files[:-1])
        one_more = told(BUILD, room / "index", files[-1])
        shutil.rmtree(room / "index")
        whole = told(BUILD, room / "index", *files)
        under = f"{city}; Parquet by day, unsorted; {size(room / 'index'):.2f} GB on disk"
        more = {"cpu_s": round(whole["cpu"], 1)} | load()
        figures.append(Figure("contacts: index", whole["s"], "s", under, 60, "less", more))
        figures.append(
            Figure("contacts: memory of the index's build", max(whole["gb"], all_but_one["gb"]), "GB", city, 4, "less")
        )
        under = f"{many // DAYS:,} stays to an index of 13 days, a process of its own"
        figures.append(
            Figure("contacts: adding a day", one_more["s"], "s", under, 5, "less", {"cpu_s": round(one_more["cpu"], 1)})
        )
        asked = cases(people)
        parquet.write_table(asked, room / "cases.parquet")
        index = Index.open(room / "index")
        first, took, found = warm(index, asked, 9)
        rows = found.overlaps.num_rows
        under = f"{city}; {CASES} cases of six days, {rows:,} overlaps of {len(found.people):,} people; median of 9"
        figures.append(Figure("contacts: search, index warm", took, "s", under, 0.25, "less", first))
        by_place = sorted_copy(room / "raw")
        shutil.rmtree(room / "raw")
        theirs = []
        for _ in range(3):
            begin = time.perf_counter()
            with duckdb.connect() as base:
                table = base.sql(SQL.format(stays=by_place, cases=room / "cases.parquet")).to_arrow_table()
                base.register("found", table)
                base.sql("select distinct person from found").to_arrow_table()
            theirs.append(time.perf_counter() - begin)
        under = (
            f"DuckDB on Parquet sorted by place: {min(theirs):.2f} s, best of 3; {table.num_rows:,} overlaps; same run"
        )
        figures.append(Figure("contacts: faster than DuckDB", min(theirs) / took, "×", under, 12, "more", load()))
        for out in ("contacts.parquet", "contacts.csv"):
            seconds = [command(room, out) for _ in range(2)]
            under = f"the same {rows:,} overlaps into {out}, second run (first {seconds[0]:.1f} s)"
            figures.append(Figure(f"contacts: whole command, {out[9:]}", seconds[1], "s", under, 4, "less", load()))
    if os.environ.get("HUCHENG_BENCH_LARGE"):
        figures += large(many * 10, people * 10, places * 10)
    return figures


def command(room: Path, out: str) -> float:
    """Seconds of the whole command."""
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "hucheng", "epidemic", "contacts", "--index", str(room / "index"), "--cases",
         str(room / "cases.parquet"), "--out", str(room / out), "--persons", str(room / f"people-{out}")],
        check=True, capture_output=True,
    )  # fmt: skip
    return time.perf_counter() - begin


def large(many: int, people: int, places: int) -> list[Figure]:
    """Ten cities in one: built a day at a time, the raw stays not kept."""
    with tempfile.TemporaryDirectory(prefix="hucheng-bench-") as held:
        room = Path(held)
        if shutil.disk_usage(room).free < 40e9:
            print("… contacts, large: less than 40 GB free, left out", file=sys.stderr)
            return []
        built = 0.0
        for file in raw(room / "raw", many, people, places):
            built += told(BUILD, room / "index", file)["s"]
            file.unlink()
        index = Index.open(room / "index")
        first, took, found = warm(index, cases(people), 5)
        city = f"{many / 1e9:g} billion stays, {people:,} people, {places:,} places"
        disk = f"built in {built:.0f} s, a day at a time; {size(room / 'index'):.1f} GB on disk"
        under = f"{city}, {disk}; {found.overlaps.num_rows:,} overlaps of {len(found.people):,} people; median of 5"
        return [
            Figure(
                "contacts: search in ten times the city",
                took,
                "s",
                under,
                1,
                "less",
                first,
            )
        ]
