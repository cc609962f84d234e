"""How the site and the node are, for machines: ``/health`` and ``/metrics``. No person appears in either."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.responses import Response

from hucheng.errors import HuchengError, Unavailable
from hucheng.portals.armour import Measured
from hucheng.portals.shell import Shell

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 10)
READINGS = ("received", "accepted", "duplicate", "quarantined", "lag_s")


def install(site: FastAPI, shell: Shell) -> Measured:
    """Add both addresses; gives the function that notes one request."""
    registry = CollectorRegistry()
    requests = Counter("hucheng_http_requests", "Requests answered", ["method", "route", "status"], registry=registry)
    seconds = Histogram(
        "hucheng_http_seconds", "Seconds until a request was answered", ["route"], buckets=BUCKETS, registry=registry
    )
    readings = Gauge("hucheng_readings", "Readings by what became of them", ["what"], registry=registry)
    cases = Gauge("hucheng_cases", "Cases by where they stand", ["state"], registry=registry)
    parts = Gauge("hucheng_part_up", "1 where a part of the node runs", ["part"], registry=registry)

    def measured(method: str, route: str, status: int, took: float) -> None:
        requests.labels(method, route, str(status)).inc()
        seconds.labels(route).observe(took)

    @site.get("/health", include_in_schema=False)
    async def health() -> Response:
        try:
            status = await shell.services.status.status()
        except Unavailable as error:
            status = {"status": "steward down", "detail": error.what}
        ready = status.get("status") == "ready"
        return Response(json.dumps(status, default=str), 200 if ready else 503, media_type="application/json")

    @site.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        try:
            status = await shell.services.status.status()
        except HuchengError:
            parts.labels("steward").set(0)
        else:
            _fill(status, readings, cases, parts)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return measured


def _fill(status: dict[str, Any], readings: Gauge, cases: Gauge, parts: Gauge) -> None:
    for what in READINGS:
        if isinstance(value := status.get("readings", {}).get(what), (int, float)):
            readings.labels(what).set(value)
    for state, value in status.get("cases", {}).items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            cases.labels(state).set(value)
    for part, said in status.get("parts", {}).items():
        up = said.get("state") in ("ready", "running", "up") if isinstance(said, dict) else bool(said)
        parts.labels(part).set(1 if up else 0)
