"""A notice really leaves the house, is tried again when nobody takes it, and is owed when nobody ever does."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import select

from hucheng.cases import owing
from hucheng.cases.clock import Poller
from hucheng.cases.erasure import erase
from hucheng.cases.notices import CARRIERS, Notices, deliver
from hucheng.cases.rosters import RosterLine
from hucheng.cases.tables import case_file, case_owed, notice

from .conftest import Clock, Town, town_on


class Hook:
    """A real HTTP server that keeps what it is sent; ``answers`` are its status codes in turn, then 200."""

    def __init__(self, answers: list[int]) -> None:
        self.bodies: list[dict[str, Any]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                status = answers.pop(0) if answers else 200
                if status == 200:
                    hook.bodies.append(json.loads(raw))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@contextmanager
def webhook(*answers: int) -> Iterator[Hook]:
    hook = Hook(list(answers))
    try:
        yield hook
    finally:
        hook.server.shutdown()
        hook.server.server_close()


class Mailbox:
    """Keeps the mails that a real SMTP server receives."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default)))
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, f"mailto://127.0.0.1:{port}?from=desk@hucheng.test&to=li@hucheng.test&mode=insecure"
    controller.stop()


def opened(town: Town, *urls: str) -> str:
    with town.ledger.begin() as conn:
        town.rosters.put(conn, [RosterLine("l-officer", "c1", 1, "李值班", who="officer-li", urls=urls)])
    return town.take_in(town.find(simulated=True))[0]


def states(town: Town) -> list[tuple[str, int]]:
    with town.ledger.read() as conn:
        return [(row.state, row.tries) for row in conn.execute(select(notice).order_by(notice.c.channel))]


def test_a_webhook_hears_of_the_call_without_personal_data(town: Town) -> None:
    with webhook() as hook:
        case_id = opened(town, hook.url)
        assert Notices(town.ledger, town.handling, town.clock).due() is None
    assert len(hook.bodies) == 1
    text = json.dumps(hook.bodies[0], ensure_ascii=False)
    assert case_id in text and "模拟信号" in text and "幸福里社区" in text
    assert not any(secret in text for secret in ("r1", "184", "收缩压", "bp-"))
    assert ("delivered", 1) in town.history(case_id)
    assert states(town) == [("sent", 1)]


def test_an_email_arrives(town: Town, mailbox: tuple[Mailbox, str]) -> None:
    box, url = mailbox
    case_id = opened(town, url)
    Notices(town.ledger, town.handling, town.clock).due()
    to, mail = box.mails[0]
    assert to == ["li@hucheng.test"]
    assert case_id in mail["subject"]
    assert "等待应答" in mail.get_body(("plain",)).get_content()


def test_it_is_tried_again_with_longer_pauses(town: Town, clock: Clock) -> None:
    with webhook(500, 503) as hook:
        opened(town, hook.url)
        notices = Notices(town.ledger, town.handling, clock)
        assert notices.due() == 5.0
        assert states(town) == [("waiting", 1)]
        clock.after(5)
        assert notices.due() == 15.0
        clock.after(15)
        assert notices.due() is None
        assert len(hook.bodies) == 1
    assert states(town) == [("sent", 3)]


def test_not_delivered_is_an_event_and_a_task_somebody_owes(town: Town, clock: Clock) -> None:
    case_id = opened(town, "json://127.0.0.1:9/nobody")
    notices = Notices(town.ledger, town.handling, clock)
    for _ in range(4):
        wait = notices.due()
        clock.after(wait or 0)
    assert states(town) == [("failed", 4)]
    assert ("not_delivered", 1) in town.history(case_id)
    with town.ledger.read() as conn:
        row = conn.execute(select(case_owed).where(case_owed.c.kind == "not_delivered")).one()
    assert (row.who, row.owner, row.done_at) == ("李值班", None, None)
    assert "李值班" in row.text["zh"]
    assert notices.due() is None


def test_undelivered_notices_count_until_somebody_has_acted_on_them(town: Town, clock: Clock) -> None:
    case_id = opened(town, "json://127.0.0.1:9/nobody")
    notices = Notices(town.ledger, town.handling, clock, send=lambda *_: "no")
    for _ in range(4):
        clock.after(notices.due() or 0)
    with town.ledger.read() as conn:
        assert owing.count(conn, "not_delivered") == 1
        assert owing.count(conn, "not_delivered", [case_file.c.community == "another"]) == 0
        [one] = [one for one in owing.of_case(conn, case_id) if one.kind == "not_delivered"]
    town.act(case_id, "answer", to=one.id, note="已电话联系")
    with town.ledger.read() as conn:
        assert owing.count(conn, "not_delivered") == 0


def test_the_name_of_an_erased_carer_is_in_no_notice(town: Town, clock: Clock) -> None:
    case_id = opened(town, "json://127.0.0.1:9/nobody")
    notices = Notices(town.ledger, town.handling, clock, send=lambda *_: "no")
    for _ in range(4):
        clock.after(notices.due() or 0)
    with town.ledger.begin() as conn:
        assert conn.execute(select(notice.c.who).where(notice.c.case_id == case_id)).scalars().all() == ["李值班"]
        erase(conn, "r-li", clock(), ["officer-li"])
        assert conn.execute(select(notice.c.who)).scalars().all() == ["erased"]
        [one] = [one for one in owing.of_case(conn, case_id) if one.kind == "not_delivered"]
    assert one.to == "erased" and "李值班" not in str(one.text)


def test_what_waits_survives_a_restart_and_goes_out_once(town: Town, clock: Clock) -> None:
    with webhook() as hook:
        opened(town, hook.url)
        again = town_on(town.ledger, clock, roster=[])
        Notices(again.ledger, again.handling, clock).due()
        Notices(town.ledger, town.handling, clock).due()
        assert len(hook.bodies) == 1


def test_a_node_that_stops_waits_for_what_is_being_sent_and_begins_nothing_more(town: Town, clock: Clock) -> None:
    with socket.socket() as hanging:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen(64)
        url = f"json://127.0.0.1:{hanging.getsockname()[1]}/hook"
        opened(town, *(f"{url}{number}" for number in range(3 * CARRIERS)))
        notices = Notices(town.ledger, town.handling, clock)
        poller = Poller("notices", notices.due)
        poller.start()
        hanging.settimeout(20)
        begun = [hanging.accept()[0] for _ in range(CARRIERS)]
        poller.end()
        notices.end()
        for connection in begun:
            connection.close()
        poller.stop()
        notices.close()
        hanging.setblocking(False)
        with pytest.raises(BlockingIOError):
            hanging.accept()
    assert sorted(states(town)) == [("waiting", 0)] * 2 * CARRIERS + [("waiting", 1)] * CARRIERS
    assert poller.failures == 0


def test_nobody_is_called_any_more_once_somebody_has_it(town: Town, clock: Clock) -> None:
    with webhook(500) as hook:
        case_id = opened(town, hook.url)
        notices = Notices(town.ledger, town.handling, clock)
        notices.due()
        town.act(case_id, "take")
        clock.after(60)
        notices.due()
        assert hook.bodies == []
    assert states(town) == [("dropped", 1)]


def test_the_nodes_own_addresses_are_told_too(town: Town, clock: Clock) -> None:
    with webhook() as hook:
        own = town_on(town.ledger, clock, own_addresses=(hook.url,))
        own.take_in(own.find())
        Notices(own.ledger, own.handling, clock, (hook.url,)).due()
        assert len(hook.bodies) == 1


@pytest.mark.parametrize("address", ["", "nonsense", "ftp://x", "json://", "mailto://", "javascript:alert(1)"])
def test_a_bad_address_is_a_reason_not_a_crash(address: str) -> None:
    assert deliver(address, "t", "x")


def test_addresses_lie_sealed_in_the_ledger(town: Town) -> None:
    opened(town, "mailto://desk:geheim@mail.test")
    town.ledger.scrub()
    assert b"geheim" not in Path(str(town.ledger.url.database)).read_bytes()
