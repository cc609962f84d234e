"""The web process: the site. What it shows it asks of the steward, what it takes it gives to the broker."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import uvicorn
from nats.aio.client import Client as Nats

from hucheng.apps import load_apps
from hucheng.base.broker import folder
from hucheng.base.passes import Passes
from hucheng.base.rpcclient import Client, proxy
from hucheng.base.stream import connect, publish_reading
from hucheng.errors import StreamError, Unavailable
from hucheng.node.doors import WebDoor
from hucheng.node.home.rooms import catalogue_of, now_utc
from hucheng.node.home.secret import site_secret
from hucheng.node.running.health import Health
from hucheng.node.steward.process import SERVED
from hucheng.portals.services import Services
from hucheng.portals.site import build
from hucheng.settings import Settings


class Push:
    """Readings that came over HTTP, into the stream; the connection is opened with the first."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Nats | None = None
        self._lock = asyncio.Lock()

    async def connected(self) -> Nats:
        """The one connection to the broker."""
        async with self._lock:
            if self._client is None:
                self._client = await connect(self._settings, name="web")
            return self._client

    async def __call__(self, gateway: str, payload: bytes) -> int:
        """Publish one batch of a gateway; gives the broker's sequence once it has stored it. Raises Unavailable."""
        try:
            async with asyncio.timeout(10):
                return await publish_reading(await self.connected(), self._settings, gateway, "batch", payload)
        except (StreamError, TimeoutError, OSError) as error:
            raise Unavailable("not stored: the broker does not answer", mend="send it again") from error


def run(settings: Settings) -> None:
    """Serve the site until told to stop."""
    client = Client(settings.socket)
    rooms: dict[str, Any] = {name: proxy(kind, client, name) for name, kind in SERVED.items()}
    apps = load_apps()
    push = Push(settings)
    services = Services(
        desk=rooms["desk"],
        decisions=rooms["decisions"],
        gate=rooms["gate"],
        journal=rooms["journal"],
        people=rooms["people"],
        entering=rooms["entering"],
        status=cast(Any, Health(settings.home, rooms["status"])),
        push=push,
        catalogue=cast(Any, catalogue_of(apps)),
        secret=site_secret(settings.home),
        pass_live=Passes(folder(settings)).live,
        turned_away=WebDoor(push.connected, now_utc).heard,
    )
    site = build(services, settings, apps)
    config = uvicorn.Config(
        site,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=20,
        server_header=False,
    )
    uvicorn.Server(config).run()
