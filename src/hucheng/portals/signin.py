"""Signing in and out: demo identities in a demo city, OpenID Connect in a real one; preferences for everybody."""

from __future__ import annotations

from typing import Any

from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.starlette_client import OAuth
from authlib.integrations.starlette_client.apps import StarletteOAuth2App
from httpx import HTTPError
from joserfc.errors import JoseError
from starlette.responses import Response

from hucheng.errors import BadRequest, NotFound, Outside, Refused, SettingsError
from hucheng.portals.session import Session, safe_back
from hucheng.portals.shell import HOMES, Entrance, Shell, Visit


def entrance(shell: Shell) -> Entrance:
    """The doors themselves. Raises SettingsError where a production start lacks its issuer."""
    door = Entrance(shell)
    provider = None if shell.settings.demo else _provider(shell)

    @door.page("/sign-in")
    async def sign_in(visit: Visit) -> Response:
        back = safe_back(visit.request.query_params.get("back"), "")
        personas = await visit.services.people.personas() if shell.settings.demo else []
        wanted = visit.request.query_params.get("as")
        personas = sorted(personas, key=lambda persona: persona.principal.id != wanted)
        return visit.page("public/sign_in.html", back=back, personas=personas, wanted=wanted)

    @door.deed("/sign-in/demo")
    async def demo(visit: Visit) -> Response:
        if not shell.settings.demo:
            visit.turned_away("sign-in", "a demo identity")
            raise Refused("demo identities are not known here", policy="sign-in", needed="an OpenID Connect sign-in")
        wanted = str(visit.form.get("persona", ""))
        for persona in await visit.services.people.personas():
            if persona.principal.id == wanted:
                return _enter(visit, Session(persona.principal, demo=True), visit.form.get("back"))
        raise BadRequest("choose one of the demo identities", where="persona")

    @door.deed("/sign-in/go")
    async def go(visit: Visit) -> Response:
        if provider is None:
            raise NotFound("this demo city has no OpenID Connect provider")
        visit.request.session["back"] = safe_back(str(visit.form.get("back", "")), "")
        try:
            response: Response = await provider.authorize_redirect(visit.request, f"{shell.settings.site}/sign-in/back")
        except (HTTPError, OAuthError) as error:
            raise Outside("the city's sign-in service does not answer", mend="try again in a moment") from error
        visit.keep(response)
        return response

    @door.page("/sign-in/back", fragment=True)
    async def come_back(visit: Visit) -> Response:
        if provider is None:
            raise NotFound("this demo city has no OpenID Connect provider")
        back = visit.request.session.pop("back", None)
        try:
            token = await provider.authorize_access_token(visit.request)
        except HTTPError as error:
            raise Outside("the city's sign-in service does not answer", mend="try again in a moment") from error
        except (OAuthError, JoseError, ValueError, KeyError) as error:
            visit.turned_away("sign-in", "the sign-in was not accepted")
            raise Refused("the sign-in was not accepted", policy="sign-in", needed="sign in again") from error
        try:
            principal = await visit.services.people.of_claims(dict(token["userinfo"]))
        except Refused as error:
            visit.turned_away("sign-in", error.what)
            raise
        return _enter(visit, Session(principal, demo=False), back)

    @door.deed("/sign-out")
    async def sign_out(visit: Visit) -> Response:
        response = visit.go("/")
        shell.sessions.clear(response)
        return response

    return door


def _enter(visit: Visit, session: Session, back: Any) -> Response:
    target = safe_back(str(back or ""), HOMES.get(session.principal.kind, "/"))
    response = visit.go(target)
    visit.shell.sessions.write(visit.request, response, session)
    return response


def _provider(shell: Shell) -> StarletteOAuth2App:
    settings = shell.settings
    if not settings.oidc_issuer or not settings.oidc_client_id:
        raise SettingsError(
            "a production start takes identities from OpenID Connect only",
            where="oidc_issuer, oidc_client_id",
            mend="set both (and oidc_client_secret, better in the environment), or start a demo city",
        )
    oauth = OAuth()
    oauth.register(
        "city",
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret or None,
        server_metadata_url=settings.oidc_issuer.rstrip("/") + "/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile", "code_challenge_method": "S256"},
    )
    return oauth.create_client("city")
