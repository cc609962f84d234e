"""What a killed node left running ends before the next one starts; a number that is somebody else's is left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hucheng.base import broker
from hucheng.base.tether import tied
from hucheng.node.running import remains
from hucheng.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings.load(tmp_path / "home")
    broker.configure(settings)
    return settings


def serving(settings: Settings) -> subprocess.Popen[bytes]:
    server = subprocess.Popen(broker.command(settings), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not broker.healthy(settings):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return server


def test_a_broker_that_holds_this_store_is_ended_also_when_it_does_not_listen(settings: Settings) -> None:
    server = serving(settings)
    assert remains.end_broker(settings) == [server.pid]
    assert server.wait(5) == 0 or server.returncode < 0
    assert remains.end_broker(settings) == []
    server = serving(settings)
    server.send_signal(signal.SIGSTOP)
    assert remains.end_remains(settings, patience_s=0.2) == [server.pid]
    assert server.wait(5) == -signal.SIGKILL


def test_a_number_that_is_somebody_elses_by_now_is_left_alone(settings: Settings, tmp_path: Path) -> None:
    other = Settings.load(tmp_path / "other")
    broker.configure(other)
    server = serving(other)
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        for pid in (server.pid, stranger.pid, os.getpid()):
            (broker.folder(settings) / "nats.pid").write_text(str(pid))
            assert remains.end_remains(settings) == []
        assert server.poll() is None and stranger.poll() is None
    finally:
        for process in (server, stranger):
            process.kill()
            process.wait()


def test_a_program_of_others_ends_with_whoever_started_it() -> None:
    program = [sys.executable, "-c", "import os,time; print(os.getpid(), flush=True); time.sleep(600)"]
    parent = (
        "import subprocess; from hucheng.base.tether import tied;"
        f"p=subprocess.Popen(tied({program!r}),stdout=subprocess.PIPE);"
        "print(int(p.stdout.readline()),flush=True); p.wait()"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    pid = int(supervisor.stdout.readline())
    supervisor.kill()
    supervisor.wait()
    deadline = time.monotonic() + 20
    while remains._command(pid) not in ([], [""]):
        assert time.monotonic() < deadline, "it lives on"
        time.sleep(0.02)


def test_a_tied_program_is_the_process_that_was_started() -> None:
    started = subprocess.Popen(tied([sys.executable, "-c", "import os; print(os.getpid())"]), stdout=subprocess.PIPE)
    assert started.stdout is not None and int(started.stdout.read()) == started.pid
    assert started.wait() == 0
