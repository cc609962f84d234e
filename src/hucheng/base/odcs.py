"""What stands in an ODCS file, taken apart: our own additions, spans of time, the key. Nothing is read over."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from open_data_contract_standard.model import SchemaProperty

from hucheng.errors import ContractError

SPANS = ("retention", "freshness")
DAYS = {"y": 365.0, "mo": 30.0, "d": 1.0, "h": 1 / 24, "min": 1 / 1440, "s": 1 / 86400}


def key(properties: Sequence[SchemaProperty], where: str) -> tuple[str, ...]:
    """The key in its order."""
    keyed = [p for p in properties if p.primaryKey]
    if not keyed:
        raise ContractError("no key", where=where, mend="mark at least one property with primaryKey: true")
    stray = next((p.name for p in properties if p.primaryKeyPosition is not None and not p.primaryKey), None)
    if stray is not None:
        raise ContractError(f"{stray!r} has a place in the key and is not in it", where=where, mend="primaryKey: true")
    places = [p.primaryKeyPosition for p in keyed]
    if places != [None] and sorted(place or 0 for place in places) != list(range(1, len(keyed) + 1)):
        raise ContractError("the key has no order", where=where, mend="primaryKeyPosition: 1, 2, … each once")
    return tuple(str(p.name) for p in sorted(keyed, key=lambda p: p.primaryKeyPosition or 0))


def spans(properties: Any, where: str) -> dict[str, timedelta]:
    """Retention and freshness; a name that means nothing here must not pass for a promise."""
    found: dict[str, timedelta] = {}
    for item in properties or []:
        name = item.property
        if name not in SPANS:
            raise ContractError(f"unknown slaProperties {name!r}", where=where, mend=" | ".join(SPANS))
        if name in found:
            raise ContractError(f"{name} stands twice", where=where, mend="keep one")
        found[name] = duration({"value": item.value, "unit": item.unit}, f"{where} {name}")
    if "retention" not in found:
        raise ContractError("no retention", where=where, mend="add {property: retention, value: …, unit: d}")
    return found


def mapping(body: Any, where: str) -> dict[Any, Any]:
    """The body, if it is a mapping."""
    if not isinstance(body, dict):
        raise ContractError(f"{type(body).__name__} instead of a mapping", where=where, mend="name: {…}")
    return body


def title(found: dict[str, Any], where: str) -> dict[str, Any]:
    """The title, which everything shown must have."""
    if "title" not in found:
        raise ContractError("no hucheng.title", where=where, mend="add {zh: …, en: …}")
    return mapping(found["title"], f"{where} hucheng.title")


def ours(properties: Any, known: Collection[str], where: str) -> dict[str, Any]:
    """Our own additions without their prefix; nobody else's are read, so nobody else's may stand there."""
    found: dict[str, Any] = {}
    for item in properties or []:
        name = str(item.property).removeprefix("hucheng.")
        if not str(item.property).startswith("hucheng.") or name not in known:
            listed = ", ".join(f"hucheng.{one}" for one in known) or "none stand here"
            raise ContractError(f"unknown {item.property}", where=where, mend=f"known: {listed}")
        if name in found:
            raise ContractError(f"hucheng.{name} stands twice", where=where, mend="keep one")
        if item.value is None:
            raise ContractError(f"hucheng.{name} says nothing", where=where, mend="give it a value, or leave it out")
        found[name] = item.value
    return found


def duration(body: Any, where: str) -> timedelta:
    """{value, unit} as a time span above nothing; a year is 365 days, a month (mo) 30."""
    try:
        value, unit = (body[name] for name in ("value", "unit"))
        if isinstance(value, bool) or not isinstance(value, (int, float)) or set(body) != {"value", "unit"}:
            raise TypeError(value)
        found = timedelta(days=value * DAYS[unit])
        if found <= timedelta(0):
            raise ValueError(value)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        mend = "{value: 30, unit: " + " | ".join(DAYS) + "}, above 0"
        raise ContractError(f"{body!r} is no time span", where=where, mend=mend) from error
    return found


def refuse_unknown_keys(raw: Any, known: Any, where: str, spot: str) -> None:
    """A misspelt key must not be ignored: a promise that is not read is not kept."""
    if isinstance(raw, dict) and isinstance(known, dict):
        for key, value in raw.items():
            if key not in known:
                raise ContractError(f"unknown key {spot}{key}", where=where, mend="see the ODCS 3.1 schema")
            refuse_unknown_keys(value, known[key], where, f"{spot}{key}.")
    elif isinstance(raw, list) and isinstance(known, list):
        for number, (one, other) in enumerate(zip(raw, known, strict=False)):
            refuse_unknown_keys(one, other, where, f"{spot}{number}.")
