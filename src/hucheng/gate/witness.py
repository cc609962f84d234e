"""What the gate writes down: each hand-out with the people in it, each refusal with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from pyroaring import BitMap

from hucheng.base.catalogue import Catalogue
from hucheng.base.keys import Keys
from hucheng.errors import Refused, Unavailable
from hucheng.gate.entries import Entry, asked_by
from hucheng.gate.facts import Found
from hucheng.gate.journal import Journal
from hucheng.gate.principals import Principal
from hucheng.gate.purposes import Purpose, Purposes
from hucheng.gate.standing import Sink
from hucheng.gate.stores import Read
from hucheng.gate.views import Given

STRANGER = {"principal": "unknown", "principal_kind": "person", "org": "", "principal_person": None}
"""Who asks, where nobody bears the name: a name that somebody makes up is not written down."""


class Witness:
    """Writes entries; raises rather than let something pass unwritten."""

    def __init__(
        self,
        journal: Journal | None,
        sink: Sink | None,
        keys: Keys,
        purposes: Purposes,
        catalogue: Catalogue,
        clock: Callable[[], datetime],
    ) -> None:
        self._journal = journal
        self._given = sink
        self._keys = keys
        self._purposes = purposes
        self._catalogue = catalogue
        self._clock = clock

    def refused(
        self,
        who: Principal,
        purpose: str,
        action: str,
        found: Found,
        person: str | None,
        datasets: Iterable[str],
        refusal: Refused,
    ) -> Refused:
        """The refusal, after it is in the journal; a mandate that ended is named as the reason."""
        if found.ended is not None and not found.facts.mandate and refusal.details.get("policy") != "mandate.in-force":
            name, end = found.ended
            refusal = Refused(
                f"the mandate {name} ended on {end.date().isoformat()}",
                where=purpose or action,
                mend="needed: a new mandate from the resident",
                policy="mandate.in-force",
                needed="a new mandate from the resident",
                needed_zh="居民新的委托",
            )
        return self.noted(
            asked_by(who),
            refusal,
            action,
            purpose=purpose if purpose in {one.id for one in self._purposes.all()} else "",
            person=person,
            case=found.case.id if found.case is not None else None,
            datasets=datasets,
        )

    def noted(
        self,
        asked: dict[str, Any],
        refusal: Refused,
        action: str,
        *,
        purpose: str = "",
        person: str | None = None,
        case: str | None = None,
        datasets: Iterable[str] = (),
    ) -> Refused:
        """The refusal, after it is in the journal; one that is there already is not written again."""
        if refusal.details.get("journaled"):
            return refusal
        recorded = self.recorded(person)
        entry = Entry(
            at=self._clock(),
            kind="refused",
            purpose=purpose,
            basis="",
            datasets=tuple(name for name in datasets if name in self._catalogue),
            action=action,
            case=case,
            result="refused",
            policy=str(refusal.details.get("policy", "")),
            person=recorded,
            detail={} if recorded or person is None else {"asked": self._digest(person)},
            **asked,
        )
        if self._journal is not None or self._given is not None:
            self.sink(entry)
        refusal.details["journaled"] = True
        return refusal

    def noting(
        self,
        who: Principal,
        why: Purpose,
        found: Found,
        person: str | None,
        take: Callable[[Entry], None] | None = None,
    ) -> Callable[[Given], None]:
        """What writes a hand-out into the journal, or gives it to whoever does before anything leaves (``take``)."""

        def note(given: Given) -> None:
            recorded = self.recorded(person)
            others = given.people - {recorded} if recorded else given.people
            if recorded is None and len(others) == 1 and given.kind == "look":
                recorded, others = next(iter(others)), frozenset()
            entry = Entry(
                at=self._clock(),
                kind=given.kind,
                purpose=why.id,
                basis=why.legal_basis,
                datasets=tuple(part.contract.id for part in given.uses),
                fields=tuple(part.use.fields for part in given.uses),
                case=found.case.id if found.case is not None else None,
                policy=given.uses[0].policy if given.uses else "",
                counts={"rows": given.rows, "people": self._count(given, recorded)},
                person=recorded,
                people=others,
                detail=self._detail(given.reads, recorded),
                **asked_by(who),
            )
            if take is not None and given.numbers is None:
                take(entry)
            else:
                self.append([entry], given.numbers)

        return note

    @staticmethod
    def _count(given: Given, recorded: str | None) -> int:
        if given.numbers is not None:
            return len(given.numbers)
        return len(given.people | ({recorded} if recorded else set()))

    def _detail(self, reads: Sequence[Read], recorded: str | None) -> dict[str, Any]:
        """What was asked for: in full where it is sealed for one person, otherwise as keyed digests."""
        found: list[dict[str, Any]] = []
        for read in reads:
            where = {n: v if recorded else self._digest(v) for n, v in read.where.items() if n != "resident_id"}
            one: dict[str, Any] = {"dataset": read.dataset, "kind": read.kind}
            if where:
                one["where"] = where
            if read.device:
                one["device"] = read.device if recorded else self._digest(read.device)
            if read.since:
                one["since"] = read.since.isoformat()
            found.append(one)
        return {"reads": found} if found else {}

    def _digest(self, value: Any) -> str:
        return self._keys.digest("journal values", str(value)).hex()[:32]

    def recorded(self, person: str | None) -> str | None:
        """The person, if we know anybody of this id: a made-up id must not become a person of the journal."""
        if person is None:
            return None
        return person if self._keys.known(person) else None

    def append(self, entries: Sequence[Entry], numbers: BitMap | None = None) -> None:
        """Entries into the journal, durable when it returns. Raises Unavailable, LedgerError."""
        if self._journal is None:
            raise Unavailable("this process keeps no journal, so it hands nothing out", mend="ask the steward")
        self._journal.append(entries, numbers=numbers)

    def sink(self, entry: Entry) -> None:
        """Take an entry: into the sink this process was given, else into the journal."""
        if self._given is not None:
            self._given(entry)
        else:
            self.append([entry])
