"""``python -m hucheng.city.feeds --home DIR``: the city's simulated devices, sent over MQTT by community gateways.

Each gateway connects with its own credential, as a real one would. What `hucheng.city.signals` says of a second is sent
in that second, batched by dataset; urgent readings go alone and at once. Every device is registered as simulated.
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from hucheng.base import broker
from hucheng.base.credentials import Credential, Credentials
from hucheng.base.tether import die_with_parent
from hucheng.city.signals import STORIES, UNITS, WANTS, Device, Said, Signals
from hucheng.node.running import logs
from hucheng.settings import Settings

log = logging.getLogger(__name__)
FILE, LAST = "feeds.json", "feeds.last"
HISTORY_S = 7 * 86_400
"""How far back cuffs and vital-sign sets give what they measured while nobody listened."""
LONGEST_GAP_S = 60
"""After a pause longer than this (a suspended machine) what was not said stays unsaid."""
BATCH = 500

Publish = Callable[[str, str, bytes], None]
"""``publish(gateway, topic, payload)``"""


def write_devices(home: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Note for later starts which devices of the register are simulated here."""
    devices = [Device(row["device_id"], row["dataset"], row["gateway_id"], row["home_id"]) for row in rows]
    (home / FILE).write_bytes(msgspec.json.encode(devices))


def read_devices(home: Path) -> list[Device]:
    """The devices simulated here; none where no city was made."""
    path = home / FILE
    return msgspec.json.decode(path.read_bytes(), type=list[Device]) if path.exists() else []


def send(said: Iterable[Said], publish: Publish) -> int:
    """Publish what was said: urgent readings alone, the others by gateway and dataset; returns how many readings."""
    batches: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    count = 0
    for one in said:
        count += 1
        reading = {
            "device_id": one.device.device_id,
            "metric": one.metric,
            "observed_at": datetime.fromtimestamp(one.second, UTC).isoformat(),
            "value": one.value,
            "unit": UNITS[one.metric],
        }
        gateway, dataset = one.device.gateway, one.device.dataset
        if one.urgent:
            topic = f"readings/{gateway}/{one.device.device_id}"
            publish(gateway, topic, json.dumps({"dataset": dataset, **reading}).encode())
        else:
            batches[gateway, dataset].append(reading)
    for (gateway, dataset), readings in batches.items():
        for start in range(0, len(readings), BATCH):
            body = {"dataset": dataset, "readings": readings[start : start + BATCH]}
            publish(gateway, f"readings/{gateway}/batch", json.dumps(body).encode())
    return count


class Gateways:
    """One MQTT connection a gateway; what the broker has not acknowledged is sent again when it is back."""

    def __init__(self, host: str, port: int, credentials: Iterable[Credential]) -> None:
        self._clients: dict[str, mqtt.Client] = {}
        for credential in credentials:
            client = mqtt.Client(
                CallbackAPIVersion.VERSION2, client_id=f"sim-{credential.gateway}", clean_session=False
            )
            client.username_pw_set(credential.user, credential.token)
            client.reconnect_delay_set(1, 30)
            client.max_queued_messages_set(1_000)
            client.connect_async(host, port, keepalive=30)
            client.loop_start()
            self._clients[str(credential.gateway)] = client

    def publish(self, gateway: str, topic: str, payload: bytes) -> None:
        """Hand one message over, at least once."""
        self._clients[gateway].publish(topic, payload, qos=1)

    def connected(self) -> bool:
        """Whether every gateway has the broker's ear."""
        return all(client.is_connected() for client in self._clients.values())

    def close(self) -> None:
        """Disconnect all."""
        for client in self._clients.values():
            client.disconnect()
            client.loop_stop()


def run(
    signals: Signals,
    publish: Publish,
    stop: threading.Event,
    clock: Callable[[], float],
    mark: Path,
    every_s: float = 1.0,
) -> None:
    """Say each second what it has to say until told to stop. ``clock`` gives seconds since 1970.

    ``mark`` keeps up to when was said what cuffs measured: they have a memory and make up for it at the next start.
    """
    last = int(clock())
    heard = int(mark.read_text()) if mark.exists() else 0
    send(signals.measured(max(heard, last - HISTORY_S), last), publish)
    send(signals.announced(last), publish)
    mark.write_text(str(last))
    while not stop.wait(every_s):
        now = int(clock())
        if now > last:
            send(signals.said(max(last, now - LONGEST_GAP_S), now), publish)
            if now // 60 > last // 60:
                mark.write_text(str(now))
        last = now


def main(argv: Sequence[str] | None = None) -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(prog="hucheng.city.feeds", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", required=True, type=Path)
    parser.add_argument("--story-every", type=int, default=180, help="seconds between two stories; 0 for none")
    parser.add_argument("--stories", default=",".join(STORIES), help="of " + ", ".join(WANTS))
    given = parser.parse_args(argv)
    kinds = [kind for kind in given.stories.split(",") if kind]
    if unknown := sorted(set(kinds) - set(WANTS)):
        parser.error(f"no such story: {', '.join(unknown)}; there are {', '.join(WANTS)}")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    die_with_parent()
    logs.configure("feed")
    settings = Settings.running(given.home)
    devices = read_devices(settings.home)
    credentials = Credentials(broker.folder(settings))
    gateways = Gateways(
        broker.HOST,
        broker.ports(settings).mqtt,
        [credentials.get(name) for name in sorted({device.gateway for device in devices})],
    )
    signals = Signals(
        devices, settings.seed, every_s=given.story_every, stories=kinds, zone=ZoneInfo(settings.timezone)
    )
    log.info("feeding", extra={"fields": {"devices": len(devices), "story_every_s": given.story_every}})
    try:
        while not gateways.connected() and not stop.wait(0.1):
            pass
        if not stop.is_set():
            run(signals, gateways.publish, stop, time.time, settings.home / LAST)
    finally:
        gateways.close()


if __name__ == "__main__":
    main()
