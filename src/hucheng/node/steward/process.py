"""The steward: the one process that writes decisions, cases, timers, registers and the journal.

A finding becomes a decision and a case in one transaction, then it is acknowledged to the stream; a killed steward
takes up where it stood. Served on ``run/steward.sock`` (`SERVED`): the site and the command line own nothing, they ask
here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import yaml
from nats.aio.client import Client
from nats.errors import Error as NatsError
from sqlalchemy import func, select

from hucheng.apps import App
from hucheng.base import stream
from hucheng.base.broker import FINDINGS, STANDING
from hucheng.base.catalogue import Catalogue
from hucheng.base.currentreader import CurrentReader
from hucheng.base.lake import Lake
from hucheng.base.rpc import exposed
from hucheng.cases.calendar import calendar
from hucheng.cases.clock import Poller, monotonic_s
from hucheng.cases.desk import Desk
from hucheng.cases.handling import Handling, Place
from hucheng.cases.history import History
from hucheng.cases.models import Models
from hucheng.cases.notices import Notices
from hucheng.cases.processes import load
from hucheng.cases.pulse import Pulse
from hucheng.cases.rosters import Rosters
from hucheng.cases.store import DATASET as CASES
from hucheng.cases.store import CaseStore
from hucheng.cases.tables import case_event
from hucheng.decisions.bodies import Bodies
from hucheng.decisions.office import Decisions
from hucheng.decisions.store import DATASET as DECISIONS
from hucheng.decisions.store import DecisionStore
from hucheng.errors import HuchengError
from hucheng.gate import Gate, Journal, JournalDesk
from hucheng.gate.entries import Entry, from_stream
from hucheng.gate.mandates import Mandates
from hucheng.gate.tables import FILE as CHECKPOINTS
from hucheng.node.doors import DOORS, POLICY
from hucheng.node.home.people import People
from hucheng.node.home.rooms import Rooms, now_utc, open_rooms
from hucheng.node.steward.consumers import Consumer
from hucheng.node.steward.duty import Duty, last_seen
from hucheng.node.steward.enrolment import Enrolment
from hucheng.node.steward.entering import Entering
from hucheng.node.steward.forgetting import Forgetting
from hucheng.node.steward.gateways import Gateways
from hucheng.node.steward.refusals import door
from hucheng.node.steward.requeue import Requeue
from hucheng.node.steward.retention import Retention, lived_through
from hucheng.settings import Settings

log = logging.getLogger(__name__)
COUNTED: Final = ("received", "accepted", "duplicate", "quarantined")
_SafeLoader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it was built
SILENT_S: Final = 10.0
"""An intake that has not spoken for so long is said to be silent."""


class Status:
    """How the steward and the intakes are: ``readings``, ``cases``, ``problems``. Names nobody.

    ``watched``: every declared detector and what its findings are called.
    """

    def __init__(
        self,
        desk: Desk,
        clock: Callable[[], datetime],
        problems: Callable[[], Sequence[str]],
        watched: Mapping[str, Mapping[str, str]],
    ) -> None:
        self._desk, self._clock, self._problems, self._watched = desk, clock, problems, watched
        self._intakes: dict[int, tuple[datetime, dict[str, Any]]] = {}
        self._refused = dict.fromkeys(DOORS, 0)
        self._since = clock()

    def turned_away(self, entries: Iterable[Entry]) -> None:
        """Count who was turned away at a door, as it comes into the journal."""
        for entry in entries:
            door = entry.policy.removeprefix(POLICY)
            if entry.kind == "refused" and entry.policy.startswith(POLICY) and door in self._refused:
                self._refused[door] += entry.counts.get("times", 1)

    def hear(self, message: bytes) -> None:
        """What an intake says of itself, each second."""
        with contextlib.suppress(msgspec.DecodeError, KeyError, TypeError):
            told = msgspec.json.decode(message)
            self._intakes[int(told["partition"])] = (self._clock(), told)

    @exposed
    def status(self) -> dict[str, Any]:
        """Counts of readings and cases, and what is wrong now."""
        now = self._clock()
        problems = list(self._problems())
        for partition, (at, told) in sorted(self._intakes.items()):
            if (now - at).total_seconds() > SILENT_S:
                problems.append(f"intake {partition} has been silent for {(now - at).total_seconds():.0f} s")
            if told.get("problem"):
                problems.append(f"intake {partition}: {told['problem']}")
        told_all = [told for _, told in self._intakes.values()]
        readings: dict[str, Any] = {name: sum(int(told[name]) for told in told_all) for name in COUNTED}
        readings["lag_s"] = max((float(told["lag_s"]) for told in told_all), default=None)
        cases = msgspec.to_builtins(self._desk.counts())
        refused = {"since": self._since.isoformat(timespec="seconds"), **self._refused}
        blind = self._blind()
        return {"readings": readings, "cases": cases, "problems": problems, "refused": refused, "blind": blind}

    def _blind(self) -> list[dict[str, Any]]:
        """What is not looked for, or not everywhere: detector, what its findings are called, why."""
        why: dict[str, str] = {}
        for _, told in self._intakes.values():
            why |= told.get("blind") or {}
        none = {"zh": "", "en": ""}
        return [{"detector": name, "title": self._watched.get(name, none), "why": why[name]} for name in sorted(why)]


SERVED: Final[dict[str, type]] = {
    "desk": Desk,
    "decisions": Decisions,
    "gate": Gate,
    "journal": JournalDesk,
    "people": People,
    "enrolment": Enrolment,
    "entering": Entering,
    "gateways": Gateways,
    "quarantine": Requeue,
    "status": Status,
}
"""What is served on the socket, by the name under which it is called."""


class Steward:
    """Everything the process holds, put together without a broker or a socket (tests use it so)."""

    def __init__(
        self,
        rooms: Rooms,
        clock: Callable[[], datetime] = now_utc,
        monotonic: Callable[[], float] = monotonic_s,
    ) -> None:
        settings = self.settings = rooms.settings
        self.rooms = rooms
        self.journal = Journal(settings.journal, rooms.keys, settings.home / CHECKPOINTS, clock=clock)
        self.gate = Gate(
            catalogue=rooms.catalogue,
            registers=rooms.registers,
            keys=rooms.keys,
            principals=rooms.principals,
            purposes=rooms.purposes,
            journal=self.journal,
            lake=Lake(settings.home / "lake"),
            current=CurrentReader(settings.home, settings.intakes),
            partitions=settings.intakes,
            clock=clock,
        )
        self.bodies = Bodies(rooms.keys)
        over = Mandates(rooms.registers, rooms.principals, clock).over
        self.rosters = Rosters(rooms.keys, calendar(settings.timezone), over)
        with rooms.ledger.read() as conn:
            self.pulse = Pulse(int(conn.execute(select(func.max(case_event.c.seq))).scalar() or 0))
        own = tuple(settings.notice_urls.split())
        self.handling = Handling(
            bodies=self.bodies,
            history=History(self.bodies, self.pulse.beat),
            models=Models(load(app.process(kind)) for app in rooms.apps for kind in app.processes),
            rosters=self.rosters,
            place_of=self.place_of,
            place=self.place,
            site=settings.site,
            own_addresses=own,
            titles=titles(rooms.apps, rooms.catalogue),
        )
        self.duty = Duty(rooms.ledger, self.handling, self.bodies, wall=clock, monotonic=monotonic, woken=self.wake)
        self.notices = Notices(rooms.ledger, self.handling, self.duty.clock, own)
        self.forgetting = Forgetting(rooms, self.gate, self.journal, self.rosters, clock, self.wake)
        self.duty.erased = self.forgetting.erased
        if self.journal.seq == 0 and last_seen(rooms.ledger) is not None:
            self.journal.damaged("it begins here: nothing is left of the journal of a node that has lived before")
        seen = lived_through(rooms, self.journal)
        self.retention = Retention(rooms, self.gate, self.journal, clock, monotonic, seen=seen)
        self.pollers = [
            Poller("timers", self.duty.due),
            Poller("notices", self.notices.due, idle_s=5.0),
            Poller("erasures", self.forgetting.due, idle_s=30.0),
            Poller("retention", self.retention.due, idle_s=600.0),
        ]
        self._warming = threading.Thread(target=self._warm, name="warm", daemon=True)
        store = CaseStore(rooms.ledger, self.bodies, self.rosters, self.duty.clock)
        self.gate.register_store(CASES, store)
        self.gate.register_cases(store)
        self.gate.register_store(DECISIONS, DecisionStore(rooms.ledger, self.bodies, clock))
        self.desk = Desk(rooms.ledger, self.gate, self.handling, self.pulse, self.duty.clock)
        self.consumers: list[Consumer] = []
        named = self.handling.titles
        every = [one for app in rooms.apps for one in app.detectors]
        watched = {one.name: named.get(f"{one.rule}/{one.dataset}") or named.get(one.rule, {}) for one in every}
        self.status = Status(self.desk, clock, self.problems, watched)
        self.requeue = Requeue(settings, self.gate, rooms.ledger, clock)
        self.served: dict[str, object] = {
            "desk": self.desk,
            "decisions": Decisions(
                rooms.ledger, self.gate, self.bodies, clock, self.handling.appealed, self.handling.appeal_answered
            ),
            "gate": self.gate,
            "journal": JournalDesk(self.gate, self.journal, rooms.keys, clock=clock),
            "people": People(rooms.principals, settings),
            "enrolment": Enrolment(rooms, self.gate, clock, self.forgetting, self.pulse.beat),
            "entering": Entering(rooms, self.gate, self.rosters, clock, self.duty.mandates_changed),
            "gateways": Gateways(settings, self.gate, clock),
            "quarantine": self.requeue,
            "status": self.status,
        }

    def place_of(self, resident_id: str) -> Place:
        """Where a resident belongs; the city for somebody whose place is not known: its emergency desk answers."""
        row = self.rooms.registers.live("city.residents", resident_id, sealed=False)
        if row is not None and row.get("community"):
            with contextlib.suppress(HuchengError):
                self.rooms.principals.org(str(row["community"]))
                return self.place(str(row["community"]))
        orgs = self.rooms.principals.orgs()
        cities = [org.id for org in orgs if org.level == "city"] + [org.id for org in orgs if org.parent is None]
        return self.place(cities[0] if cities else "")

    def place(self, org: str) -> Place:
        """A place of the tree; one that was taken out of it since keeps its id as its name."""
        try:
            return Place(org, self.rooms.principals.path(org), self.rooms.principals.org(org).title)
        except HuchengError:
            return Place(org, (org,), {"zh": org, "en": org})

    def keep(self, messages: Sequence[bytes]) -> None:
        """Journal entries of standing views, from the stream into the journal."""
        entries = [self._of_the_present(from_stream(message)) for message in messages]
        self.journal.append(entries)
        self.status.turned_away(entries)

    def _of_the_present(self, entry: Entry) -> Entry:
        """An entry without those who were erased since it was written: it would make them a key again."""
        people = [one for one in entry.people if not self.forgetting.erased(one)]
        return entry if len(people) == len(entry.people) else msgspec.structs.replace(entry, people=people)

    def wake(self) -> None:
        """Something may be due now."""
        for poller in self.pollers:
            poller.wake()

    def problems(self) -> list[str]:
        """What is wrong now."""
        found = [problem for consumer in self.consumers for problem in consumer.problems]
        found += self.duty.problems + self.forgetting.problems + self.retention.problems
        found += [f"{poller.name} cannot work: see the log" for poller in self.pollers if poller.failures]
        if self.journal.damage:
            found.append(f"the journal was found damaged ({self.journal.damage}): run `hucheng journal verify`")
        return found

    def start(self) -> None:
        """Begin to look at timers and notices; what contracts no longer leave open goes from the lake first."""
        self.gate.reshape_copies()
        for poller in self.pollers:
            poller.start()
        self._warming.start()

    def _warm(self) -> None:
        """Registers into memory, beside the first calls; without it the first look at somebody is only slower."""
        try:
            self.gate.warm()
        except HuchengError as error:
            log.warning("registers are not in memory", extra={"fields": {"error": error.what[:200]}})

    def close(self) -> None:
        """End in order: what is being done is finished, nothing new begun."""
        for poller in self.pollers:
            poller.end()
        self.notices.end()
        self.retention.end()
        for poller in self.pollers:
            poller.stop()
        if self._warming.is_alive():
            self._warming.join()
        self.notices.close()
        self.gate.close()
        self.journal.close()
        self.rooms.close()


def titles(apps: Sequence[App], catalogue: Catalogue) -> dict[str, dict[str, str]]:
    """Title of a case by its rule: that of the outcome by which the pack noticed it.

    Where one rule watches several datasets, also by ``rule/dataset``, with what the dataset is called behind it.
    """
    found: dict[str, dict[str, str]] = {}
    for app in apps:
        packs = {path.stem: path for path in app.packs}
        for detector in app.detectors:
            pack = yaml.load(packs[detector.pack].read_text(encoding="utf-8"), Loader=_SafeLoader)  # noqa: S506
            outcomes = pack["versions"][-1].get("outcomes", {})
            named = outcomes.get(detector.outcome, {}).get("title") or pack.get("title")
            if isinstance(named, dict) and {"zh", "en"} <= named.keys():
                en = str(named["en"])
                found[detector.rule] = {"zh": str(named["zh"]), "en": en[:1].upper() + en[1:]}
        shared = Counter(one.rule for one in app.detectors)
        for detector in app.detectors:
            if shared[detector.rule] > 1 and detector.rule in found and detector.dataset in catalogue:
                title, of = found[detector.rule], catalogue.get(detector.dataset).title
                both = {"zh": f"{title['zh']}：{of.get('zh', '')}", "en": f"{title['en']}: {of.get('en', '')}"}
                found[f"{detector.rule}/{detector.dataset}"] = both
    return found


def run(settings: Settings, apps: Sequence[App] | None = None) -> None:
    """Serve until told to stop. ``apps``: other than those installed (tests)."""
    sys.setswitchinterval(0.001)  # whoever waits for an answer goes before the timers of ten thousand cases
    asyncio.run(_serve(settings, apps))


async def _serve(settings: Settings, apps: Sequence[App] | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    steward = Steward(open_rooms(settings, apps=apps))
    server = door(settings.socket, steward.served, steward.gate)
    tasks: list[asyncio.Task[Any]] = []
    try:
        await server.start()
        steward.start()
        tasks.append(asyncio.create_task(_listen(settings, steward)))
        tasks.append(asyncio.create_task(stop.wait()))
        log.info("steward ready")
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            tasks[0].result()  # it should never end: what ended it is the error of this process
    finally:
        await _ended(tasks)
        await server.stop()
        await asyncio.to_thread(steward.close)
        log.info("steward stopped")


async def _ended(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel until all are done: before Python 3.12 ``wait_for`` may swallow one cancellation (bpo-37658)."""
    while waiting := [task for task in tasks if not task.done()]:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting, timeout=0.5)


async def _listen(settings: Settings, steward: Steward) -> None:
    """Take findings and standing entries for as long as the process lives, also while the broker comes and goes."""
    client = await _connected(settings)
    try:
        steward.consumers = [
            Consumer(client, FINDINGS, "findings.>", steward.duty.take, steward.requeue.aside),
            Consumer(client, STANDING, "standing.>", steward.keep, steward.requeue.aside),
        ]

        async def heard(message: Any) -> None:
            steward.status.hear(message.data)

        await client.subscribe("status.intake.*", cb=heard)
        await asyncio.gather(*(consumer.run() for consumer in steward.consumers))
    finally:
        with contextlib.suppress(NatsError, TimeoutError):
            await asyncio.wait_for(client.close(), 3)


async def _connected(settings: Settings) -> Client:
    while True:
        try:
            return await stream.connect(settings, name="steward")
        except (NatsError, OSError, HuchengError) as error:
            log.warning("no broker yet", extra={"fields": {"why": type(error).__name__}})
            await asyncio.sleep(1.0)
