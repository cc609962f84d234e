"""The gate: `open` a view, `look` at rows, `authorise` a deed, `stand` in the stream; or be refused with the reason."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from hucheng.base.catalogue import Catalogue
from hucheng.base.contracts import Contract
from hucheng.base.currentreader import CurrentReader
from hucheng.base.keys import Keys
from hucheng.base.lake import Lake
from hucheng.base.projection import Projection, table
from hucheng.base.registers import Registers
from hucheng.base.rpc import exposed
from hucheng.errors import BadRequest, Refused, Unavailable
from hucheng.gate.admission import OWN
from hucheng.gate.authority import Authority
from hucheng.gate.bulk import Engine
from hucheng.gate.entries import Entry, asked_by
from hucheng.gate.facts import OF_CASES, CaseLookup, Found
from hucheng.gate.journal import Journal
from hucheng.gate.principals import Principal, Principals
from hucheng.gate.purposes import Purpose, Purposes
from hucheng.gate.shaping import hand_out, named_in, shape
from hucheng.gate.standing import Sink, StandingView
from hucheng.gate.stores import Read, ReadingStore, RegisterStore, Store, named, whose
from hucheng.gate.together import Together
from hucheng.gate.views import Part, View, another


class Gate(Authority):
    """The one door. Holds no data; what it hands out is in the journal before it leaves.

    ``journal`` is the steward's; a process without it (the intake) gives ``sink``, which takes the entries of its
    standing views, and can open nothing else. ``lake`` and ``current`` are where readings lie.
    """

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        registers: Registers,
        keys: Keys,
        principals: Principals,
        purposes: Purposes,
        journal: Journal | None = None,
        sink: Sink | None = None,
        lake: Lake | None = None,
        current: CurrentReader | None = None,
        partitions: int = 1,
        cases: CaseLookup | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(
            catalogue=catalogue,
            registers=registers,
            keys=keys,
            principals=principals,
            purposes=purposes,
            journal=journal,
            sink=sink,
            cases=cases,
            clock=clock,
        )
        self._registers = registers
        self._lake = lake
        self._projection = Projection(registers, lake, clock=clock) if lake is not None else None
        self._engine: Engine | None = None
        self._stores: dict[str, Store] = {
            "register": RegisterStore(registers),
            "lake": ReadingStore(registers, lake, current, partitions=partitions, clock=clock),
        }
        self._together = Together[Entry](self._witness.append)

    def register_store(self, name: str, store: Store) -> None:
        """Let another room keep a dataset: its contract names ``name`` as its store."""
        self._stores[name] = store

    def open(
        self,
        principal: Principal,
        purpose: str,
        datasets: Sequence[str],
        case: str | None = None,
        *,
        person: str | None = None,
    ) -> View:
        """A view of one or several datasets. Raises Refused with ``policy`` and ``needed``; UnknownDataset.

        With a ``person``, or where purpose or case name one, it shows that resident only; without, whom the
        principal's area or mandates allow row by row, and everybody in bulk, where a policy permits ``bulk``.
        """
        who, why, found, person = self._admission.known(principal, purpose, datasets, case, person)
        parts = {name: self._admission.part(who, why, found, name, "read", soft=True) for name in datasets}
        if not all(parts.values()):
            parts = {name: self._admission.part(who, why, found, name, "bulk", soft=True) for name in datasets}
        if not all(parts.values()):
            action = self._judge.nearest(("read", "bulk") if person else ("bulk", "read"), why.id)
            for name in datasets:
                self._admission.part(who, why, found, name, action)

        def bulk() -> tuple[Engine, list[Part]]:
            if person is not None:
                raise BadRequest("this view shows one resident", mend="open it without a person for many")
            allowed = [self._admission.part(who, why, found, name, "bulk") for name in datasets]
            parts_ = [part for part in allowed if part is not None]
            return self._bulk_engine([part.contract for part in parts_]), parts_

        readable = {name: part for name, part in parts.items() if part is not None}
        note = self._witness.noting(who, why, found, person)
        with_case = self._finder.with_case(who, purpose, found)

        def refused(refusal: Refused, action: str) -> Refused:
            return self._witness.refused(who, purpose, action, found, person, datasets, refusal)

        return View(who, why, readable, found.scope, self._store, note, bulk, with_case, refused)

    @exposed
    def look(
        self,
        principal: Principal,
        purpose: str,
        reads: list[Read],
        *,
        case: str | None = None,
        person: str | None = None,
    ) -> list[list[dict[str, Any]]]:
        """Rows for each read, under one journal entry. Raises Refused, BadRequest, UnknownDataset."""
        if not reads:
            return []
        if person is None:
            person = named(reads)
        if case is None and (person is not None or purpose in OWN) and self._quick(purpose, reads):
            return self._together.do(lambda take: self._look(principal, purpose, reads, None, person, take))
        return self._look(principal, purpose, reads, case, person, None)

    def _quick(self, purpose: str, reads: Sequence[Read]) -> bool:
        """Whether what is asked about one person lies in memory: then it is done together with what others ask."""
        if purpose == OF_CASES:
            return False
        for read in reads:
            if read.dataset not in self.catalogue:
                return False
            contract = self.catalogue.get(read.dataset)
            store = self._stores.get(contract.store)
            if not isinstance(store, (RegisterStore, ReadingStore)) or not store.quick(contract, read):
                return False
        return True

    def _look(
        self,
        principal: Principal,
        purpose: str,
        reads: Sequence[Read],
        case: str | None,
        person: str | None,
        take: Callable[[Entry], None] | None,
    ) -> list[list[dict[str, Any]]]:
        """A look; with ``take``, its entry is given there and is durable before the rows are handed out."""
        datasets = list(dict.fromkeys(read.dataset for read in reads))
        who, why, found, person = self._admission.known(principal, purpose, datasets, case, person)
        for read in reads:
            asked = read.where.get("resident_id")
            if person is not None and isinstance(asked, str) and asked != person:
                other = self._finder.find(who, purpose, asked, case)
                raise self._witness.refused(who, purpose, "read", other, asked, datasets, another())
        parts = {}
        for name in datasets:
            part = self._admission.part(who, why, found, name, "read")
            assert part is not None
            parts[name] = part

        def bulk() -> tuple[Engine, list[Part]]:
            raise BadRequest("a look is not a bulk use", mend="open a view")

        note = self._witness.noting(who, why, found, person, take)
        with_case = self._finder.with_case(who, purpose, found)
        view = View(who, why, parts, found.scope, self._store, note, bulk, with_case)
        try:
            return view.look(reads)
        except Refused as refusal:
            raise self._witness.refused(who, purpose, "read", found, person, datasets, refusal) from refusal

    def stand(
        self, principal: Principal, purpose: str, dataset: str, fields: Sequence[str] | None = None
    ) -> StandingView:
        """A standing view of the stream of one dataset, for a purpose that is declared as standing. Raises Refused."""
        sink = self._witness.sink
        who, why, found, _ = self._admission.known(principal, purpose, [dataset], None, None)
        if not why.standing:
            refusal = Refused(f"{purpose} is no standing purpose", policy="purpose.standing", needed="standing: true")
            raise self._witness.refused(who, purpose, "stand", found, None, [dataset], refusal)
        part = self._admission.part(who, why, found, dataset, "stand")
        assert part is not None
        wanted = tuple(fields) if fields is not None else part.use.fields
        beyond = [name for name in wanted if name not in part.use.fields]
        if beyond:
            refusal = Refused(
                f"{dataset}: {', '.join(beyond)} is not for {purpose}",
                policy="contract.fields",
                needed=f"one of {', '.join(part.use.fields)}",
            )
            raise self._witness.refused(who, purpose, "stand", found, None, [dataset], refusal)
        entry = Entry(
            at=self._clock(),
            kind="standing",
            purpose=purpose,
            basis=why.legal_basis,
            datasets=(dataset,),
            fields=(wanted,),
            policy=part.policy,
            ref=secrets.token_hex(8),
            **asked_by(who),
        )
        return StandingView(
            part.contract,
            part.use,
            wanted,
            entry,
            sink,
            self._clock,
            lambda name: self._register_of(who, why, found, name, sink),
        )

    def renew_copies(self) -> None:
        """Bring the lake's copies of registers up to date and drop the old ones: somebody was erased."""
        if self._projection is not None:
            self._projection.renew(self.catalogue)

    def reshape_copies(self) -> None:
        """Make the lake's copies of registers anew where a contract changed their columns."""
        if self._projection is not None:
            self._projection.reshape(self.catalogue)

    def warm(self) -> None:
        """Take registers of people, principals and keys into memory: the first look is then as quick as the next."""
        self.principals.warm()
        for contract in self.catalogue:
            if contract.kind == "register" and contract.person is not None:
                self._registers.warm(contract.id)
        self._keys.warm()

    def close(self) -> None:
        """Let go of the engine; the journal belongs to whoever made it."""
        if self._engine is not None:
            self._engine.close()

    def _store(self, contract: Contract) -> Store:
        found = self._stores.get(contract.store)
        if found is None:
            raise Unavailable(
                f"nobody keeps {contract.id} here", where=f"store {contract.store!r}", mend="start that room"
            )
        return found

    def _bulk_engine(self, contracts: Iterable[Contract]) -> Engine:
        if self._lake is None or self._projection is None:
            raise Unavailable("there is no lake here", mend="open the gate where the lake is")
        for contract in contracts:
            if contract.kind == "register":
                self._projection.ensure(contract)
        if self._engine is None:
            self._lake.root.mkdir(parents=True, exist_ok=True)
            self._engine = Engine(self._lake, self._keys)
        return self._engine

    def _register_of(self, who: Principal, why: Purpose, found: Found, dataset: str, sink: Sink) -> pa.Table:
        """The permitted fields of a whole register, for a standing view; sealed fields are opened here."""
        part = self._admission.part(who, why, found, dataset, "stand")
        assert part is not None
        hidden = {f.name for f in part.contract.fields if f.classification == "sensitive"}
        rows = self._registers.all(dataset, sealed=bool(hidden & named_in(part.use, part.contract)))
        kept = shape(part.contract, part.use, rows)
        people = whose(kept, part.contract.person) - {None, ""} if part.contract.person else set()
        sink(
            Entry(
                at=self._clock(),
                kind="standing",
                purpose=why.id,
                basis=why.legal_basis,
                datasets=(dataset,),
                fields=(part.use.fields,),
                action="register",
                policy=part.policy,
                counts={"rows": len(kept), "people": len(people)},
                people=tuple(people),
                ref=secrets.token_hex(8),
                **asked_by(who),
            )
        )
        return table(part.contract, hand_out(part.contract, part.use, kept), part.use.fields)
