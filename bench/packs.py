"""The ten packs over a city: against OpenFisca-Core with the same rules, and against the plain CASE with unknowns.

Each contender is a process of its own that reads Parquet, decides all outcomes and writes Parquet; imports do not
count, the largest memory of the process does. OpenFisca-Core is no dependency of the product (``.[bench]`` brings it);
where it is missing it is left out, and that is said.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as parquet
import yaml

from bench.people import people
from bench.table import Figure
from hucheng.rules import load, names
from hucheng.rules.model import Version

ON = date(2026, 3, 1)
TEN = (
    "living-subsidy", "nursing-subsidy", "disability-certificate", "income-tax-reduction", "assistive-device-subsidy",
    "old-age-allowance", "minimum-living-allowance", "news2", "blood-pressure", "flood-shelter",
)  # fmt: skip
AT_ONCE = 1_000_000


def prepare(folder: Path, rows: int, unknown: float, *, together: bool) -> None:
    """One file a pack, and one with all facts for OpenFisca, which wants everybody at once."""
    for number, name in enumerate(TEN):
        writer = None
        for begun in range(0, rows, AT_ONCE):
            table = people(load(name), ON, min(AT_ONCE, rows - begun), unknown, seed=number * 1000 + begun // AT_ONCE)
            ids = pc.add(table.column("id"), begun)
            table = table.set_column(0, "id", ids)
            writer = writer or parquet.ParquetWriter(folder / f"{name}.parquet", table.schema)
            writer.write_table(table)
        assert writer is not None
        writer.close()
    if together:
        columns: dict[str, Any] = {}
        for name in TEN:
            table = parquet.read_table(folder / f"{name}.parquet")
            columns.setdefault("id", table.column("id"))
            columns |= {f"{_plain(name)}_{c}": table.column(c) for c in table.column_names if c != "id"}
        parquet.write_table(pa.table(columns), folder / "together.parquet")


def _plain(name: str) -> str:
    return name.replace("-", "_")


def ours(folder: Path, packs: Sequence[str]) -> None:
    """As ``hucheng rules decide`` does it, one pack after the other."""
    from hucheng.cli.rules import words_of
    from hucheng.files import Writer, differences, tables
    from hucheng.rules.tables import in_order, shared

    spent = {}
    for name in packs:
        begin = time.perf_counter()
        version = load(name).version(ON)
        with Writer(folder / f"{name}.ours.parquet", differences) as writer:
            pieces = tables(folder / f"{name}.parquet", words_of(version))
            for result in in_order(partial(_decided, version), shared(version, pieces)):
                writer.write(result)
        spent[name] = round(time.perf_counter() - begin, 2)
    _told(sum(spent.values()), spent)


def _decided(version: Version, piece: tuple[pa.Table, bool, int]) -> pa.Table:
    from hucheng.rules.tables import decided

    return decided(version, piece[0], ON, text=piece[1])


def raw(folder: Path, packs: Sequence[str]) -> None:
    """The pack's text as plain SQL: what somebody writes who does not think of unknowns."""
    spent = {}
    for name in packs:
        begin = time.perf_counter()
        con = duckdb.connect()
        con.execute(
            "CREATE MACRO years_(born, day) AS (year(day) * 10000 + month(day) * 100 + day(day) "
            "- year(born) * 10000 - month(born) * 100 - day(born)) // 10000"
        )
        query = plain_sql(name, str(folder / f"{name}.parquet"))
        con.execute(f"COPY ({query}) TO '{folder / f'{name}.raw.parquet'}' (FORMAT parquet)")
        spent[name] = round(time.perf_counter() - begin, 2)
    _told(sum(spent.values()), spent)


def plain_sql(name: str, file: str) -> str:
    """One SELECT an outcome, each upon the one before."""
    body = yaml.safe_load(names()[name].read_text("utf-8"))
    version: dict[str, Any] = {}
    for each in body["versions"]:
        if each["in_force"] <= ON:
            before = version if "amends" in each else {}
            version = {**before, **each, "parameters": {**before.get("parameters", {}), **each.get("parameters", {})}}
    parameters = {key: str(value["value"]) for key, value in version.get("parameters", {}).items()}
    query = f"SELECT * FROM read_parquet('{file}')"
    for outcome, given in version["outcomes"].items():
        quoted = given["type"] == "enum"

        def value(text: Any, quoted: bool = quoted) -> str:
            return f"'{text}'" if quoted and str(text).isidentifier() else str(text)

        if "value" in given:
            sql = value(given["value"], False)
        else:
            branches = given.get("first_of") or given["one_of"]
            whens = " ".join(f"WHEN {b['when']} THEN {value(b['value'])}" for b in branches)
            sql = f"CASE {whens}" + (f" ELSE {value(given['else'])}" if "else" in given else "") + " END"
        sql = sql.replace("age(", "years_(").replace("decision_date", f"DATE '{ON}'")
        for parameter, number in parameters.items():
            sql = re.sub(rf"\b{parameter}\b", number, sql)
        query = f"SELECT *, {sql} AS {outcome} FROM ({query})"
    return f"SELECT id, {', '.join(version['outcomes'])} FROM ({query})"


def _told(seconds: float, parts: dict[str, float]) -> None:
    print(json.dumps({"seconds": seconds, "memory_mb": peak_mb(), "parts": parts}))


def peak_mb() -> int:
    """Largest memory of this process alone (what getrusage says begins with that of the parent)."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) // 1024


def _run(*arguments: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _median(times: int, *arguments: str) -> dict[str, Any]:
    runs = sorted((_run(*arguments) for _ in range(times)), key=lambda run: run["seconds"])
    return runs[len(runs) // 2]


def differences(folder: Path, other: str) -> int:
    """Answers that are not the same as ours, where ours are given."""
    wrong = 0
    from bench.openfisca import WORDS, number_words

    number_words(TEN)
    them = parquet.read_table(folder / "openfisca.parquet") if other == "openfisca" else None
    for name in TEN:
        pack = load(name).version(ON)
        mine = parquet.read_table(folder / f"{name}.ours.parquet")
        theirs = them if them is not None else parquet.read_table(folder / f"{name}.raw.parquet")
        for outcome, declared in pack.outcomes.items():
            a = mine.column(outcome)
            b = theirs.column(f"{_plain(name)}_{outcome}" if them is not None else outcome)
            kind = declared.kind
            if them is not None and kind.name == "enum":
                a = pc.index_in(a, pa.array(WORDS))
            elif them is not None and kind.name == "number" and kind.scale:
                a = pc.multiply(a, pa.scalar(10**kind.scale, pa.int64())).cast(pa.int64(), safe=False)
            if kind.name == "number":
                a, b = a.cast(pa.decimal128(38, 4)), b.cast(pa.decimal128(38, 4))
            same = pc.equal(a.cast(b.type), b)
            wrong += pc.sum(pc.invert(pc.fill_null(same, False)).cast(pa.int64())).as_py()
    return wrong


def measure(quick: bool, rows: int = 1_000_000, large: int = 10_000_000) -> list[Figure]:
    """Both comparisons."""
    rows, large, times = (100_000, 200_000, 1) if quick else (rows, large, 3)
    figures = []
    with tempfile.TemporaryDirectory(prefix="hucheng-packs-") as text:
        folder = Path(text)
        prepare(folder, rows, 0.0, together=True)
        mine = _median(times, "bench.packs", "--ours", text)
        load_ = f"ten packs, {rows:,} people each, all known, Parquet in and out, {mine['seconds']:.2f} s"
        plain = _median(times, "bench.packs", "--raw", text)
        load_ += f", plain CASE {plain['seconds']:.2f} s, {differences(folder, 'raw')} answers differ from it"
        if importlib.util.find_spec("openfisca_core") is None:
            print("openfisca-core is not installed: not compared", file=sys.stderr)
        else:
            facts, out = str(folder / "together.parquet"), str(folder / "openfisca.parquet")
            theirs = _median(times, "bench.openfisca", facts, out, ON.isoformat(), *TEN)
            load_ += f", OpenFisca-Core {theirs['seconds']:.2f} s, {differences(folder, 'openfisca')} answers differ"
            figures.append(
                Figure(
                    "rules: ten packs, times as fast as OpenFisca", theirs["seconds"] / mine["seconds"], "×", load_, 5
                )
            )
            share = mine["memory_mb"] / theirs["memory_mb"]
            held = f"{mine['memory_mb']} MB against {theirs['memory_mb']} MB"
            figures.append(Figure("rules: memory against OpenFisca", share, "×", held, 0.5, "less", mine["parts"]))
    with tempfile.TemporaryDirectory(prefix="hucheng-packs-") as text:
        folder = Path(text)
        prepare(folder, large, 0.15, together=False)
        mine, plain = _run("bench.packs", "--ours", text), _run("bench.packs", "--raw", text)
        load_ = f"{large:,} people, 15 % unknown, every determined case decided: {mine['seconds']:.1f} s"
        load_ += f" against {plain['seconds']:.1f} s for the plain CASE (which answers wrongly)"
        ratio = mine["seconds"] / plain["seconds"]
        figures.append(
            Figure("rules: ten packs with unknowns against plain CASE", ratio, "×", load_, 2, "less", mine["parts"])
        )
        figures.append(
            Figure("rules: memory of that", mine["memory_mb"] / 1024, "GB", load_, 2, "less", plain["parts"])
        )
    return figures


def main() -> None:
    """One contender, for ``measure`` to call as a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", type=Path)
    parser.add_argument("--raw", type=Path)
    given = parser.parse_args()
    (ours if given.ours else raw)(given.ours or given.raw, TEN)


if __name__ == "__main__":
    main()
