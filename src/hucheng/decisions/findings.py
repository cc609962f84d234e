"""A finding: what detection hands over when a pack's outcome is true, as JSON on the stream FINDINGS."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec


class FactUsed(msgspec.Struct, frozen=True):
    """One input of a decision, with the instant it was true at and where it came from."""

    name: str
    value: Any
    unit: str | None = None
    observed_at: datetime | None = None
    source: str | None = None


class Reason(msgspec.Struct, frozen=True):
    """One fact the outcome rests on."""

    fact: str
    value: Any


class Finding(msgspec.Struct, frozen=True):
    """What was noticed about one resident: the pack's outcome, its facts and reasons.

    ``id`` is deterministic (`finding_id`), so the same reading gives the same finding however often it is read.
    ``version`` is the pack's date in force and the first eight digits of its hash. ``basis`` names the law or
    protocol. All times are aware UTC.
    """

    id: str
    kind: str
    rule: str
    pack: str
    version: str
    resident_id: str
    device_id: str | None
    dataset: str
    outcome: dict[str, Any]
    facts: list[FactUsed]
    reasons: list[Reason]
    text: dict[str, str]
    basis: str
    observed_at: datetime
    detected_at: datetime
    simulated: bool = False
    urgent: bool = True
    expires_at: datetime | None = None


def finding_id(rule: str, device_id: str | None, observed_at: datetime) -> str:
    """The name of the finding that this rule makes of this device's reading at this instant.

    >>> from datetime import datetime, timezone
    >>> finding_id("bp_crisis", "bp-1", datetime(2026, 3, 1, 4, tzinfo=timezone.utc))
    'f-e97bda1f93c549dcffbb'
    """
    at = observed_at.astimezone(UTC).isoformat(timespec="microseconds")
    return "f-" + hashlib.sha256(f"{rule}\0{device_id or ''}\0{at}".encode()).hexdigest()[:20]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Finding)


def encode(finding: Finding) -> bytes:
    """The finding as it travels on the stream."""
    return _encoder.encode(finding)


def decode(body: bytes) -> Finding:
    """The finding from the stream; raises msgspec.ValidationError or DecodeError for what is none."""
    return _decoder.decode(body)
