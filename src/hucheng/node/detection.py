"""Readings to findings: the apps' facts, the packs' verdicts, the reasons that go with them.

Every detector looks through a standing view of the gate, which hands on only the fields its purpose permits and counts
whom it saw. No wall clock: for readings ``now`` is the broker's time of the newest message; what time alone makes due
(`due`) is given the time by the caller, and only when nothing waits in the stream.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pyarrow as pa

from hucheng.apps import AT, ROW, Detector
from hucheng.decisions.findings import FactUsed, Finding, Reason, finding_id
from hucheng.errors import HuchengError
from hucheng.rules import Pack

log = logging.getLogger(__name__)
REMEMBERED = 100_000


class Standing(Protocol):
    """A standing view: what one purpose may see of one dataset, as it comes in."""

    def select(self, batch: pa.Table) -> pa.Table:
        """The batch with the permitted fields only."""
        ...

    def seen(self, resident_ids: Iterable[str]) -> None:
        """Whose readings were looked at."""
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

    def seen(self, resident_ids: Iterable[str]) -> None:
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

    def __post_init__(self) -> None:
        self.state = self.detector.start()


Registers = Callable[[str, Sequence[str]], Mapping[str, pa.Table]]
"""A purpose and datasets in, tables of the columns permitted for it out."""


class Detection:
    """All detectors of one partition. ``simulated`` says of a device whether its signals are made up."""

    def __init__(
        self,
        watches: Sequence[Watch],
        registers: Registers,
        simulated: Callable[[str], bool],
        timezone: str = "Asia/Shanghai",
    ) -> None:
        self.watches = list(watches)
        self._registers = registers
        self._simulated = simulated
        self._zone = ZoneInfo(timezone)
        self._published: dict[str, None] = {}

    def warm(self, newest: Mapping[str, pa.Table], now: datetime) -> None:
        """Rebuild every detector's state from the newest readings of all devices; nothing is found by this."""
        for watch, seen in self._seen(newest):
            self._facts(watch, seen, now)

    def look(self, fresh: Mapping[str, pa.Table], now: datetime) -> list[Finding]:
        """What new readings mean. Each finding is given once; `forget` asks for it again."""
        found: list[Finding] = []
        for watch, seen in self._seen(fresh):
            facts = self._facts(watch, seen, now)
            if facts is not None and facts.num_rows:
                found += self._decide(watch, facts, now)
        return found

    def due(self, now: datetime) -> list[Finding]:
        """What time alone makes due, from the detectors whose turn it is. ``now`` is aware."""
        found: list[Finding] = []
        at = now.timestamp()
        for watch in self.watches:
            detector = watch.detector
            if detector.tick is None or watch.next_tick - detector.every_s <= at < watch.next_tick:
                continue
            watch.next_tick = at + detector.every_s
            try:
                facts = detector.tick(
                    watch.state, self._registers(detector.purpose, detector.registers), now.astimezone(self._zone)
                )
            except HuchengError:
                raise
            except Exception:
                log.exception("a detector failed", extra={"fields": {"detector": detector.name}})
                continue
            if facts.num_rows:
                found += self._decide(watch, facts, now)
        return found

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

    def _seen(self, tables: Mapping[str, pa.Table]) -> list[tuple[Watch, pa.Table]]:
        """What each detector may see of new readings; detectors of one purpose share one look."""
        looks: dict[int, pa.Table] = {}
        found: list[tuple[Watch, pa.Table]] = []
        for watch in self.watches:
            table = tables.get(watch.detector.dataset)
            if table is None or not table.num_rows:
                continue
            view = watch.standing
            if id(view) not in looks:
                looks[id(view)] = view.select(table)
                view.seen(table.column("resident_id").unique().to_pylist())
            found.append((watch, looks[id(view)]))
        return found

    def _facts(self, watch: Watch, seen: pa.Table, now: datetime) -> pa.Table | None:
        """One app's error stops that app's detector for this batch, and nothing else."""
        try:
            registers = self._registers(watch.detector.purpose, watch.detector.registers)
            return watch.detector.facts(seen, watch.state, registers, now.astimezone(self._zone))
        except HuchengError:
            raise
        except Exception:
            log.exception("a detector failed", extra={"fields": {"detector": watch.detector.name}})
            return None

    def _decide(self, watch: Watch, facts: pa.Table, now: datetime) -> list[Finding]:
        day = now.astimezone(self._zone).date()
        decided = watch.pack.decide(facts, day)
        hits = [i for i, value in enumerate(decided.column(watch.detector.outcome).to_pylist()) if value is True]
        found: list[Finding] = []
        for i in hits:
            row = facts.slice(i, 1).to_pylist()[0]
            name = finding_id(watch.detector.rule, row["device_id"], row["observed_at"])
            if name in self._published:
                continue
            self._published[name] = None
            found.append(self._finding(watch, name, row, decided.slice(i, 1).to_pylist()[0], day, now))
        while len(self._published) > REMEMBERED:
            del self._published[next(iter(self._published))]
        return found

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
