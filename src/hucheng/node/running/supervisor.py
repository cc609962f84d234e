"""Starts the parts of a node, starts each again when it dies, and stops them all in order.

The supervisor holds no data. A part that dies is started again after a pause that grows from 0.2 s to 10 s; the others
are left alone. One that cannot be started is failed and tried again in the same way, and what the supervisor itself
cannot write (a full disk) ends nobody. Ports of 0 are chosen once and kept for the life of the supervisor; the
broker's are those of the last start where they are still free.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import IO

from hucheng.base import broker
from hucheng.errors import HuchengError, SettingsError, Unavailable
from hucheng.node.running.parts import Part, PartSpec, write_parts
from hucheng.settings import Settings

log = logging.getLogger(__name__)
LOG_KEEP_BYTES = 50 * 1024 * 1024


class HomeLock:
    """Holds a home for one supervisor; the lock ends with the process, however it ends."""

    def __init__(self, home: Path) -> None:
        self._made: list[Path] = []
        self._path = home / "run" / "node.lock"
        try:
            for path in (*reversed(home.parents), home, home / "run"):
                if not path.exists():
                    path.mkdir(exist_ok=True)
                    self._made.append(path)
            self._file: IO[str] = self._path.open("w")
        except OSError as error:
            self._unmake()
            raise SettingsError(
                f"a home cannot be kept here: {error.strerror or error}",
                where=str(error.filename or home),
                mend="name a --home in a folder that this user may write to",
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise Unavailable(
                "a node already runs in this home", where=str(home), mend="stop it, or name another --home"
            ) from error

    def release(self) -> None:
        """Let the home go; where nothing came of it, the folders that were made for it go with it."""
        if self._made and not any(path != self._path for path in self._path.parent.iterdir()):
            self._path.unlink(missing_ok=True)
            self._unmake()
        self._file.close()

    def _unmake(self) -> None:
        with contextlib.suppress(OSError):  # the first that holds something stays, and all above it
            for path in reversed(self._made):
                path.rmdir()


def with_free_ports(settings: Settings) -> Settings:
    """Settings in which every port of 0 is a free one; a given port that is taken is refused now, not later.

    The broker keeps the ports it had at the last start where they are free: gateways know them.
    """
    chosen: dict[str, int] = {}
    last = _last_ports(settings)
    held: list[socket.socket] = []
    try:
        for name in ("port", "mqtt_port", "nats_port", "monitor_port"):
            wanted = getattr(settings, name)
            host = settings.host if name == "port" else "127.0.0.1"
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.append(sock)
            try:
                if wanted or not _bound(sock, host, last.get(name, 0)):
                    sock.bind((host, wanted))
            except OSError as error:
                raise SettingsError(
                    f"{name} {wanted} is taken", where=host, mend=f"choose another, e.g. --port {wanted + 10}"
                ) from error
            chosen[name] = sock.getsockname()[1]
    finally:
        for sock in held:
            sock.close()
    return replace(settings, **chosen)  # type: ignore[arg-type]


def _last_ports(settings: Settings) -> dict[str, int]:
    """Where this home's broker listened last."""
    try:
        last = broker.ports(settings)
    except HuchengError:
        return {}
    return {"mqtt_port": last.mqtt, "nats_port": last.nats, "monitor_port": last.monitor}


def _bound(sock: socket.socket, host: str, port: int) -> bool:
    """Whether the socket is now bound to this port."""
    try:
        sock.bind((host, port))
    except (OSError, OverflowError):
        return False
    return True


class Supervisor:
    """Runs parts given in the order in which they start; they stop the other way round."""

    def __init__(self, home: Path, specs: Sequence[PartSpec]) -> None:
        self.home = home
        self.parts = [Part(spec) for spec in specs]
        self._stopping = False
        self._noted = True

    def run(self, on_ready: Callable[[], None], ready_within_s: float = 120.0) -> None:
        """Start everything, call ``on_ready`` once, watch until a signal asks to stop, then stop everything.

        Raises Unavailable when the needed parts are not ready in time.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._asked_to_stop)
        try:
            self._start_all(time.monotonic() + ready_within_s)
            if not self._stopping:
                with contextlib.suppress(OSError):  # a terminal that is gone
                    on_ready()
            while not self._stopping:
                self._watch()
                time.sleep(0.1)
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop every part, the last started first; one that does not go in its time is killed."""
        self._stopping = True
        for part in reversed(self.parts):
            process = part.process
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(part.spec.grace_s)
                except subprocess.TimeoutExpired:
                    log.warning("part killed after its grace", extra={"fields": {"stopped": part.spec.name}})
                    process.kill()
                    process.wait()
            if part.log is not None:
                part.log.close()
                part.log = None
            part.turn("stopped")
        self._note()

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _start_all(self, deadline: float) -> None:
        """Start what others cannot start without, one after the other, then all the rest together."""
        for part in self.parts:
            if not self._stopping:
                self._start(part)
                if part.spec.first:
                    self._await([part], deadline)
        self._await([part for part in self.parts if part.spec.needed], deadline)

    def _await(self, parts: Sequence[Part], deadline: float) -> None:
        while not self._stopping and (late := [part for part in parts if part.state != "ready"]):
            self._watch()
            if time.monotonic() > deadline:
                name, why = late[0].spec.name, late[0].why
                raise Unavailable(
                    f"{name} is not ready in time" + (f": {why}" if why else ""),
                    where=str(self.home / "logs" / f"{name}.jsonl"),
                    mend="read the end of that log",
                )
            time.sleep(0.02)

    def _watch(self) -> None:
        """Look once at every part: restart the dead, greet the ready."""
        changed = False
        for part in self.parts:
            process = part.process
            if process is None:
                if part.state == "failed" and time.monotonic() >= part.retry_at:
                    self._start(part)
                    changed = True
            elif process.poll() is not None:
                changed |= self._died(part, process.returncode)
            elif part.state == "starting":
                changed |= self._greet(part)
        if changed or not self._noted:
            self._note()

    def _greet(self, part: Part) -> bool:
        try:
            if not part.spec.ready():
                return False
            if part.spec.after is not None:
                part.spec.after()
        except Exception as error:  # whatever a part's own look raises, the others are looked after
            part.why = f"{type(error).__name__}: {error}"
            log.warning("part not ready yet", extra={"fields": {"waiting": part.spec.name, "why": part.why}})
            return False
        part.why = ""
        return part.turn("ready")

    def _died(self, part: Part, code: int) -> bool:
        log.warning("part died", extra={"fields": {"died": part.spec.name, "exit": code}})
        part.process = None
        self._later(part, quick=(time.time() - part.since.timestamp()) < 30)
        return part.turn("failed") or True

    def _later(self, part: Part, quick: bool) -> None:
        """When the part is started again."""
        part.restarts += 1
        part.retry_at = time.monotonic() + (min(10.0, 0.2 * 2 ** min(part.restarts, 6)) if quick else 0.2)

    def _start(self, part: Part) -> None:
        try:
            self._launch(part)
        except Exception as error:  # a full disk, no memory, a configuration that cannot be written
            part.why = f"{type(error).__name__}: {error}"
            log.warning("part cannot start", extra={"fields": {"failed": part.spec.name, "why": part.why}})
            self._later(part, quick=True)
            part.turn("failed")
        else:
            part.turn("starting")
        self._note()

    def _launch(self, part: Part) -> None:
        if part.spec.before is not None:
            part.spec.before()
        if part.log is not None:
            part.log.close()
        part.log = _open_log(self.home / "logs" / f"{part.spec.name}.jsonl")
        part.process = subprocess.Popen(
            list(part.spec.command),
            stdin=subprocess.DEVNULL,
            stdout=part.log,
            stderr=part.log,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    def _note(self) -> None:
        """Write the parts' states; what cannot be written now is written at the next look that can."""
        try:
            write_parts(self.home, self.parts)
            self._noted = True
        except OSError as error:
            if self._noted:
                log.warning("the parts' states cannot be written", extra={"fields": {"why": str(error)}})
            self._noted = False


def _open_log(path: Path) -> IO[bytes]:
    """Open a log for adding; one that has grown large is put aside first (one older piece is kept)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_KEEP_BYTES:
        path.replace(path.with_suffix(".1.jsonl"))
    return path.open("ab")
