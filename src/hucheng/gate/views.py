"""A view: the smallest slice that serves one purpose, for one principal; every hand-out is in the journal first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from msgspec import Struct, structs
from pyroaring import BitMap

from hucheng.base.contracts import Contract, Use
from hucheng.errors import BadRequest, Refused
from hucheng.gate.bulk import PERSON, Engine, Joined
from hucheng.gate.facts import WithCase
from hucheng.gate.principals import Principal
from hucheng.gate.purposes import Purpose
from hucheng.gate.shaping import control, hand_out, shape
from hucheng.gate.stores import Read, Rows, Scope, Store, whose


class Part(Struct, frozen=True):
    """One dataset of a view, and what the purpose may see of it."""

    contract: Contract
    use: Use
    policy: str


class Given(Struct, frozen=True):
    """What is about to be handed out, for the journal. ``numbers``: the people of a bulk use."""

    uses: tuple[Part, ...]
    kind: str
    rows: int
    people: frozenset[str] = frozenset()
    numbers: BitMap | None = None
    reads: tuple[Read, ...] = ()


Note = Callable[[Given], None]


class View:
    """What `Gate.open` gives. Holds no data: each call reads, notes in the journal, and only then hands out."""

    def __init__(
        self,
        who: Principal,
        purpose: Purpose,
        uses: Mapping[str, Part],
        scope: Scope,
        stores: Callable[[Contract], Store],
        note: Note,
        bulk: Callable[[], tuple[Engine, Sequence[Part]]],
        with_case: WithCase | None = None,
        refused: Callable[[Refused, str], Refused] = lambda refusal, _: refusal,
    ) -> None:
        self.who = who
        self.purpose = purpose
        self._uses = dict(uses)
        self._scope = scope
        self._stores = stores
        self._note = note
        self._bulk = bulk
        self._with_case = with_case
        self._refused = refused
        self._joined: Joined | None = None

    def rows(self, read: Read) -> list[dict[str, Any]]:
        """Rows as `Read` asks; the permitted fields, coarsened. Raises Refused, BadRequest."""
        return self.look([read])[0]

    def row(self, read: Read) -> dict[str, Any] | None:
        """The first row, or None."""
        found = self.rows(structs.replace(read, kind="row"))
        return found[0] if found else None

    def recent(self, read: Read) -> list[dict[str, Any]]:
        """Readings of one resident, newest first."""
        return self.rows(structs.replace(read, kind="recent"))

    def last(self, read: Read) -> list[dict[str, Any]]:
        """The newest reading of each metric of one resident."""
        return self.rows(structs.replace(read, kind="last"))

    def look(self, reads: Sequence[Read]) -> list[list[dict[str, Any]]]:
        """Several reads under one journal entry; a refusal is one as well."""
        with self._journaled("read"):
            return self._look(reads)

    def _look(self, reads: Sequence[Read]) -> list[list[dict[str, Any]]]:
        handed: list[list[dict[str, Any]]] = []
        people: set[str] = set()
        count = 0
        for read in reads:
            part = self._part(read.dataset)
            rows = self._read(part, read)
            person = part.contract.person
            if person is not None and rows:
                one = self._scope.person  # then `_read` has looked at every row
                people.update([one] if one is not None else whose(rows, person) - {None})
            count += len(rows)
            handed.append(hand_out(part.contract, part.use, rows))
        uses = tuple({read.dataset: self._uses[read.dataset] for read in reads}.values())
        self._note(Given(uses, "look", count, frozenset(people), reads=tuple(reads)))
        return handed

    @property
    def table(self) -> Any:
        """All rows of all people as one Ibis table, to build expressions on for `fetch`. Nothing is read yet."""
        with self._journaled("bulk"):
            if self._inside().smallest > 1:
                raise self._grouped_only()
            return self._inside().table()

    def fetch(self, expr: Any) -> pa.Table:
        """The result of an Ibis expression over `table`, as Arrow. Raises Refused when it reaches beyond the view.

        The journal names the people in the result, where it has a ``resident_id``; otherwise everybody in the view.
        """
        with self._journaled("bulk"):
            inside = self._inside()
            if inside.smallest > 1:
                raise self._grouped_only()
            result = inside.fetch(expr)
        if PERSON in result.column_names and PERSON in inside.schema():
            people = frozenset(one for one in result.column(PERSON).unique().to_pylist() if one is not None)
            self._note(Given(tuple(self._uses.values()), "bulk", result.num_rows, people))
        else:
            self._note(Given(tuple(self._uses.values()), "bulk", result.num_rows, numbers=inside.people()))
        return result

    def aggregate(
        self,
        by: Sequence[str],
        measures: Mapping[str, tuple[str, str | None]],
        where: Mapping[str, Any] | None = None,
    ) -> pa.Table:
        """Groups and their measures (count, people, sum, mean; min and max where single rows are allowed), as Arrow.

        ``measures``: name → (measure, column or None). Groups below the smallest allowed number of people are left
        out. The journal names everybody in the view: each of them is in the figures, or could be told from them.
        """
        with self._journaled("bulk"):
            inside = self._inside()
            result = inside.aggregate(by, measures, where or {})
        self._note(Given(tuple(self._uses.values()), "bulk", result.num_rows, numbers=inside.people()))
        return result

    @contextmanager
    def _journaled(self, action: str) -> Iterator[None]:
        """A refusal inside the view is written down like one at its door."""
        try:
            yield
        except Refused as refusal:
            raise self._refused(refusal, action) from refusal

    def _part(self, dataset: str) -> Part:
        part = self._uses.get(dataset)
        if part is None:
            raise Refused(
                f"{dataset} is not in this view", policy="view.datasets", needed="to open a view that names it"
            )
        return part

    def _read(self, part: Part, read: Read) -> Rows:
        contract, use = part.contract, part.use
        control(contract, use)
        if use.smallest_group > 1:
            raise self._grouped_only()
        if read.offset < 0 or (read.limit is not None and read.limit < 0):
            raise BadRequest("limit and offset are not negative", where=contract.id)
        allowed = {*use.fields, *contract.key, *([contract.person] if contract.person else [])}
        for name in (*read.where, *([read.order] if read.order else [])):
            if name not in allowed or name in use.coarsen:
                known = ", ".join(sorted(allowed - set(use.coarsen)))
                raise Refused(
                    f"{contract.id} cannot be searched by {name!r} for {self.purpose.id}",
                    where=contract.id,
                    policy="contract.fields",
                    needed=f"one of {known}",
                )
        rows = self._stores(contract).rows(contract, read, self._bounded(contract, read))
        one = self._scope.person
        if one is not None and contract.person is not None and whose(rows, contract.person) - {one}:
            # The store has bounded its answer already; should it ever not, nothing leaves here.
            raise Refused(
                f"{contract.id} gave rows of somebody else",
                policy="control.applies",
                needed="a store that keeps to the scope",
            )
        return shape(contract, use, rows)

    def _bounded(self, contract: Contract, read: Read) -> Scope:
        """The scope of one read: a register shows people with a case only, where the purpose is about those."""
        if self._with_case is None or contract.kind != "register" or contract.person is None:
            return self._scope
        asked = self._scope.person or read.where.get(contract.person)
        people = self._with_case([asked] if isinstance(asked, str) else asked)
        held = self._scope.people
        return structs.replace(self._scope, people=people if held is None else people & held)

    def _inside(self) -> Joined:
        if self._joined is None:
            engine, uses = self._bulk()
            self._joined = Joined(engine, [(part.contract, part.use) for part in uses])
        return self._joined

    def _grouped_only(self) -> Refused:
        smallest = max(part.use.smallest_group for part in self._uses.values())
        return Refused(
            f"{self.purpose.id} sees groups of at least {smallest} people, never single rows",
            policy="contract.smallest-group",
            needed="to ask for an aggregate",
        )


def another() -> Refused:
    """The refusal for a read that names another resident than its view."""
    return Refused(
        "the read names another resident than the view",
        policy="view.person",
        needed="to ask about one resident at a time",
    )
