"""Puts the site together: entrances, API, apps' pages, errors, limits. One factory, nothing at import time."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from hucheng.portals import audit, desk, errors, family, help, measures, public, resident, signin
from hucheng.portals.api import door as api
from hucheng.portals.armour import Armour
from hucheng.portals.services import AppLike, Services
from hucheng.portals.session import derive
from hucheng.portals.shell import DIST, Shell
from hucheng.settings import Settings


def build(services: Services, settings: Settings, apps: Sequence[AppLike] = ()) -> FastAPI:
    """The site of one node.

    Raises NotFound where the bundle of scripts and styles is missing, SettingsError where a production start has no
    OpenID Connect issuer.
    """
    shell = Shell(services, settings, apps)
    site = FastAPI(title="Hucheng", docs_url=None, redoc_url=None, openapi_url=None)
    site.state.shell = shell
    for entrance in (public, signin, resident, family, desk, audit, help):
        site.router.routes.extend(entrance.entrance(shell).routes)
    for app in apps:
        if app.pages is not None:
            site.router.routes.extend(app.pages(shell).routes)
    api.install(site, shell)
    measured = measures.install(site, shell)
    errors.install(site, shell)

    @site.get("/help-worker.js", include_in_schema=False)
    async def worker() -> Response:
        return FileResponse(
            DIST / "help-worker.js",
            media_type="text/javascript",
            headers={"Service-Worker-Allowed": "/help/", "Cache-Control": "no-cache"},
        )

    site.mount("/static", StaticFiles(directory=DIST.parent, check_dir=False), name="static")
    if not settings.demo:  # what the sign-in service must find again when it sends the browser back
        site.add_middleware(
            SessionMiddleware,
            secret_key=derive(services.secret, "oidc").hex(),
            session_cookie="hucheng_oidc",
            path="/sign-in",
            max_age=600,
            https_only=settings.site.startswith("https"),
        )
    site.add_middleware(
        Armour,
        max_body=int(settings.max_body_mb * 1024 * 1024),
        measured=measured,
        too_large=lambda: services.turned_away("size", None, None),
    )
    return site
