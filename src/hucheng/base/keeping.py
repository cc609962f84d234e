"""What one partition of homes keeps: readings in, exactly once, into lake, quarantine and current values.

`take` judges messages and says what is new; `close_round` hands over what was taken since the last round, and
`commit` writes it: quarantine first, then each dataset, then current values with the offset. Every commit to the lake
carries the offset and the counts of its round, so that whatever a crash leaves undone is seen and done:

- current values behind the lake: they are caught up from the lake, nothing is read twice;
- one dataset behind another: its readings are read again from the stream, and only its;
- current values gone: built anew from the lake.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hucheng.base import quarantine
from hucheng.base.current import Counts
from hucheng.base.devices import DeviceRegister, Devices, Ints, Metrics
from hucheng.base.erasing import Erasure, quoted
from hucheng.base.judge import CODE, REASONS, Flood, Judged, detail, fresh, judge
from hucheng.base.lake import Lake
from hucheng.base.novelty import CONFLICT, DUPLICATE, NEVER, NEW, Novelty
from hucheng.base.quarantine import Held
from hucheng.base.readings import READINGS, TAKEN, Rows, gather
from hucheng.base.recovery import offset_key, reopen
from hucheng.base.rounds import Kept, Prefixes, Round
from hucheng.base.stream import Message

RUNS_KEPT = 64
DAY_US = 86_400 * 10**6


class Keeper:
    """The sole writer of one partition's readings. ``offset`` is what was taken, ``committed`` what a crash leaves."""

    def __init__(self, home: Path, partition: int, partitions: int, metrics: Metrics, register: DeviceRegister) -> None:
        self.lake = Lake(home / "lake")
        self.metrics = metrics
        self.devices = Devices(metrics)
        self.partition = partition
        self._register = register
        self._app = f"intake-{partition}"
        self._novelty = Novelty()
        self._flood = Flood()
        self._prefixes = Prefixes(self.devices)
        self._people: Ints = np.empty(0, np.int64)
        self._whose: Ints = np.empty(0, np.int64)
        self._taken: list[Kept] = []
        self._held: list[Held] = []
        self._erase: list[tuple[Erasure, int]] = []
        self._flying: Round | None = None
        self._swept = 0
        self.rows_waiting = 0
        again = reopen(home, self.lake, partition, partitions, metrics, register)
        self.current, self.offset, self._tables, self.settled = again.current, again.offset, again.tables, again.settled
        self.committed = copy.deepcopy(self.offset)
        self.load_devices()

    def load_devices(self) -> bool:
        """Take over the register of devices if it changed; True if it did."""
        version = self._register.version()
        if version == self.devices.version:
            return False
        changed = self.devices.load(self._register.rows(), version)
        held = np.unique(self.devices.resident[self.devices.active])  # the others may be erased: nobody writes them
        self._people = np.zeros(len(self.devices.residents), np.int64)
        self._people[held] = self.current.people([self.devices.residents[i] for i in held.tolist()])
        count = self.metrics.count
        self._novelty.grow(len(self.devices) * count)
        pairs = [
            d * count + m for d in changed for m in self._metrics_of(d) if self._novelty.mark[d * count + m] == NEVER
        ]
        self._whose = np.concatenate([self._whose, np.full(len(self._novelty.mark) - len(self._whose), -1)])
        found = [(pairs[i], t, v, who) for i, t, v, who in self.current.newest(self._prefixes[p] for p in pairs)]
        if found:
            pair, stamp, value, whose = zip(*found, strict=True)
            self._novelty.raise_to(np.array(pair, np.int64), np.array(stamp, np.int64), np.array(value, np.float64))
            self._whose[np.array(pair, np.int64)] = whose
        return True

    def _metrics_of(self, device: int) -> list[int]:
        numbers = self.metrics.of[self.devices.dataset[device]]
        return [int(m) for m in numbers if m >= 0]

    def newest_tables(self) -> dict[str, pa.Table]:
        """The newest reading of every series, by dataset: from which detectors rebuild their state.

        Where a device was given on, nothing of whoever wore it before.
        """
        pairs = np.flatnonzero(self._novelty.mark != NEVER)
        if not len(pairs):
            return {}
        device, metric = np.divmod(pairs, self.metrics.count)
        own = self._whose[pairs] == self._people[self.devices.resident[device]]
        own &= self.devices.active[device] & (self._novelty.mark[pairs] >= self.devices.since[device])
        pairs, device, metric = pairs[own], device[own], metric[own]
        found: dict[str, pa.Table] = {}
        for d, name in enumerate(self.metrics.datasets):
            mine = np.flatnonzero(self.metrics.dataset[metric] == d)
            if len(mine):
                observed = self._novelty.mark[pairs[mine]]
                value = self._novelty.last[pairs[mine]]
                zeros = np.zeros(len(mine), np.int64)
                found[name] = self._columns(device[mine], metric[mine], observed, value, observed, zeros)
        return found

    # ---- taking --------------------------------------------------------------------------------------------------

    def take(self, messages: Sequence[Message]) -> Kept:
        """Judge messages and keep what is new for the next commit; nothing is written yet."""
        for message in messages:
            if message.erase:
                self._forget(message)
        rows = gather([message for message in messages if not message.erase])
        judged = judge(rows, self.devices)
        if (judged.reason == CODE["unknown_device"]).any() and self.load_devices():
            judged = judge(rows, self.devices)
        self._flood.spill(rows, judged, self.devices)
        count = max(self.metrics.count, 1)
        dataset = self.metrics.dataset[np.maximum(judged.metric, 0)] if self.metrics.count else np.zeros(len(rows), int)
        settled = np.array([self.settled[name] for name in self.metrics.datasets], np.int64)
        over = (judged.metric >= 0) & (judged.seq <= settled[dataset]) if len(settled) else np.zeros(len(rows), bool)
        sound = np.flatnonzero((judged.reason == 0) & ~over)
        pair = judged.device[sound] * count + judged.metric[sound]
        told = self._novelty.tell(pair, rows.observed[sound], rows.value[sound], self._look_up)
        judged.reason[sound[told == CONFLICT]] = CODE["conflict"]
        new = sound[told == NEW]
        fresh_pair = pair[told == NEW]
        newest = rows.observed[new] >= self._novelty.mark[fresh_pair]
        device = judged.device[new]
        kept = Kept(
            fresh_pair,
            rows.observed[new],
            rows.value[new],
            newest,
            judged.received[new],
            judged.seq[new],
            self.devices.simulated[device],
            self._people[self.devices.resident[device]],
        )
        self._whose[fresh_pair[newest]] = kept.people[newest]
        may = fresh(rows, judged, self.devices)
        for d in np.unique(dataset[new]).tolist():
            mine = new[dataset[new] == d]
            table = self._columns(
                judged.device[mine], judged.metric[mine], rows.observed[mine], rows.value[mine],
                judged.received[mine], judged.seq[mine],
            )  # fmt: skip
            kept.tables[self.metrics.datasets[d]] = table
            if (young := may[mine]).any():
                kept.fresh[self.metrics.datasets[d]] = table if young.all() else table.filter(pa.array(young))
        self._set_aside(rows, judged, over)
        self._count(rows, judged, sound, told, over)
        last = messages[-1]
        self.offset.seq = last.seq
        self.offset.counted = max(self.offset.counted, last.seq)
        self.offset.received_us = max(self.offset.received_us, last.received_us)
        self._taken.append(kept)
        self.rows_waiting += len(new)
        return kept

    def _forget(self, message: Message) -> None:
        """A person whose readings are to go: what comes later is judged as if there had been nothing.

        The register is read first: it has lost the person already, so that nothing later is taken as theirs.
        """
        order = msgspec.json.decode(message.data, type=Erasure)
        self.load_devices()
        self._erase.append((order, message.seq))
        count = self.metrics.count
        for name in order.devices:
            number = self.devices.index[name]
            theirs = number >= 0 and self.devices.rows[number].resident_id == order.person
            if number >= 0 and (theirs or not self.devices.active[number]):  # not where somebody else wears it now
                self._novelty.forget(number * count, (number + 1) * count)

    def _look_up(self, pair: Ints, observed: Ints) -> NDArray[np.float64]:
        """Kept values of readings that are not the newest of their series: waiting, current, lake, in this order."""
        found = np.full(len(pair), np.nan)
        waiting = [*(self._flying.kept if self._flying else []), *self._taken]
        count = self.metrics.count
        floors = (self.offset.received_us - self.metrics.hot_us)[self.metrics.dataset]
        deep: dict[int, list[int]] = {}
        for i, (p, t) in enumerate(zip(pair.tolist(), observed.tolist(), strict=True)):
            value = next((v for kept in waiting if (v := kept.at(p, t)) is not None), None)
            if value is not None:
                found[i] = value
            elif t >= floors[p % count]:
                found[i] = self.current.value_at(self._prefixes[p], t)
            else:
                deep.setdefault(int(self.metrics.dataset[p % count]), []).append(i)
        for d, places in deep.items():
            devices = [self.devices.ids[int(p) // count] for p in pair[places]]
            metrics = [self.metrics.name[int(p) % count] for p in pair[places]]
            found[places] = self.lake.kept(self.metrics.datasets[d], devices, metrics, observed[places])
        return found

    def _columns(
        self, device: Ints, metric: Ints, observed: Ints, value: NDArray[np.float64], received: Ints, seq: Ints
    ) -> pa.Table:
        number = pa.array(metric)
        stamp = pa.timestamp("us", "UTC")
        return pa.Table.from_arrays(
            [
                _named(self.devices.resident[device], self.devices.resident_column),
                _named(device, self.devices.id_column),
                pa.array(self.metrics.name, pa.string()).take(number),
                pa.array(observed).cast(stamp),
                pa.array(value),
                pa.array(self.metrics.unit, pa.string()).take(number),
                pa.array(received).cast(stamp),
                pa.array(seq),
                pa.array(self.devices.simulated[device]),
            ],
            schema=TAKEN,
        )

    def _set_aside(self, rows: Rows, judged: Judged, over: NDArray[np.bool_]) -> None:
        """What broke its contract, unless the quarantine's table has it from before a crash."""
        already = self.settled[quarantine.NAME]

        def held(message: int, row: int, device: str | None, reason: str, why: str, raw: str) -> None:
            origin = rows.origins[message]
            place = (origin.received_us, origin.seq, row, self.partition, origin.gateway)
            self._held.append(Held(*place, device, reason, why, raw, origin.run))

        for i in np.flatnonzero((judged.reason > 0) & ~over & (judged.seq > already)).tolist():
            why = detail(rows, judged, self.devices, i)
            reason = REASONS[judged.reason[i]]
            held(int(rows.message[i]), int(rows.row[i]), rows.device[i], reason, why, rows.raw(i))
        for bad in rows.bad:
            if rows.origins[bad.message].seq > already:
                held(bad.message, bad.row, bad.device_id, bad.reason, bad.detail, bad.raw)

    def _count(self, rows: Rows, judged: Judged, sound: Ints, told: NDArray[np.int8], over: NDArray[np.bool_]) -> None:
        """Every reading counts once, over the whole life of the partition and for its replay."""
        uncounted = np.array([origin.seq > self.offset.counted for origin in rows.origins], bool)
        bad = np.array([b.message for b in rows.bad], np.int64)
        told_new, told_again = sound[told == NEW], sound[told == DUPLICATE]

        def counts_of(chosen: NDArray[np.bool_]) -> Counts:
            mine = chosen[rows.message] if len(rows) else np.zeros(0, bool)
            broken = int(chosen[bad].sum()) if len(bad) else 0
            aside = int((mine & (judged.reason > 0) & ~over).sum()) + broken
            return Counts(int(mine.sum()) + broken, int(mine[told_new].sum()), int(mine[told_again].sum()), aside)

        self.offset.counts.add(counts_of(uncounted))
        runs = [origin.run for origin in rows.origins]
        for name in {run for run in runs if run is not None}:
            counts = counts_of(uncounted & np.array([run == name for run in runs], bool))
            self.offset.runs.setdefault(name, Counts()).add(counts)
        for run in list(self.offset.runs)[: max(0, len(self.offset.runs) - RUNS_KEPT)]:
            del self.offset.runs[run]

    # ---- committing ----------------------------------------------------------------------------------------------

    @property
    def flying(self) -> bool:
        """Whether a round is being committed."""
        return self._flying is not None

    def close_round(self) -> Round | None:
        """Hand over what was taken since the last round; None when there is nothing. One round at a time."""
        assert self._flying is None
        if self.offset.seq <= self.committed.seq:
            return None
        self._flying = Round(copy.deepcopy(self.offset), self._taken, self._held, self._erase)
        self._taken, self._held, self._erase, self.rows_waiting = [], [], [], 0
        return self._flying

    def commit(self, flight: Round) -> None:
        """Write a round; after LakeError call it again with the same round. Runs beside `take` in another thread."""
        carried = {offset_key(self.partition): msgspec.json.encode(flight.offset).decode()}
        by_name: dict[str, list[pa.Table]] = {
            quarantine.NAME: [quarantine.as_table(flight.held)] if flight.held else []
        }
        for kept in flight.kept:
            for name, table in kept.tables.items():
                by_name.setdefault(name, []).append(table)
        for name, parts in by_name.items():
            if not parts or name in flight.done:
                continue
            table = self._tables[name]
            if name not in flight.tried or table.offset() < flight.offset.seq:
                flight.tried.add(name)
                whole = pa.concat_tables(parts)
                rows = whole.cast(READINGS) if name != quarantine.NAME else whole
                table.append(rows, flight.offset.seq, carried)
            flight.done.add(name)
        for name in self._tables if flight.erase else ():
            if f"erased {name}" not in flight.done:
                for order, upto in flight.erase:
                    self._erase_from(name, order, upto)
                flight.done.add(f"erased {name}")
        self._remember(flight)

    def _erase_from(self, name: str, order: Erasure, upto: int) -> None:
        table = self._tables[name]
        if name == quarantine.NAME:
            for where, changes in quarantine.erasing(order, upto):
                table.erase(where, changes)
        else:
            table.erase(f"resident_id = {quoted(order.person)} AND seq <= {upto}")

    def _remember(self, flight: Round) -> None:
        """What is to go goes (which may be done twice); then current values and the offset, in one write."""
        for order, upto in flight.erase:
            if (number := self.current.erase(order.person, order.devices)) >= 0:
                flight.gone.append((number, upto))
        if not flight.kept or not self.metrics.count:
            return self.current.write(flight.offset)
        together = {
            name: np.concatenate([getattr(kept, name) for kept in flight.kept])
            for name in ("pair", "observed", "value", "newest", "received", "seq", "simulated", "people")
        }
        floors = (flight.offset.received_us - self.metrics.hot_us)[self.metrics.dataset]
        hot = (together["observed"] >= floors[together["pair"] % self.metrics.count]) | together["newest"]
        for number, upto in flight.gone:
            hot &= (together["people"] != number) | (together["seq"] > upto)
        pair, observed, value, _, received, seq, simulated, people = (column[hot] for column in together.values())
        prefixes = list(map(self._prefixes.__getitem__, pair.tolist()))
        self.current.write(flight.offset, prefixes, observed, value, received, seq, simulated, people)

    def landed(self, flight: Round) -> None:
        """A round is written: forget what it held."""
        self.committed = flight.offset
        self._flying = None

    def crowded(self) -> list[Path]:
        """The tables whose small files should be joined by now, each told once; it may be done beside everything."""
        return [table.path for table in self._tables.values() if table.crowded()]

    def sweep(self, share: float = 1 / 60) -> None:
        """Drop from current values what is past its contract's time, for a share of all series.

        The newest of a series stays, but no longer than its contract keeps readings at all.
        """
        total = len(self.devices) * self.metrics.count
        if not total:
            return
        step = min(total, max(1, int(total * share)))
        pairs = np.arange(self._swept, self._swept + step) % total
        self._swept = int((self._swept + step) % total)
        marks = self._novelty.mark[pairs]
        dataset = self.metrics.dataset[pairs % self.metrics.count]
        floors = self.offset.received_us - self.metrics.hot_us[dataset]
        over = (marks != NEVER) & (marks < self.offset.received_us - self.metrics.retention_us[dataset] - DAY_US)
        self.current.forget_before(
            (self._prefixes[int(p)], int(before))
            for p, before, mark in zip(pairs, np.where(over, marks + 1, np.minimum(floors, marks)), marks, strict=True)
            if mark != NEVER
        )
        for pair in pairs[over].tolist():
            self._novelty.forget(pair, pair + 1)

    def close(self) -> None:
        """Let go of current values."""
        self.current.close()


def _named(numbers: Ints, names: pa.Array) -> pa.Array:
    """Names by number, without writing out each one."""
    return pa.DictionaryArray.from_arrays(pa.array(numbers, pa.int32()), names)
