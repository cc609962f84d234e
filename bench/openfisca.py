"""The same packs in OpenFisca-Core: each fact and each outcome a variable, each formula NumPy as its users write it.

Amounts are whole cents in ``int`` (OpenFisca's ``float`` is float32 and would not be exact); words that come out are
numbers. ``python -m bench.openfisca FACTS OUT PACK…`` reads Parquet, reckons all outcomes, writes Parquet and prints
seconds as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as parquet

from bench.packs import peak_mb
from hucheng.rules import Pack, load
from hucheng.rules.kinds import Kind
from hucheng.rules.model import Version
from hucheng.rules.tree import (
    Age,
    Among,
    Case,
    Compare,
    Const,
    Earlier,
    Every,
    Extreme,
    Fact,
    Node,
    Not,
    Product,
    Rounded,
    Shift,
    Some,
    Sum,
    Today,
)  # fmt: skip

WORDS: list[str] = []
"""Every word of every pack: a word is its place here."""


def _kinds(version: Version) -> dict[str, Kind]:
    facts = {name: fact.kind for name, fact in version.facts.items()}
    return facts | {name: outcome.kind for name, outcome in version.outcomes.items()}


def number_words(names: Sequence[str]) -> None:
    """Fill WORDS for some packs, the same way every time."""
    found: set[str] = set()
    for version in (version for name in names for version in load(name).versions):
        for kind in _kinds(version).values():
            found.update(kind.values)
    WORDS[:] = sorted(found)


def source(node: Node, pack: str) -> str:
    """A tree as a NumPy expression over ``person`` and ``period``."""

    def of(node: Node) -> str:
        match node:
            case Const(kind, value):
                return constant(kind, value)
            case Fact(_, name) | Earlier(_, name):
                return f"person('{pack}_{name}', period)"
            case Today():
                return "np.datetime64(period.start.date, 'D')"
            case Compare(op, left, right):
                sign = {"=": "==", "<>": "!="}.get(op, op)
                return f"({of(left)} {sign} {of(right)})"
            case Among(part, values):
                held = [f"({of(part)} == {constant(part.kind, value)})" for value in values]
                return f"({' + '.join(held)})"
            case Every(parts):
                return f"({' * '.join(map(of, parts))})"
            case Some(parts):
                return f"({' + '.join(map(of, parts))})"
            case Not(part):
                return f"np.logical_not({of(part)})"
            case Case(_, branches, other, _):
                whens = ", ".join(of(when) for when, _ in branches)
                results = ", ".join(of(result) for _, result in branches)
                default = "0" if other is None else of(other)
                return f"np.select([{whens}], [{results}], default={default})"
            case Sum(_, op, left, right):
                return f"({of(left)} {op} {of(right)})"
            case Product(_, left, right):
                return f"(np.int64(1) * {of(left)} * {of(right)})"  # its integers have 32 bits
            case Rounded(_, mode, top, factor, bottom):
                if mode == "half_up":
                    return f"((2 * {of(top)} * {factor} + {of(bottom)}) // (2 * {of(bottom)}))"
                sign = "-" if mode == "ceil" else ""
                return f"({sign}(({sign}{of(top)} * {factor}) // {of(bottom)}))"
            case Extreme(_, name, parts):
                done = of(parts[0])
                for part in parts[1:]:
                    done = f"np.{'minimum' if name == 'least' else 'maximum'}({done}, {of(part)})"
                return done
            case Age(_, born, on):
                return f"age({of(born)}, {of(on)})"
            case Shift():
                raise NotImplementedError("no shipped pack shifts a date")
        raise AssertionError(node)

    def constant(kind: Kind, value: Any) -> str:
        if kind.name == "enum":
            return str(WORDS.index(value))
        return f"np.datetime64('{value}', 'D')" if kind.name == "date" else repr(value)

    return of(node)


def age(born: Any, on: Any) -> Any:
    """Completed years; 29 February counts as 1 March."""

    def parts(day: Any) -> Any:
        months = day.astype("datetime64[M]")
        years = months.astype("datetime64[Y]")
        number = (day - months).astype(np.int64) + 1
        return (years.astype(np.int64) + 1970) * 10_000 + ((months - years).astype(np.int64) + 1) * 100 + number

    return (parts(np.asarray(on)) - parts(born)) // 10_000


def system(packs: list[tuple[Pack, Version]]) -> Any:
    """A tax and benefit system with all packs in it."""
    from openfisca_core.entities import build_entity
    from openfisca_core.periods import DateUnit
    from openfisca_core.taxbenefitsystems import TaxBenefitSystem
    from openfisca_core.variables import Variable

    person = build_entity(key="person", plural="persons", label="person", is_person=True)
    made = TaxBenefitSystem([person])
    kinds = {"boolean": bool, "number": int, "enum": int, "date": date}
    for pack, version in packs:
        prefix = pack.id.replace("-", "_")
        for name, kind in _kinds(version).items():
            body: dict[str, Any] = {
                "value_type": kinds[kind.name], "entity": person, "definition_period": DateUnit.DAY,
                "label": name,
            }  # fmt: skip
            if name in version.outcomes:
                text = source(version.outcomes[name].tree, prefix)
                space: dict[str, Any] = {"np": np, "age": age}
                exec(f"def formula(person, period, parameters):\n    return {text}", space)
                body["formula"] = space["formula"]
            made.add_variable(type(f"{prefix}_{name}", (Variable,), body))
    return made


def column(kind: Kind, values: pa.ChunkedArray) -> Any:
    """An Arrow column as OpenFisca wants it."""
    whole = values.combine_chunks()
    if kind.name == "enum":
        return pc.index_in(whole, pa.array(WORDS)).to_numpy()
    if kind.name == "date":
        return whole.to_numpy(zero_copy_only=False).astype("datetime64[D]")
    if kind.name == "number" and kind.scale:
        return np.frombuffer(whole.buffers()[1], np.int64)[whole.offset * 2 :: 2][: len(whole)].astype(np.int32)
    return whole.to_numpy(zero_copy_only=False)


def main(facts: str, out: str, day: str, names: list[str]) -> None:
    """One run; everything but the imports counts."""
    from openfisca_core.simulation_builder import SimulationBuilder

    on = date.fromisoformat(day)
    number_words(names)
    packs = [(pack, pack.version(on)) for pack in map(load, names)]
    made = system(packs)
    begin = time.perf_counter()
    table = parquet.read_table(facts)
    simulation = SimulationBuilder().build_default_simulation(made, count=table.num_rows)
    results: dict[str, Any] = {"id": table.column("id")}
    for pack, version in packs:
        prefix = pack.id.replace("-", "_")
        for name, fact in version.facts.items():
            simulation.set_input(f"{prefix}_{name}", day, column(fact.kind, table.column(f"{prefix}_{name}")))
        for name in version.outcomes:
            results[f"{prefix}_{name}"] = pa.array(np.asarray(simulation.calculate(f"{prefix}_{name}", day)))
    parquet.write_table(pa.table(results), out)
    print(json.dumps({"seconds": time.perf_counter() - begin, "memory_mb": peak_mb()}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
