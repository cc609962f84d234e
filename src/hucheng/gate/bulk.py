"""Many people at once: one SQL over Delta files, joined inside on resident_id, with condition and coarsening applied.

Whoever holds a view can only work on its result: the tables behind it, and the columns they are joined by, stay inside.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.operations as ops
import pyarrow as pa
from pyroaring import BitMap

from hucheng.base.contracts import Contract, Use, telling
from hucheng.base.keys import Keys
from hucheng.base.lake import Lake
from hucheng.errors import BadRequest, Refused
from hucheng.gate.shaping import SQL_TYPES, columns, control, named_in, quoted
from hucheng.gate.suppression import large_enough

PERSON = "resident_id"
MEASURES = ("count", "people", "sum", "mean", "min", "max")
GROUPED = ("count", "people", "sum", "mean")
VIEW = "view"


class Engine:
    """DuckDB over the lake, closed to everything else: no network, no extension, no file outside the lake."""

    def __init__(self, lake: Lake, keys: Keys) -> None:
        self.lake = lake
        self._keys = keys
        root = str(Path(lake.root).resolve()).replace("'", "''")
        self._db = duckdb.connect(
            config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
        )
        self._db.execute("SET TimeZone='UTC'")
        self._db.execute("SET enable_progress_bar=false")
        self._db.execute(f"SET allowed_directories=['{root}/']")
        self._db.execute("SET enable_external_access=false")
        self._db.execute("SET lock_configuration=true")
        self._people: dict[tuple[str, str, str], BitMap] = {}
        self._lock = threading.Lock()

    def run(self, sql: str, values: Sequence[Any] = ()) -> pa.Table:
        """The result as Arrow. Raises BadRequest with DuckDB's own words."""
        try:
            return self._db.cursor().sql(sql, params=list(values)).to_arrow_table()
        except duckdb.Error as error:
            raise BadRequest(f"the query cannot be run: {str(error).splitlines()[0]}", where="view") from error

    def close(self) -> None:
        """Let go of the engine."""
        self._db.close()

    def files(self, dataset: str) -> list[str]:
        """Files of a dataset's newest version."""
        return [str(Path(path).resolve()) for path in self.lake.files(dataset)]

    def people(self, contract: Contract, use: Use, files: Sequence[str]) -> BitMap:
        """Person numbers of everybody with a row that meets the use's condition.

        Files of a Delta table never change: each is looked through once for each condition.
        """
        key = contract.id, use.where or ""
        missing = [path for path in files if (*key, path) not in self._people]
        if missing:
            condition = f" WHERE {use.where}" if use.where else ""
            found = self.run(
                f"SELECT filename, {PERSON} FROM read_parquet(?, filename=true){condition} GROUP BY ALL", [missing]
            )
            ids = found.column(PERSON).to_pylist()
            known = self._keys.people({one for one in ids if one is not None})
            fresh = {path: BitMap() for path in missing}
            for path, one in zip(found.column("filename").to_pylist(), ids, strict=True):
                if one is not None:
                    fresh[path].add(known[one].number)
            with self._lock:
                if len(self._people) > 20_000:
                    self._people.clear()
                self._people.update({(*key, path): numbers for path, numbers in fresh.items()})
        return BitMap.union(*(self._people[(*key, path)] for path in files)) if files else BitMap()


class Joined:
    """The SQL of a view over one or several datasets, and who is in it."""

    def __init__(self, engine: Engine, parts: Sequence[tuple[Contract, Use]]) -> None:
        """Raises Refused when a control cannot be applied, or a field is sealed and never in bulk."""
        self._engine = engine
        self.parts = list(parts)
        self.smallest = max(use.smallest_group for _, use in parts)
        self._files: list[list[str]] = []
        for contract, use in parts:
            control(contract, use)
            if contract.store not in ("lake", "register"):
                raise Refused(
                    f"{contract.id} is not kept in the lake",
                    policy="bulk.lake",
                    needed="a projection of it into the lake",
                )
            hidden = {f.name for f in contract.fields if f.classification == "sensitive"} & named_in(use, contract)
            if contract.kind == "register" and hidden:
                raise Refused(
                    f"{contract.id}: {', '.join(sorted(hidden))} is sealed for one person at a time",
                    policy="bulk.unsealed",
                    needed="a use without sensitive fields",
                )
            self._files.append(engine.files(contract.id))
        many = [contract.id for contract, _ in parts if contract.kind != "register"]
        if len(parts) > 1 and (len(many) > 1 or any(contract.person != PERSON for contract, _ in parts)):
            raise Refused(
                f"{', '.join(c.id for c, _ in parts)} cannot be joined in one view",
                policy="bulk.join",
                needed="registers of people, and at most one series",
            )
        self.columns = self._named()
        self.sql, self.values = self._built()

    def people(self) -> BitMap:
        """Everybody in the view: those with rows in each of its datasets."""
        found: BitMap | None = None
        for (contract, use), files in zip(self.parts, self._files, strict=True):
            if contract.person == PERSON:
                numbers = self._engine.people(contract, use, files)
                found = numbers if found is None else found & numbers
        return found if found is not None else BitMap()

    def schema(self) -> dict[str, str]:
        """Type of each column of the view (Ibis)."""
        kinds = {
            "string": "string", "integer": "int64", "number": "float64", "boolean": "boolean", "date": "date",
            "timestamp": "timestamp('UTC', 6)", "time": "time", "array": "array<string>", "object": "json",
        }  # fmt: skip
        return {
            alias: kinds[self.parts[part][0].field(name).type]
            for part, names in enumerate(self.columns)
            for name, alias in names.items()
        }

    def table(self) -> Any:
        """The view as an unbound Ibis table."""
        return ibis.table(self.schema(), name=VIEW)

    def fetch(self, expr: Any) -> pa.Table:
        """The result of an Ibis expression over `table`. Raises Refused when it reaches for anything else."""
        for node in expr.op().find(
            (ops.PhysicalTable, ops.SQLQueryResult, ops.SQLStringView, ops.ScalarUDF, ops.AggUDF)
        ):
            if not (isinstance(node, ops.UnboundTable) and node.name == VIEW and node.equals(self.table().op())):
                raise Refused(
                    f"the expression reaches for {type(node).__name__} {getattr(node, 'name', '')}".strip(),
                    policy="view.inside",
                    needed="an expression over the view's table alone",
                )
        query = ibis.to_sql(expr, dialect="duckdb")
        return self._engine.run(f"WITH {quoted(VIEW)} AS ({self.sql}) {query}", self.values)

    def aggregate(
        self, by: Sequence[str], measures: Mapping[str, tuple[str, str | None]], where: Mapping[str, Any]
    ) -> pa.Table:
        """Groups with their measures; groups of fewer than the smallest allowed number of people are left out.

        Others go with them until no total of these groups, over all or within one value of a column, can be
        subtracted down to fewer people than that (`hucheng.gate.suppression`).
        """
        known = {alias for names in self.columns for alias in names.values()}
        for name in (*by, *where, *(column for _, column in measures.values() if column)):
            if name not in known:
                raise Refused(
                    f"column {name!r} is not in the view",
                    policy="contract.fields",
                    needed=f"one of {', '.join(sorted(known))}",
                )
        grouped = self.smallest > 1
        allowed = GROUPED if grouped else MEASURES
        picked = [quoted(name) for name in by]
        for alias, (kind, column) in measures.items():
            if kind not in allowed:
                raise Refused(
                    f"measure {kind!r} is not allowed here", policy="contract.smallest-group", needed=", ".join(allowed)
                )
            picked.append(f"{_measure(kind, column)} AS {quoted(alias)}")
        values = list(self.values)
        conditions = []
        for name, value in where.items():
            many = list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]
            conditions.append(f"list_contains(?, {quoted(name)})")
            values.append(many)
        condition = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        groups = f" GROUP BY {', '.join(quoted(name) for name in by)}" if by else ""
        count = f", count(DISTINCT {_INSIDE}) AS people_" if grouped else ""
        inside = f"WITH {quoted(VIEW)} AS ({self._built(inside=True)[0]}) SELECT"
        source = f"FROM {quoted(VIEW)}{condition}{groups}"
        if not grouped:
            return self._engine.run(f"{inside} {', '.join(picked)} {source}", values)
        labels = [f"{quoted(name)} AS by_{n}_" for n, name in enumerate(by)]
        result = self._engine.run(f"{inside} {', '.join([*picked, *labels])}{count} {source}", values)
        shown, width = len(picked), len(by)
        people = result.column(shown + width).to_pylist()
        if min(people, default=0) >= self.smallest:
            return result.select(list(range(shown)))
        few = f"{source} HAVING count(DISTINCT {_INSIDE}) < {int(self.smallest)}"
        small = self._engine.run(f"{inside} {', '.join([*labels, f'list(DISTINCT {_INSIDE}) AS who_'])} {few}", values)
        named = dict(zip(_cells(small, 0, width), small.column(width).to_pylist(), strict=True))
        kept = large_enough(_cells(result, shown, width), people, named, self.smallest)
        return result.take(pa.array(kept, pa.int64())).select(list(range(shown)))

    def _named(self) -> list[dict[str, str]]:
        """For each part, its fields and the names they bear in the view."""
        everywhere = all(PERSON in use.fields for _, use in self.parts)
        single = [telling(contract, use) if self.smallest > 1 else frozenset() for contract, use in self.parts]
        counts: dict[str, int] = {}
        for _, use in self.parts:
            for name in use.fields:
                counts[name] = counts.get(name, 0) + 1
        found: list[dict[str, str]] = []
        for number, (contract, use) in enumerate(self.parts):
            short = contract.id.rpartition(".")[2]
            names: dict[str, str] = {}
            for name in use.fields:
                if name in single[number]:
                    continue
                if name == PERSON and len(self.parts) > 1:
                    if everywhere and number == 0:
                        names[name] = name
                    continue
                names[name] = name if counts[name] == 1 else f"{short}_{name}"
            found.append(names)
        return found

    def _built(self, inside: bool = False) -> tuple[str, list[Any]]:
        """The view's SQL and values; with ``inside`` it carries the person under a name nobody else may use."""
        parts: list[str] = []
        values: list[Any] = []
        joins = len(self.parts) > 1
        for number, ((contract, use), files) in enumerate(zip(self.parts, self._files, strict=True)):
            picked = dict(zip(use.fields, columns(contract, use), strict=True))
            wanted = [sql for name, sql in picked.items() if name in self.columns[number]]
            if joins or inside:
                wanted.append(f"{PERSON} AS {_INSIDE}" if contract.person == PERSON else f"NULL AS {_INSIDE}")
            if files:
                source = "read_parquet(?)"
                values.append(files)
            else:
                source = _empty(contract)
            condition = f" WHERE {use.where}" if use.where else ""
            parts.append(f"SELECT {', '.join(wanted) or '1 AS nothing_'} FROM {source}{condition}")
        if not joins:
            return parts[0], values
        outer = [
            f"p{number}.{quoted(name)} AS {quoted(alias)}"
            for number, names in enumerate(self.columns)
            for name, alias in names.items()
        ]
        if inside:
            outer.append(f"p0.{_INSIDE}")
        joined = f"({parts[0]}) p0"
        for number, part in enumerate(parts[1:], start=1):
            joined += f" JOIN ({part}) p{number} ON p0.{_INSIDE} = p{number}.{_INSIDE}"
        return f"SELECT {', '.join(outer)} FROM {joined}", values


_INSIDE = "resident_inside_"


def _measure(kind: str, column: str | None) -> str:
    if kind == "count":
        return "count(*)" if column is None else f"count({quoted(column)})"
    if kind == "people":
        return f"count(DISTINCT {_INSIDE})"
    if column is None:
        raise BadRequest(f"measure {kind!r} needs a column", where="view")
    return f"{'avg' if kind == 'mean' else kind}({quoted(column)})"


def _cells(result: pa.Table, first: int, width: int) -> list[tuple[str, ...]]:
    """The values that make each group, as texts: what has no hash has a text."""
    columns = [[repr(value) for value in result.column(first + n).to_pylist()] for n in range(width)]
    return list(zip(*columns, strict=True)) if columns else [()] * result.num_rows


def _empty(contract: Contract) -> str:
    """A table without rows and with the contract's columns: nothing was written yet."""
    cells = [f"CAST(NULL AS {SQL_TYPES.get(f.type, 'VARCHAR')}) AS {quoted(f.name)}" for f in contract.fields]
    return f"(SELECT {', '.join(cells)} WHERE false)"
