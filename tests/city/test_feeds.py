"""The feed is a process of its own that speaks to a real broker with its gateways' credentials, and goes when told."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import nats
import pytest

from hucheng.base import broker
from hucheng.base.credentials import INTERNAL, Credentials
from hucheng.city.create import create
from hucheng.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """A home with a small city and its broker running."""
    settings = Settings.load(tmp_path / "home", residents=400, stream_max_gb=0.05)
    create(settings, datetime.now(UTC))
    server = broker.Broker(settings)
    server.start()
    settings.write_running()
    yield settings
    server.stop()


async def taken(settings: Settings, wanted: set[str]) -> list[dict[str, object]]:
    """The messages of the broker's own MQTT stream until every dataset wanted is among them."""
    where = broker.ports(settings)
    credential = Credentials(broker.folder(settings)).get(INTERNAL)
    client = await nats.connect(where.url, user=credential.user, password=credential.token)
    try:
        stream = client.jetstream()
        found: list[dict[str, object]] = []
        subscription = await stream.subscribe("$MQTT.msgs.readings.>", ordered_consumer=True)
        while not wanted <= {message["dataset"] for message in found}:
            message = await subscription.next_msg(timeout=30)
            found.append({"subject": message.subject, **json.loads(message.data)})
        return found
    finally:
        await client.close()


def test_at_the_start_every_device_says_that_it_lives_and_cuffs_what_they_remember(settings: Settings) -> None:
    home = str(settings.home)
    feed = subprocess.Popen([sys.executable, "-m", "hucheng.city.feeds", "--home", home, "--stories", "help"])
    try:
        messages = asyncio.run(taken(settings, {"home.bed", "home.motion", "home.help", "home.blood_pressure"}))
    finally:
        feed.send_signal(signal.SIGTERM)
        assert feed.wait(20) == 0
    assert (settings.home / "feeds.last").exists()
    assert all("c0001-gw" in str(message["subject"]).split(".") for message in messages)


def test_an_unknown_story_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hucheng.city.feeds", "--home", str(tmp_path), "--stories", "flood"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no such story: flood; there are help" in done.stderr
