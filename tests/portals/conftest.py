"""A site on a free port over the small city, and a real Chromium to look at it."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient

from hucheng.gate import Principal
from hucheng.portals.session import NAME, VISIT, Session
from hucheng.portals.shell import Shell
from hucheng.portals.site import build
from hucheng.settings import Settings

from .fake import FakeCity

AXE = Path(__file__).resolve().parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Site:
    """A site that is being served."""

    app: FastAPI
    city: FakeCity
    address: str

    @property
    def shell(self) -> Shell:
        return self.app.state.shell  # type: ignore[no-any-return]

    def cookies(self, principal: Principal | None, *, demo: bool = True) -> dict[str, str]:
        """The cookies of somebody who has signed in."""
        kept = {VISIT: "visit-word"}
        if principal is not None:
            session = msgspec.to_builtins(Session(principal, demo))
            kept[NAME] = str(self.shell.sessions._signer.dumps(session))
        return kept

    def form_word(self) -> str:
        """What a form of this browser carries."""
        return self.shell.sessions.form_word("visit-word")

    @property
    def help_link(self) -> str:
        return self.shell.tokens.help_link("r-1001", "d-help-1", "g-east-1")

    def client(self, principal: Principal | None = None, *, demo: bool = True, **more: Any) -> TestClient:
        """Somebody without a browser."""
        return TestClient(
            self.app,
            cookies=self.cookies(principal, demo=demo),
            follow_redirects=False,
            raise_server_exceptions=False,
            **more,
        )


def made(city: FakeCity | None = None, **settings: Any) -> Site:
    """A site that is not served."""
    city = city or FakeCity()
    return Site(build(city.services(), Settings(**settings), city.apps), city, "http://testserver")


@pytest.fixture
def site() -> Site:
    """A fresh city's site."""
    return made()


@contextmanager
def serving(city: FakeCity | None = None, **settings: Any) -> Iterator[Site]:
    """A site on a free port of this machine."""
    site = made(city, **settings)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        site.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(site.app, log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 30
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the site did not start")
            threading.Event().wait(0.02)
        yield site
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def served() -> Iterator[Site]:
    """A fresh city's site, served."""
    with serving() as site:
        yield site


@asynccontextmanager
async def chromium() -> AsyncIterator[Any]:
    """A real Chromium with a fresh profile."""
    from playwright.async_api import async_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    if not Path(path).exists():
        pytest.skip("no Chromium: set CHROMIUM to its path")
    with tempfile.TemporaryDirectory() as home:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=path, args=FLAGS, env={**os.environ, "HOME": home}
            )
            try:
                yield browser
            finally:
                await browser.close()


@asynccontextmanager
async def opened(browser: Any, site: Site, principal: Principal | None, **more: Any) -> AsyncIterator[Any]:
    """A browser context of somebody who has signed in."""
    context = await browser.new_context(base_url=site.address, **{"locale": "en-GB", **more})
    kept = site.cookies(principal)
    await context.add_cookies([{"name": name, "value": value, "url": site.address} for name, value in kept.items()])
    try:
        yield context
    finally:
        await context.close()


async def until(page: Any, script: str, argument: Any = None) -> None:
    """Wait until the page says so. (Playwright's own waiting evaluates text in the page, which our policy stops.)"""
    async with asyncio.timeout(30):
        while not await page.evaluate(script, argument):
            await asyncio.sleep(0.05)


@pytest.fixture
def drive() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a browser's walk to its end."""
    return asyncio.run
