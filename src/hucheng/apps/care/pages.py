"""What care shows: on the page of its alarm everything a responder needs, read for that case and journaled as such.

Each function asks the gate once, under ``care.respond`` and the case; what the gate does not give is not on the page.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hucheng.apps.care.app import PURPOSES
from hucheng.apps.care.scores import latest
from hucheng.gate import Read
from hucheng.portals.shell import Entrance
from hucheng.rules import Pack, load

if TYPE_CHECKING:
    from hucheng.cases.views import CaseView
    from hucheng.gate import Principal
    from hucheng.portals.services import Services
    from hucheng.portals.shell import Shell

PURPOSE = "care.respond"
VITALS = ("home.blood_pressure", "home.vitals", "home.bed", "home.motion")
"""What a responder looks at, most telling first, after what the alarm itself rests on."""
DECISIONS = 50
"""How many decisions of the case are looked at, the latest ones."""
BACK = timedelta(hours=24)
LINES = {"systolic_bp": "crisis_systolic", "diastolic_bp": "crisis_diastolic"}
"""Metric → the parameter of the pack ``blood-pressure`` that is drawn as a line beside its values."""


def pages(shell: Shell) -> Entrance:
    """Care has no pages of its own beside its panels: its alarms are cases, its readings are on the person's pages."""
    return Entrance(shell)


async def alarm(services: Services, principal: Principal, view: CaseView) -> dict[str, Any]:
    """What a responder must know: the person, the home, how to get in, conditions, readings, whom to call."""
    person, now = view.row.resident_id, services.clock()
    mine = {"resident_id": person}
    series = [name for name in VITALS if name in services.catalogue]
    made = Read("decisions.decisions", "rows", where={"id": view.decision_ids[-DECISIONS:], **mine})
    reads = [
        Read("city.residents", "row", where=mine),
        Read("care.homes", "row", where=mine),
        Read("care.profiles", "row", where=mine),
        Read("city.mandates", "rows", where=mine),
        Read("city.devices", "rows", where=mine),
        made,
        *(Read(name, "recent", where=mine, since=now - BACK, limit=600) for name in series),
    ]
    found = await services.gate.look(principal, PURPOSE, reads, case=view.row.id, person=person)
    residents, homes, profiles, mandates, devices, decisions = found[:6]
    resident = residents[0] if residents else {}
    own = {one["dataset"] for one in decisions}
    shown = [
        {"contract": services.catalogue.get(name), "rows": rows, "own": name in own}
        for name, rows in zip(series, found[6:], strict=True)
        if rows
    ]
    return {
        "resident": resident,
        "age": age(resident.get("born"), now),
        "home": homes[0] if homes else {},
        "profile": profiles[0] if profiles else {},
        "mandates": [one for one in mandates if in_force(one, now)],
        "devices": [one for one in devices if not one.get("ended_at")],
        "readings": sorted(shown, key=lambda one: not one["own"]),
        "score": latest(decisions, _pack("news2")),
        "purpose": titles()[PURPOSE],
        "limits": limits(now.date()),
        "hours": int(BACK.total_seconds() // 3600),
    }


async def device(services: Services, principal: Principal, view: CaseView) -> dict[str, Any]:
    """What somebody must know who looks after a device: where it is, whom to ring before going there."""
    mine = {"resident_id": view.row.resident_id}
    reads = [
        Read("city.residents", "row", where=mine),
        Read("care.homes", "row", where=mine),
        Read("city.devices", "rows", where=mine),
        Read("decisions.decisions", "rows", where={"id": view.decision_ids[-DECISIONS:], **mine}),
    ]
    found = await services.gate.look(principal, PURPOSE, reads, case=view.row.id, person=view.row.resident_id)
    silent = {one["device_id"] for one in found[3]}
    devices = [
        {**one, "of": kind(services, one), "silent": one["device_id"] in silent}
        for one in found[2]
        if not one.get("ended_at")
    ]
    return {
        "resident": found[0][0] if found[0] else {},
        "home": found[1][0] if found[1] else {},
        "devices": sorted(devices, key=lambda one: not one["silent"]),
    }


def kind(services: Services, device: dict[str, Any]) -> Any:
    """What a device is called: what its readings are called, its own word where nobody knows them."""
    name = device.get("dataset")
    return services.catalogue.get(name).title if name and name in services.catalogue else device.get("kind")


def limits(day: date) -> dict[str, tuple[float, dict[str, str]]]:
    """The lines beside the readings: the pack's own thresholds on that day, with their titles.

    >>> limits(date(2026, 3, 1))["systolic_bp"]
    (180.0, {'zh': '收缩压危急值 180', 'en': 'Critical systolic pressure 180'})
    """
    parameters = _pack("blood-pressure").version(day).parameters
    found: dict[str, tuple[float, dict[str, str]]] = {}
    for metric, name in LINES.items():
        one = parameters[name]
        value = float(one.value)  # type: ignore[arg-type]
        titles = {language: f"{title[:1].upper()}{title[1:]} {value:g}" for language, title in one.title.items()}
        found[metric] = value, titles
    return found


def titles() -> dict[str, Any]:
    """Titles of care's purposes."""
    return {one.id: one.title for one in PURPOSES}


@cache
def _pack(name: str) -> Pack:
    return load(name, [Path(__file__).parent / "rules"])


def age(born: Any, now: datetime) -> int | None:
    """Full years since birth.

    >>> from datetime import timezone
    >>> age("1944-05-12", datetime(2026, 3, 1, tzinfo=timezone.utc))
    81
    """
    if not born:
        return None
    day = born if isinstance(born, date) else date.fromisoformat(str(born)[:10])
    return now.year - day.year - ((now.month, now.day) < (day.month, day.day))


def in_force(mandate: dict[str, Any], now: datetime) -> bool:
    """Whether a mandate still holds."""
    end = mandate.get("valid_to")
    if isinstance(end, str):
        end = datetime.fromisoformat(end)
    return end is None or end > now
