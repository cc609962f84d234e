"""The supervisor: what dies comes back, what is asked to stop stops, and two nodes never share a home."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hucheng.base import broker
from hucheng.errors import SettingsError, Unavailable
from hucheng.node.running.parts import PartSpec, read_parts
from hucheng.node.running.supervisor import HomeLock, Supervisor, with_free_ports
from hucheng.settings import Settings

STAND_IN = (
    "import sys,time,pathlib; pathlib.Path(sys.argv[1]).write_text(str(__import__('os').getpid())); time.sleep(600)"
)


def spec(home: Path, name: str, needed: bool = True) -> PartSpec:
    mark = home / f"{name}.pid"
    return PartSpec(name, [sys.executable, "-c", STAND_IN, str(mark)], ready=lambda: mark.exists(), needed=needed)


def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def running(supervisor: Supervisor) -> threading.Thread:
    """The supervisor's loop in a thread (signals stay with the main thread)."""

    def loop() -> None:
        supervisor._start_all(time.monotonic() + 30)
        while not supervisor._stopping:
            supervisor._watch()
            time.sleep(0.01)

    thread = threading.Thread(target=loop)
    thread.start()
    return thread


def test_a_killed_part_comes_back_and_the_others_are_left_alone(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, [spec(tmp_path, "one"), spec(tmp_path, "two")])
    thread = running(supervisor)
    try:
        until(lambda: all(p.state == "ready" for p in supervisor.parts))
        one, two = (int((tmp_path / f"{n}.pid").read_text()) for n in ("one", "two"))
        (tmp_path / "one.pid").unlink()
        os.kill(one, signal.SIGKILL)
        until(lambda: (tmp_path / "one.pid").exists() and supervisor.parts[0].state == "ready")
        assert int((tmp_path / "one.pid").read_text()) != one
        assert supervisor.parts[1].process is not None and supervisor.parts[1].process.pid == two
        assert read_parts(tmp_path)["one"]["restarts"] == 1
    finally:
        supervisor._stopping = True
        thread.join()
        supervisor.stop()
    assert all(not Path(f"/proc/{pid}").exists() for pid in (two,))
    assert {state["state"] for state in read_parts(tmp_path).values()} == {"stopped"}


def test_a_part_that_is_never_ready_is_named_with_its_log(tmp_path: Path) -> None:
    never = PartSpec("never", [sys.executable, "-c", "import time; time.sleep(600)"], ready=lambda: False)
    supervisor = Supervisor(tmp_path, [never])
    try:
        with pytest.raises(Unavailable, match=r"never is not ready.*never\.jsonl"):
            supervisor._start_all(time.monotonic() + 0.3)
    finally:
        supervisor.stop()


def _made(folder: Path) -> bool:
    """Whether the folder could be made now: not while a file of this name is just being written."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    return folder.is_dir()


def test_a_disk_that_takes_nothing_ends_no_part(tmp_path: Path) -> None:
    blocked = tmp_path / "run" / "parts.new"
    supervisor = Supervisor(tmp_path, [spec(tmp_path, "one"), spec(tmp_path, "two")])
    thread = running(supervisor)
    try:
        until(lambda: all(p.state == "ready" for p in supervisor.parts))
        two = int((tmp_path / "two.pid").read_text())
        until(lambda: _made(blocked))  # nobody can write the states from here on
        old = _killed(tmp_path, "one")
        until(lambda: (tmp_path / "one.pid").exists() and supervisor.parts[0].state == "ready")
        assert _alive(two) and thread.is_alive()
        blocked.rmdir()
        until(lambda: read_parts(tmp_path)["one"]["pid"] not in (None, old))  # and what was missed is written
    finally:
        supervisor._stopping = True
        thread.join()
        blocked.mkdir(exist_ok=True)
        supervisor.stop()
    assert not _alive(two), "all are stopped, whether or not it can be written"


def test_a_part_that_cannot_start_is_failed_and_tried_again_while_the_others_run(tmp_path: Path) -> None:
    room = tmp_path / "room"
    room.touch()
    one = spec(tmp_path, "one")
    supervisor = Supervisor(tmp_path, [replace(one, before=lambda: room.rename(room)), spec(tmp_path, "two")])
    thread = running(supervisor)
    try:
        until(lambda: all(p.state == "ready" for p in supervisor.parts))
        room.unlink()
        _killed(tmp_path, "one")
        until(lambda: supervisor.parts[0].restarts >= 3)
        assert read_parts(tmp_path)["one"]["state"] == "failed"
        assert "FileNotFoundError" in supervisor.parts[0].why
        assert supervisor.parts[1].state == "ready"
        room.touch()
        until(lambda: supervisor.parts[0].state == "ready")
    finally:
        supervisor._stopping = True
        thread.join()
        supervisor.stop()


def test_what_kept_a_part_from_its_first_start_is_said(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()  # no log can be opened
    supervisor = Supervisor(tmp_path, [spec(tmp_path, "one")])
    with pytest.raises(Unavailable, match=r"one is not ready in time: .*logs"):
        supervisor._start_all(time.monotonic() + 0.3)
    supervisor.stop()


def _killed(home: Path, name: str) -> int:
    """Kill -9 a stand-in; its number."""
    mark = home / f"{name}.pid"
    pid = int(mark.read_text())
    mark.unlink()
    os.kill(pid, signal.SIGKILL)
    return pid


def test_two_nodes_never_share_a_home(tmp_path: Path) -> None:
    lock = HomeLock(tmp_path)
    with pytest.raises(Unavailable, match="already runs"):
        HomeLock(tmp_path)
    lock.release()
    HomeLock(tmp_path).release()


def test_a_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port {port} is taken"):
            with_free_ports(Settings(home=tmp_path, port=port))
    chosen = with_free_ports(Settings(home=tmp_path, port=0))
    assert len({chosen.port, chosen.mqtt_port, chosen.nats_port, chosen.monitor_port} - {0}) == 4


def test_parts_go_with_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    child = (
        "import time; from hucheng.base.tether import die_with_parent; die_with_parent();"
        "print('up', flush=True); time.sleep(600)"
    )
    parent = (
        f"import subprocess,sys; p=subprocess.Popen([sys.executable,'-c',{child!r}],stdout=subprocess.PIPE);"
        "p.stdout.readline(); print(p.pid,flush=True); p.wait()"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    pid = int(supervisor.stdout.readline())
    supervisor.kill()
    supervisor.wait()
    until(lambda: not _alive(pid))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


def test_the_broker_keeps_its_ports_from_start_to_start_while_they_are_free(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path / "home", port=0)
    first = with_free_ports(settings)
    broker.configure(first)
    again = with_free_ports(settings)
    assert [getattr(again, name) for name in PORTS] == [getattr(first, name) for name in PORTS]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first.mqtt_port))
        taken.listen()
        other = with_free_ports(settings)
    assert other.mqtt_port not in (0, first.mqtt_port)
    assert (other.nats_port, other.monitor_port) == (first.nats_port, first.monitor_port)


PORTS = ("mqtt_port", "nats_port", "monitor_port")
