"""How fast the journal takes entries that are durable when it answers, and how fast the whole chain is checked."""

from __future__ import annotations

import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bench.table import Figure
from hucheng.base.keys import Keys
from hucheng.base.ledger import Ledger
from hucheng.gate import Entry, Journal
from hucheng.gate.verify import verify

THREADS = 16
PEOPLE = 1_000


def entry(n: int) -> Entry:
    """A look at one resident as the gate writes it, detail sealed under her key."""
    return Entry(
        at=datetime.now(UTC),
        kind="look",
        principal="li-min",
        principal_kind="officer",
        org="linjiang.east",
        purpose="care.respond",
        basis="老年人权益保障法 第38条",
        datasets=("city.residents", "home.blood_pressure"),
        fields=(("resident_id", "name", "address", "phone"), ("metric", "observed_at", "value", "unit")),
        case="c-2026-000017",
        policy="care.respond.officer",
        counts={"rows": 12, "people": 1},
        person=f"R{n % PEOPLE}",
        detail={"reads": [{"dataset": "home.blood_pressure", "kind": "recent", "since": "2026-03-01"}]},
    )


def measure(quick: bool) -> list[Figure]:
    """Single entries from 16 threads for 20 s, then a verification of a million."""
    seconds, length = (3.0, 100_000) if quick else (20.0, 1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        keys = Keys(Ledger(f"sqlite:///{home / 'ledger.db'}"), bytes(32))
        keys.people(f"R{n}" for n in range(PEOPLE))
        journal = Journal(f"sqlite:///{home / 'journal.db'}", keys, home / "checkpoints.jsonl")
        waits: list[list[float]] = [[] for _ in range(THREADS)]
        end = time.perf_counter() + seconds

        def work(mine: list[float], start: int) -> None:
            n = start
            now = time.perf_counter()
            while now < end:
                n += 1
                journal.append([entry(n)])
                before, now = now, time.perf_counter()
                mine.append(now - before)

        threads = [threading.Thread(target=work, args=(mine, n * 1000)) for n, mine in enumerate(waits)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rate = sum(map(len, waits)) / (time.perf_counter() - started)
        p99 = float(np.quantile(np.concatenate([np.array(w) for w in waits]), 0.99)) * 1000
        while journal.seq < length:
            journal.append([entry(n) for n in range(5_000)])
        journal.seal()
        started = time.perf_counter()
        found = verify(journal.ledger, keys.node.public, journal.file, checkpointing=journal.checkpointing)
        verified = found.count / (time.perf_counter() - started)
        journal.close()
    load = f"{THREADS} threads, one entry each time, sealed detail, SQLite WAL synchronous=FULL, {seconds:g} s"
    sealed = f"{found.count:,} entries with all {found.checkpoints} checkpoints, two processes"
    return [
        Figure("journal: durable entries", rate, "/s", load, 10_000),
        Figure("journal: wait for durability, p99", p99, "ms", load, better="less"),
        Figure("journal: verified entries", verified, "/s", sealed, 500_000),
    ]
