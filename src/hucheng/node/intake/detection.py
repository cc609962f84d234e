"""Readings to findings: the apps' facts, the packs' verdicts, the reasons that go with them.

Every detector looks through a standing view of the gate, which hands on only the fields its purpose permits and counts
whom it saw. No wall clock: for readings ``now`` is the broker's time of the newest message; what time alone makes due
(`due`) is given the time by the caller, and only when nothing waits in the stream.

Whatever one app's detector raises stops that detector and nothing else: `problems` says so, and what it did not look
at is kept for a second look.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from hucheng.apps import AT, ROW, Detector
from hucheng.decisions.findings import FactUsed, Finding, Reason, finding_id
from hucheng.node.intake.later import AGAIN_S, Kept, Later, Stage, source_of
from hucheng.rules import Pack

log = logging.getLogger(__name__)
REMEMBERED = 100_000


class Standing(Protocol):
    """A standing view: what one purpose may see of one dataset, as it comes in."""

    def select(self, batch: pa.Table) -> pa.Table:
        """The batch with the permitted fields only."""
        ...

    def seen(self, residents: pa.ChunkedArray) -> None:
        """Whose readings were looked at: a column of resident ids, plain or dictionary-encoded."""
        ...

    def beat(self, now: datetime) -> None:
        """Write down now who was looked at."""
        ...

    def close(self) -> None:
        """The view ends; says so in the journal."""
        ...


class Open:
    """A standing view that lets everything through: for tests and benches, never for a node."""

    def select(self, batch: pa.Table) -> pa.Table:
        """All fields."""
        return batch

    def seen(self, residents: pa.ChunkedArray) -> None:
        """Nothing is noted."""

    def beat(self, now: datetime) -> None:
        """Nothing is written."""

    def close(self) -> None:
        """Nothing to end."""


@dataclass
class Watch:
    """One detector at work."""

    detector: Detector
    pack: Pack
    standing: Standing
    state: Any = None
    next_tick: float = field(default=0.0)
    failing: dict[str, str] = field(default_factory=dict)
    """What of it fails (``looking``, ``time``) and why."""
    later: Later = field(init=False)

    def __post_init__(self) -> None:
        self.state = self.detector.start()
        self.later = Later(self.detector.name)


Registers = Callable[[str, Sequence[str]], Mapping[str, pa.Table]]
"""A purpose and datasets in, tables of the columns permitted for it out."""


class Detection:
    """All detectors of one partition. ``simulated`` says of a device whether its signals are made up.

    ``blind`` gives the declared detectors that do not run at all, and why; ``settled`` those of them that the bureau
    has not accepted.
    """

    def __init__(
        self,
        watches: Sequence[Watch],
        registers: Registers,
        simulated: Callable[[str], bool],
        timezone: str = "Asia/Shanghai",
        blind: Callable[[], Mapping[str, str]] = dict,
        settled: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        self.watches = list(watches)
        self._registers = registers
        self._simulated = simulated
        self._zone = ZoneInfo(timezone)
        self._blind = blind
        self.settled = settled
        self._again_at = 0.0
        self._published: dict[str, None] = {}

    @property
    def problems(self) -> dict[str, str]:
        """Detectors that do not look, or not at everything, and why."""
        found = dict(self._blind())
        for watch in self.watches:
            said = [*dict.fromkeys(watch.failing.values()), *([told] if (told := watch.later.told()) else [])]
            if said:
                found[watch.detector.name] = "; ".join(said)
        return found

    def warm(self, newest: Mapping[str, pa.Table], now: datetime) -> None:
        """Rebuild every detector's state from the newest readings of all devices; nothing is found by this."""
        for watch, table in self._concerned(newest):
            try:
                self._facts(watch, self._select(watch, table), now)
            except Exception as error:
                self._failed(watch, "looking", error)

    def look(self, fresh: Mapping[str, pa.Table], now: datetime) -> list[Finding]:
        """What new readings mean. Each finding is given once."""
        found: list[Finding] = []
        looks: dict[int, pa.Table] = {}
        for watch, table in self._concerned(fresh):
            seen = looks.get(id(watch.standing))  # detectors of one purpose share one look
            one = Kept("readings", table, now) if seen is None else Kept("seen", seen, now)
            done, given = self._whole(watch, one, looks, table)
            if done and not watch.later.waiting:
                watch.failing.pop("looking", None)
            elif done:
                watch.later.went_well()
            found += given
        return found

    def due(self, now: datetime) -> list[Finding]:
        """What time alone makes due, from the detectors whose turn it is, and second looks. ``now`` is aware."""
        at = now.timestamp()
        found = self._second_looks(at)
        for watch in self.watches:
            detector = watch.detector
            if detector.tick is None or watch.next_tick - detector.every_s <= at < watch.next_tick:
                continue
            watch.next_tick = at + detector.every_s
            try:
                registers = self._registers(detector.purpose, detector.registers)
                facts = detector.tick(watch.state, registers, now.astimezone(self._zone))
                if facts.num_rows:
                    found += self._decide(watch, facts, now)
                watch.failing.pop("time", None)
            except Exception as error:
                self._failed(watch, "time", error)
        return found

    def recall(self, watch: Watch, one: Kept) -> None:
        """What a detector could not look at before a restart: its second look comes with the next `due`."""
        watch.later.recall([one])
        self._again_at = 0.0

    def note(self, now: datetime) -> None:
        """Have every standing view write down whom it looked at.

        After `warm` that is everybody with a device and a reading: whoever was looked at before a kill, and was not
        yet written down, is among them.
        """
        for view in self._views():
            view.beat(now)

    def close(self) -> None:
        """End every standing view."""
        for view in self._views():
            view.close()

    def _views(self) -> list[Standing]:
        return list({id(watch.standing): watch.standing for watch in self.watches}.values())

    def _concerned(self, tables: Mapping[str, pa.Table]) -> list[tuple[Watch, pa.Table]]:
        """Each detector for which there are new readings, with them."""
        pairs = [(watch, tables.get(watch.detector.dataset)) for watch in self.watches]
        return [(watch, table) for watch, table in pairs if table is not None and table.num_rows]

    def _second_looks(self, at: float) -> list[Finding]:
        """Look again at what a detector failed on, every now and then."""
        if self._again_at - AGAIN_S <= at < self._again_at:
            return []
        self._again_at = at + AGAIN_S
        found: list[Finding] = []
        for watch in self.watches:
            taken, well = watch.later.take(), 0
            for one in taken:
                done, given = self._whole(watch, one, {})
                found += given
                if done:
                    well += 1
                    watch.later.went_well()
            if taken and well == len(taken):
                watch.failing.pop("looking", None)
        return found

    def _whole(
        self, watch: Watch, one: Kept, looks: dict[int, pa.Table], readings: pa.Table | None = None
    ) -> tuple[bool, list[Finding]]:
        """A look from where it stands to its end: whether it came there, and what it found.

        One app's error stops that app's detector for this batch, and nothing else. ``readings``: those of a first look.
        """
        stage: Stage = one.stage
        table = one.table
        try:
            if stage == "readings":
                table = looks[id(watch.standing)] = self._select(watch, table)
                stage = "seen"
            if stage == "seen":
                table = self._facts(watch, table, one.now)
                stage = "facts"
            return True, self._decide(watch, table, one.now) if table.num_rows else []
        except Exception as error:
            source = one.source
            if readings is not None:
                source = source_of(watch.detector.name, watch.detector.dataset, readings, one.now)
            watch.later.keep(Kept(stage, table, one.now, source, one.alone))
            self._failed(watch, "looking", error)
            return False, []

    @staticmethod
    def _failed(watch: Watch, what: str, error: Exception) -> None:
        """Say it: at once in `problems`, once in the log."""
        said = f"{type(error).__name__}: {error}"[:300]
        if watch.failing.get(what) != said:
            fields = {"detector": watch.detector.name, "failing": what}
            log.error("a detector failed", extra={"fields": fields}, exc_info=error)
        watch.failing[what] = said

    @staticmethod
    def _select(watch: Watch, table: pa.Table) -> pa.Table:
        """What the detector's purpose may see of new readings; whose they are is noted."""
        seen = watch.standing.select(table)
        watch.standing.seen(seen.column("resident_id"))
        return seen

    def _facts(self, watch: Watch, seen: pa.Table, now: datetime) -> pa.Table:
        registers = self._registers(watch.detector.purpose, watch.detector.registers)
        return watch.detector.facts(seen, watch.state, registers, now.astimezone(self._zone))

    def _decide(self, watch: Watch, facts: pa.Table, now: datetime) -> list[Finding]:
        day = now.astimezone(self._zone).date()
        decided = watch.pack.decide(facts, day)
        outcome = decided.column(watch.detector.outcome)
        hits = pc.indices_nonzero(pc.fill_null(outcome, False)).to_pylist() if outcome.type == pa.bool_() else []
        found: dict[str, Finding] = {}
        for i in hits:
            row = facts.slice(i, 1).to_pylist()[0]
            name = finding_id(watch.detector.rule, row["device_id"], row["observed_at"])
            if name not in self._published and name not in found:
                found[name] = self._finding(watch, name, row, decided.slice(i, 1).to_pylist()[0], day, now)
        self._published.update(dict.fromkeys(found))  # only when all of them are there: a look that fails comes again
        while len(self._published) > REMEMBERED:
            del self._published[next(iter(self._published))]
        return list(found.values())

    def _finding(
        self, watch: Watch, name: str, row: dict[str, Any], outcomes: dict[str, Any], day: date, now: datetime
    ) -> Finding:
        detector, pack = watch.detector, watch.pack
        version = pack.version(day)
        known = {fact: row[fact] for fact in version.facts if row.get(fact) is not None}
        told = pack.explain(known, day, (detector.outcome,))["outcomes"][detector.outcome]
        observed = row["observed_at"]
        facts = [
            FactUsed(
                fact,
                _plain(value),
                version.facts[fact].unit,
                row.get(fact + AT) or observed,
                version.facts[fact].source,
            )
            for fact, value in known.items()
        ]
        return Finding(
            id=name,
            kind=detector.kind,
            rule=detector.rule,
            pack=pack.id,
            version=version.label,
            resident_id=row["resident_id"],
            device_id=row["device_id"],
            dataset=detector.dataset,
            outcome={key: _plain(outcomes[key]) for key in version.outcomes if outcomes.get(key) is not None},
            facts=facts,
            reasons=[Reason(reason["fact"], _plain(reason["value"])) for reason in told["reasons"]],
            text=dict(told["text"] or {}),
            basis=str(told["basis"] or pack.basis),
            observed_at=observed,
            detected_at=now.astimezone(UTC),
            simulated=self._simulated(row["device_id"]) if row["device_id"] else False,
            urgent=detector.urgent,
            expires_at=observed + detector.expires if detector.expires else None,
        )


def _plain(value: Any) -> Any:
    """A value as JSON carries it: exact decimals as texts, dates in ISO 8601."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, (date, datetime)) else value


__all__ = ["ROW", "Detection", "Open", "Standing", "Watch"]
