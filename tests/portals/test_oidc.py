"""A production sign-in from end to end, with a small OpenID Connect provider that really signs and really checks."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from .conftest import Site, made


@dataclass
class Provider:
    """The city's own sign-in service; ``subject`` is who sits before the screen."""

    address: str = ""
    subject: str = "li"
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1", "use": "sig"}))
    stranger: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1", "use": "sig"}))
    forged: bool = False
    audience: str = "hucheng"
    asked: dict[str, dict[str, str]] = field(default_factory=dict)

    def app(self) -> Starlette:
        paths = {"/.well-known/openid-configuration": self.describe, "/authorize": self.authorize, "/jwks": self.jwks}
        routes = [Route(path, endpoint) for path, endpoint in paths.items()]
        return Starlette(routes=[*routes, Route("/token", self.token, methods=["POST"])])

    async def describe(self, request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.address,
                "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token",
                "jwks_uri": f"{self.address}/jwks",
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def authorize(self, request: Request) -> Response:
        query = dict(request.query_params)
        assert query["code_challenge_method"] == "S256" and query["client_id"] == "hucheng"
        self.asked["code-1"] = query
        return RedirectResponse(f"{query['redirect_uri']}?code=code-1&state={query['state']}")

    async def jwks(self, request: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def token(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        query = self.asked.pop(form["code"][0])
        digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == query["code_challenge"]
        now = int(time.time())
        claims = {"iss": self.address, "sub": self.subject, "aud": self.audience, "nonce": query["nonce"]}
        signing = self.stranger if self.forged else self.key
        signed = jwt.encode({"alg": "RS256", "kid": "1"}, {**claims, "iat": now, "exp": now + 60}, signing)
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": signed})


@pytest.fixture
def provider() -> Iterator[Provider]:
    found = Provider()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        found.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(found.app(), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            threading.Event().wait(0.02)
        yield found
        server.should_exit = True
        thread.join(10)


def signed_in(provider: Provider, back: str = "") -> tuple[Site, Any, Any]:
    """The site, the browser, and what it answered to the provider's redirect."""
    site = made(demo=False, oidc_issuer=provider.address, oidc_client_id="hucheng", public_url="http://testserver")
    client = site.client()
    sent = client.post("/sign-in/go", data={"form_word": site.form_word(), "back": back})
    assert sent.status_code in (302, 303) and sent.headers["location"].startswith(provider.address)
    returned = urlsplit(httpx.get(sent.headers["location"]).headers["location"])
    return site, client, client.get(f"{returned.path}?{returned.query}")


def test_an_officer_signs_in_with_the_citys_account(provider: Provider) -> None:
    _, client, answer = signed_in(provider, back="/desk/owed")
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/owed")
    assert client.get("/desk").status_code == 200
    assert "演示城市：人物" not in client.get("/desk").text


def test_somebody_the_city_does_not_know_stays_outside(provider: Provider) -> None:
    provider.subject = "stranger"
    _, client, answer = signed_in(provider)
    assert answer.status_code == 403 and client.get("/desk").status_code == 303


def test_a_token_signed_by_another_is_refused(provider: Provider) -> None:
    provider.forged = True
    _, client, answer = signed_in(provider)
    assert answer.status_code == 403 and client.get("/desk").status_code == 303


def test_a_token_for_another_client_is_refused(provider: Provider) -> None:
    provider.audience = "somebody-else"
    _, client, answer = signed_in(provider)
    assert answer.status_code == 403 and client.get("/desk").status_code == 303


def test_an_answer_nobody_asked_for_is_refused(provider: Provider) -> None:
    site = made(demo=False, oidc_issuer=provider.address, oidc_client_id="hucheng")
    assert site.client().get("/sign-in/back?code=code-1&state=guessed").status_code == 403
