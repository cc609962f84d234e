"""A steward that is really killed: no alarm is lost or doubled, no tier is skipped or called twice."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nats.js.errors import NotFoundError

from hucheng.base import stream
from hucheng.base.broker import Broker
from hucheng.cases.desk import Desk
from hucheng.cases.views import CaseRow, CaseView
from hucheng.decisions.findings import Finding, encode
from hucheng.gate.entries import Entry, to_stream
from hucheng.node.home.people import LOCAL
from hucheng.node.steward.consumers import ACK_WAIT_S
from hucheng.node.steward.process import Status
from hucheng.node.steward.requeue import Requeue
from hucheng.settings import Settings

from .stewarding import Process, a_finding, copy_home, first_resident, make_home

pytestmark = pytest.mark.crash

QUICK = "wait_1=PT4S,wait_2=PT4S,wait_3=PT4S,wait_4=PT600S"


class Node:
    """A broker and a steward of one home, and what a publisher and an officer do with them."""

    def __init__(self, settings: Settings, waits: str = "") -> None:
        self.settings = settings
        self.broker = Broker(settings)
        self.broker.start()
        self.steward = Process(settings, waits)

    def publish(self, findings: Sequence[Finding], again: bool = False) -> None:
        """Publish and await each receipt; ``again`` gives them new message ids, as after the broker forgot."""

        async def scene() -> None:
            client = await stream.connect(self.settings)
            for one in findings:
                number = f"{one.id}-{random.random()}" if again else one.id
                await stream.publish(client, f"findings.{one.kind}", encode(one), number)
            await client.close()

        asyncio.run(scene())

    def send(self, subject: str, bodies: Sequence[bytes]) -> None:
        """Publish anything."""

        async def scene() -> None:
            client = await stream.connect(self.settings)
            for body in bodies:
                await stream.publish(client, subject, body)
            await client.close()

        asyncio.run(scene())

    def left(self, name: str) -> int:
        """Messages that the steward has not acknowledged yet."""

        async def scene() -> int:
            client = await stream.connect(self.settings)
            try:
                info = await stream.api(client, f"CONSUMER.INFO.{name}.steward")
            except NotFoundError:  # a new steward is just taking over
                return int((await stream.stream_state(client, name))["messages"])
            finally:
                await client.close()
            return int(info["num_pending"]) + int(info["num_ack_pending"])

        return asyncio.run(scene())

    def rows(self, **more: Any) -> list[CaseRow]:
        li = self.steward.who("li-min")
        page = self.steward.ask(Desk, "desk", lambda desk: desk.queue(li, limit=500, **more))
        found: list[CaseRow] = page.cases
        return found

    def view(self, case_id: str) -> CaseView:
        li = self.steward.who("li-min")
        found: CaseView = self.steward.ask(Desk, "desk", lambda desk: desk.case(li, case_id))
        return found

    def close(self) -> None:
        if self.steward.process is not None:
            self.steward.stop()
        self.broker.stop()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_home(tmp_path_factory.mktemp("template") / "home", residents=150)


@pytest.fixture
def quick(template: Settings, tmp_path: Path) -> Iterator[Node]:
    node = Node(copy_home(template, tmp_path / "home"), QUICK)
    yield node
    node.close()


@pytest.fixture
def node(template: Settings, tmp_path: Path) -> Iterator[Node]:
    node = Node(copy_home(template, tmp_path / "home"))
    yield node
    node.close()


def people(node: Node) -> list[str]:
    from hucheng.node.home.rooms import open_rooms

    rooms = open_rooms(node.settings)
    try:
        return [row["resident_id"] for row in rooms.registers.all("city.residents")]
    finally:
        rooms.close()


def calls(view: CaseView) -> list[str]:
    """What was said of each call, in order."""
    return [event.text["en"] for event in view.history if event.what in ("called", "nobody")]


def let_it_pass(due: datetime | None) -> None:
    """Wait until an instant is past: time goes on while the steward is dead."""
    assert due is not None
    while datetime.now(UTC) <= due:
        time.sleep(0.01)


def test_killed_between_the_alarm_and_its_due_time_three_tiers_in_a_row(quick: Node) -> None:
    steward = quick.steward.start()
    quick.publish([a_finding(first_resident(quick.settings))])
    [row] = steward.until(quick.rows)
    for tier in (1, 2, 3):
        row = steward.until(lambda tier=tier: next((r for r in quick.rows() if r.tier == tier), None))  # type: ignore[misc]
        steward.kill()
        let_it_pass(row.due_at)
        steward.start()
    view = steward.until(lambda: found if (found := quick.view(row.id)).row.tier == 4 else None)
    told = calls(view)
    assert len(told) == len(set(told)), told
    tiers = [text.split()[1] for text in told if text.startswith("Tier")]
    assert sorted(set(tiers)) == ["1", "2", "3", "4"] and tiers == sorted(tiers)
    assert Counter(event.what for event in view.history)["no_answer"] == 3
    assert len(view.decision_ids) == 1


def test_a_timer_kept_while_it_lives_and_while_it_is_dead_is_the_same(quick: Node) -> None:
    steward = quick.steward.start()
    quick.publish([a_finding(first_resident(quick.settings))])
    steward.until(lambda: [row for row in quick.rows() if row.tier == 4])
    [row] = quick.rows()
    assert Counter(event.what for event in quick.view(row.id).history)["no_answer"] == 3


def test_alarms_that_come_while_it_is_down_wait_in_the_stream(node: Node) -> None:
    somebody = people(node)[:20]
    node.publish([a_finding(person) for person in somebody])
    node.steward.start()
    rows = node.steward.until(lambda: found if len(found := node.rows()) == 20 else None)
    assert sorted(row.resident_id for row in rows) == sorted(somebody)


def test_killed_while_it_takes_alarms_every_alarm_is_there_once(node: Node) -> None:
    somebody = people(node)[:100]
    findings = [a_finding(person, n) for n in range(4) for person in somebody]
    node.publish(findings[:200])
    random.seed(7)
    for part in range(3):
        node.steward.start()
        time.sleep(random.uniform(0.0, 0.15))  # any moment will do: this is where the kill falls
        node.steward.kill()
        node.publish(findings[200 + part * 50 : 250 + part * 50])
    node.publish(findings[350:])
    node.publish(findings[:30], again=True)
    node.steward.start()
    node.steward.until(lambda: node.left("FINDINGS") == 0, ACK_WAIT_S / 2)  # not only when the broker's patience ends
    rows = node.rows()
    assert Counter(row.resident_id for row in rows) == Counter(somebody)
    assert sum(row.joined for row in rows) == len(findings) - len(somebody)
    for row in rows[:5]:
        view = node.view(row.id)
        assert len(view.decision_ids) == 4
        assert Counter(event.what for event in view.history)["opened"] == 1


def test_one_message_that_is_no_finding_holds_nobody_up(node: Node) -> None:
    person = people(node)[0]
    node.send("findings.care.alarm", [b"{broken", encode(a_finding(person, kind="no.such.kind"))])
    node.publish([a_finding(person)])
    node.steward.start()
    node.steward.until(lambda: [row for row in node.rows() if row.resident_id == person])
    from hucheng.node.steward.process import Status

    def said() -> list[str]:
        status = node.steward.ask(Status, "status", lambda status: status.status())
        return [problem for problem in status["problems"] if "FINDINGS" in problem]

    assert node.steward.until(said)


def test_what_nobody_can_read_is_set_aside_and_can_be_sent_again(node: Node) -> None:
    node.steward.start()
    node.send("findings.care.alarm", [b'{"nobody": "can read this"'])
    node.send("standing.0", [b"nor this"])
    operator = node.steward.who(LOCAL)

    def counts() -> dict[str, int]:
        found: dict[str, int] = node.steward.ask(Requeue, "quarantine", lambda desk: desk.counts(operator))
        return found

    both = {"unreadable_findings": 1, "unreadable_standing": 1}
    node.steward.until(lambda: counts() == both)
    node.steward.until(lambda: node.left("FINDINGS") == node.left("STANDING") == 0)
    node.steward.kill()
    node.steward.start()
    assert counts() == both
    status = node.steward.ask(Status, "status", lambda status: status.status())
    assert not [problem for problem in status["problems"] if "cannot be taken" in problem]
    [kept] = node.steward.ask(Requeue, "quarantine", lambda desk: desk.rows(operator, "unreadable_findings"))
    assert kept["data"] == '{"nobody": "can read this"' and "DecodeError" in kept["why"] and kept["tries"] == 3
    node.publish([a_finding(people(node)[0])])
    node.steward.until(lambda: len(node.rows()) == 1)
    sent = node.steward.ask(Requeue, "quarantine", lambda desk: desk.replay(operator, "unreadable_findings"))
    assert sent == 1
    node.steward.until(lambda: counts() == both)  # it came back: the cause was not mended


def test_standing_entries_reach_the_journal(node: Node) -> None:
    from hucheng.gate import JournalDesk

    entry = Entry(datetime.now(UTC), "standing", "service:intake", "service", "", "care.detect", "law", ref="r1")
    node.send("standing.care", to_stream(entry))
    node.steward.start()
    zhou = node.steward.who("zhou-jing")

    def found() -> list[Any]:
        lines = node.steward.ask(JournalDesk, "journal", lambda journal: journal.heads(zhou))
        return [line for line in lines if line.purpose == "care.detect"]

    assert node.steward.until(found)[0].kind == "standing"


def test_told_to_stop_it_stops_cleanly_and_leaves_no_socket(node: Node) -> None:
    node.steward.start()
    assert node.steward.stop() == 0
    assert not node.settings.socket.exists()
    log = (node.settings.home / "logs" / "steward.jsonl").read_text(encoding="utf-8")
    assert '"steward stopped"' in log and '"level": "error"' not in log


def test_it_works_on_while_the_broker_comes_and_goes(node: Node) -> None:
    somebody = people(node)[:2]
    node.steward.start()
    node.publish([a_finding(somebody[0])])
    node.steward.until(node.rows)
    node.broker.kill()
    assert [row.resident_id for row in node.rows()] == [somebody[0]]
    node.broker.start()
    node.publish([a_finding(somebody[1])])
    node.steward.until(lambda: len(node.rows()) == 2)


def test_the_log_names_nobody(node: Node) -> None:
    person = people(node)[0]
    node.steward.start()
    node.publish([a_finding(person)])
    [row] = node.steward.until(node.rows)
    li = node.steward.who("li-min")
    node.steward.ask(Desk, "desk", lambda desk: desk.act(li, row.id, "note", note="门牌 3-201"))
    node.steward.stop()
    log = (node.settings.home / "logs" / "steward.jsonl").read_text(encoding="utf-8")
    for secret in (person, "门牌", "184", "血压", "李敏", "陈桂兰"):
        assert secret not in log


def test_whatever_goes_wrong_while_reading_the_stream_the_desk_does_not_go_deaf(node: Node) -> None:
    from hucheng.base.broker import FINDINGS
    from hucheng.node.steward.consumers import Consumer

    findings = [a_finding(f"r{n}") for n in range(3)]
    node.publish(findings)
    taken: list[bytes] = []

    class Stumbling(Consumer):
        stumbles = 2

        async def _offer(self, messages: Any) -> None:
            if self.stumbles:
                self.stumbles -= 1
                raise RuntimeError("nobody thought of this")
            await super()._offer(messages)

    async def scene() -> str | None:
        client = await stream.connect(node.settings)
        consumer = Stumbling(client, FINDINGS, "findings.>", taken.extend, lambda *_: None)
        consumer.ack_wait_s = 1.0
        task = asyncio.create_task(consumer.run())
        async with asyncio.timeout(60):
            while len(set(taken)) < 3:
                await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()
        return consumer.problem

    assert asyncio.run(scene()) is None
    assert set(taken) == {encode(one) for one in findings}


def test_a_wait_that_runs_out_between_two_requests_is_no_broker_that_does_not_answer(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hucheng.base.broker import FINDINGS
    from hucheng.node.steward import consumers

    monkeypatch.setattr(consumers, "WAIT_S", 1e-4)  # so short that nats-py gives up before its second request
    waits = 0

    class Watched(consumers.Consumer):
        async def _subscribe(self) -> Any:
            subscription = await super()._subscribe()
            fetch = subscription.fetch

            async def counted(*given: Any, **more: Any) -> Any:
                nonlocal waits
                waits += 1
                return await fetch(*given, **more)

            subscription.fetch = counted
            return subscription

    async def scene() -> list[str]:
        client = await stream.connect(node.settings)
        consumer = Watched(client, FINDINGS, "findings.>", lambda _: None, lambda *_: None)
        task = asyncio.create_task(consumer.run())
        async with asyncio.timeout(60):
            while waits < 20 and not consumer.problems:
                await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()
        return consumer.problems

    assert asyncio.run(scene()) == []
