"""What the gate costs: a query over everybody against the same SQL by hand, and single people from sixteen callers."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from msgspec import structs

from bench.table import Figure
from hucheng.apps import load_apps
from hucheng.base.catalogue import Catalogue
from hucheng.base.contracts import Contract, Use, load_contract, shipped
from hucheng.base.current import Current, Offset, prefix_of
from hucheng.base.currentreader import CurrentReader
from hucheng.base.keys import Keys
from hucheng.base.lake import Lake
from hucheng.base.ledger import Ledger
from hucheng.base.readings import READINGS
from hucheng.base.registers import Registers
from hucheng.gate import Gate, Journal, Org, Principal, Principals, Purpose, Purposes, Read

BED = "home.bed"
PEOPLE = 2_000
CALLERS = 16
STEPS_MIN = {"cuff": 60, "bed": 5}
"""A blood-pressure cuff that measures each hour, a mattress that sends every five minutes."""
START = datetime(2026, 3, 1, tzinfo=UTC)
RULES = """
@id("bench.bulk")
@needs("用途|a purpose of the bench")
permit (principal, action == Action::"bulk", resource)
when { ["bench.rows", "bench.groups"].contains(context.purpose) };
"""
COARSE = "date_trunc('hour', observed_at)"


def contracts() -> list[Contract]:
    """The contracts of base and care; beds have two more uses, with condition, coarsening, smallest group."""
    found = [*shipped(), *(load_contract(path) for app in load_apps() for path in app.contracts)]
    fields = ("metric", "observed_at", "value")
    more = {
        "bench.rows": Use("bench.rows", fields, "value < 90", {"observed_at": COARSE}),
        "bench.groups": Use("bench.groups", fields, "value < 90", {"observed_at": COARSE}, 10),
    }
    return [structs.replace(c, uses={**c.uses, **more}) if c.id == BED else c for c in found]


class House:
    """A gate with everything behind it, in a folder of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        catalogue = Catalogue(contracts())
        ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
        self.keys = Keys(ledger, bytes(32))
        self.registers = Registers(ledger, self.keys, catalogue)
        self.principals = Principals(ledger)
        purposes = Purposes(ledger, catalogue)
        self.lake = Lake(home / "lake")
        self.journal = Journal(f"sqlite:///{home / 'journal.db'}", self.keys, home / "checkpoints.jsonl")
        title = {"en": "bench"}
        asked = [Purpose(n, title, "law", "bench", ("officer",)) for n in ("bench.rows", "bench.groups")]
        purposes.declare("bench", asked, RULES)
        for one in purposes.enrol():
            purposes.accept(one.kind, one.id, by="bench", assessment="Made up people in a folder that goes away.")
        self.principals.put_orgs(
            [Org("cn", None, "nation", {}), Org("lj", "cn", "city", {}), Org("c1", "lj", "community", {})]
        )
        people = [Principal(f"p{n}", "resident", f"居民{n}", ("cn", "lj", "c1"), (), f"R{n}") for n in range(PEOPLE)]
        self.principals.put([Principal("li", "officer", "李", ("cn", "lj"), ()), *people])
        self.current = CurrentReader(home, 1)
        self.gate = Gate(
            catalogue=catalogue,
            registers=self.registers,
            keys=self.keys,
            principals=self.principals,
            purposes=purposes,
            journal=self.journal,
            lake=self.lake,
            current=self.current,
        )

    def close(self) -> None:
        """Let go of everything."""
        self.gate.close()
        self.journal.close()
        self.current.close()


def measure(quick: bool) -> list[Figure]:
    """Both figures; made-up people, no node."""
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        try:
            return [*bulk(house, quick), *single(house, quick)]
        finally:
            house.close()


def bulk(house: House, quick: bool) -> list[Figure]:
    """A query over all readings by the gate and by hand, in turn; the raw one takes at least half a second."""
    parts, size, times = (4, 1_000_000, 5) if quick else (20, 2_000_000, 15)
    rng = np.random.default_rng(0)
    names = pa.array([f"R{n}" for n in range(PEOPLE)])
    table = house.lake.writer(BED, READINGS, "bench")
    for part in range(parts):
        people = rng.integers(0, PEOPLE, size)
        table.append(_readings(names.take(pa.array(people)), rng, size, part), part + 1)
    files = house.lake.files(BED)
    by_hand = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    by_hand.execute("SET TimeZone='UTC'")
    by_hand.execute("SET enable_progress_bar=false")
    view = house.gate.open(house.principals.get("li"), "bench.rows", [BED])
    t = view.table
    expr = (
        t.group_by("observed_at")
        .aggregate(n=t.count(), mean=t.value.mean(), high=t.value.max())
        .order_by("observed_at")
    )
    plain = (
        f"SELECT {COARSE} AS hour, count(*) AS n, avg(value) AS mean, max(value) AS high FROM read_parquet(?) "
        "WHERE value < 90 GROUP BY 1 ORDER BY 1"
    )
    grouped = house.gate.open(house.principals.get("li"), "bench.groups", [BED])
    measures = {"n": ("count", None), "mean": ("mean", "value")}
    counted = (
        f"SELECT {COARSE} AS hour, count(*) AS n, avg(value) AS mean FROM read_parquet(?) WHERE value < 90 "
        "GROUP BY 1 HAVING count(DISTINCT resident_id) >= 10"
    )
    cold = time.perf_counter()
    view.fetch(expr)
    cold = time.perf_counter() - cold
    rows = _in_turn(times, lambda: by_hand.sql(plain, params=[files]).to_arrow_table(), lambda: view.fetch(expr))
    groups = _in_turn(
        max(3, times // 3),
        lambda: by_hand.sql(counted, params=[files]).to_arrow_table(),
        lambda: grouped.aggregate(["observed_at"], measures),
    )
    load = (
        f"{parts * size:,} readings in {len(files)} files, {times} in turn, journal included; by hand {rows[0]:.2f} s"
    )
    under = f"the same with groups of at least 10 people; by hand {groups[0]:.2f} s"
    first = "the same, first use: who is in the files is not yet known"
    return [
        Figure("gate: query over everybody, against SQL by hand", rows[1] / rows[0], "×", load, 1.10, "less"),
        Figure("gate: with a smallest group, against SQL by hand", groups[1] / groups[0], "×", under, better="less"),
        Figure("gate: first query over new files, against SQL by hand", cold / rows[0], "×", first, better="less"),
    ]


def single(house: House, quick: bool) -> list[Figure]:
    """One resident's register row and the last 24 h of one device, sixteen callers at once, while readings come in."""
    seconds = 3.0 if quick else 20.0
    rows = [
        {
            "resident_id": f"R{n}", "name": f"居民{n}", "sex": "female", "born": date(1940, 1, 1), "community": "c1",
            "grid": "g1", "address": f"柳树路 {n} 号", "phone": "000",
        }
        for n in range(PEOPLE)
    ]  # fmt: skip
    house.registers.put("city.residents", rows)
    now = datetime.now(UTC)
    devices = [
        {
            "device_id": f"{kind}{n}", "resident_id": f"R{n}", "home_id": f"h{n}", "gateway_id": "gw", "dataset": BED,
            "kind": kind, "simulated": True, "commissioned_at": now,
        }
        for n in range(PEOPLE)
        for kind in STEPS_MIN
    ]  # fmt: skip
    house.registers.put("city.devices", devices)
    feeding = subprocess.Popen([sys.executable, "-m", "bench.gate", str(house.home)], stdout=subprocess.PIPE)
    assert feeding.stdout is not None
    feeding.stdout.readline()
    try:
        return [figure for kind in STEPS_MIN for figure in _callers(house, kind, seconds)]
    finally:
        feeding.terminate()
        feeding.wait()


def _callers(house: House, kind: str, seconds: float) -> list[Figure]:
    house.gate.warm()
    waits: list[list[float]] = [[] for _ in range(CALLERS)]
    counts: list[int] = []
    begin = time.perf_counter() + 1.0
    end = begin + seconds

    def call(mine: list[float], n: int) -> None:
        rng = np.random.default_rng(n)
        while (start := time.perf_counter()) < end:
            place = int(rng.integers(0, PEOPLE))
            reads = [
                Read("city.residents", "row"),
                Read(BED, "recent", device=f"{kind}{place}", since=datetime.now(UTC) - timedelta(hours=24)),
            ]
            found = house.gate.look(structs.replace(_nobody, id=f"p{place}"), "self.access", reads)
            if start >= begin:
                mine.append(time.perf_counter() - start)
                counts.append(len(found[1]))

    threads = [threading.Thread(target=call, args=(mine, n)) for n, mine in enumerate(waits)]
    switch = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)  # sixteen callers share one interpreter
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch)
    all_ms = np.concatenate([np.array(w) for w in waits]) * 1000
    load = (
        f"{CALLERS} callers at once without a pause, {kind} with {statistics.median(counts):.0f} readings in 24 h, "
        f"1,000 readings/s into `current` beside it, journal durable each time, {seconds:g} s"
    )
    goal = 10 if kind == "cuff" else None
    name = f"gate: one resident's row and 24 h of a {kind}"
    return [
        Figure(f"{name}, p99", float(np.quantile(all_ms, 0.99)), "ms", load, goal, "less"),
        Figure(f"{name}, median", float(np.median(all_ms)), "ms", load, better="less"),
        Figure(f"{name}, looks", len(all_ms) / seconds, "/s", load),
    ]


_nobody = Principal("", "resident", "", ())


def _in_turn(times: int, one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """Median seconds of two ways, measured in turn after one round that does not count."""
    spent: tuple[list[float], list[float]] = ([], [])
    for place in range(times + 1):
        for way, found in zip(
            (one, other) if place % 2 else (other, one), spent if place % 2 else spent[::-1], strict=True
        ):
            start = time.perf_counter()
            way()
            if place:
                found.append(time.perf_counter() - start)
    return statistics.median(spent[0]), statistics.median(spent[1])


def _readings(people: pa.Array, rng: np.random.Generator, size: int, part: int) -> pa.Table:
    stamps = np.sort(rng.integers(0, 86_400_000_000, size)) + int((START + timedelta(days=part)).timestamp() * 1e6)
    at = pa.array(stamps, pa.int64()).cast(pa.timestamp("us", "UTC"))
    same = {"device_id": "bed", "metric": "respiratory_rate", "unit": "/min"}
    columns = {
        "resident_id": people,
        "observed_at": at,
        "value": pa.array(rng.normal(16, 3, size)),
        "received_at": at,
        "seq": pa.array(np.arange(size, dtype=np.int64)),
        "simulated": pa.array(np.ones(size, bool)),
        **{name: pa.array(np.full(size, text)) for name, text in same.items()},
    }
    return pa.table([columns[name] for name in READINGS.names], READINGS)


def feed(home: Path) -> None:
    """Fill `current` with a day of every bed, then add 1,000 readings a second until told to stop."""
    current = Current(home / "current" / "p0")
    numbers = current.people([f"R{n}" for n in range(PEOPLE)])
    now = int(time.time() * 1e6)
    for kind, step in STEPS_MIN.items():
        day = range(0, 24 * 60, step)
        for start in range(0, PEOPLE, 200):
            some = range(start, start + 200)
            people = [n for n in some for _ in day]
            _write(current, kind, numbers, people, [now - m * 60_000_000 for _ in some for m in day])
    print("ready", flush=True)
    place = 0
    while True:
        began = time.time()
        told = [(place + n) % PEOPLE for n in range(1_000)]
        place += 1_000
        # in the place of the newest: what a device sends is more, what a day holds stays the same
        _write(current, "bed", numbers, told, [now + int(began) % 1_000] * len(told))
        time.sleep(max(0.0, 1.0 - (time.time() - began)))


def _write(current: Current, kind: str, numbers: np.ndarray, people: list[int], stamps: list[int]) -> None:
    size = len(people)
    current.write(
        Offset(),
        [prefix_of(f"{kind}{n}", "respiratory_rate") for n in people],
        np.array(stamps, np.int64),
        np.full(size, 16.0),
        np.array(stamps, np.int64),
        np.arange(size, dtype=np.int64),
        np.ones(size, bool),
        np.asarray(numbers)[people],
    )


if __name__ == "__main__":
    feed(Path(sys.argv[1]))
