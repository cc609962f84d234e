"""A day in Linjiang, from the devices through the detectors and packs: every story is noticed, and nothing else is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from hucheng.apps.care.app import app
from hucheng.base.contracts import OBSERVATION_FIELDS
from hucheng.city.linjiang import City, linjiang
from hucheng.city.signals import UNITS, Device, Said, Signals
from hucheng.decisions.findings import Finding
from hucheng.node.intake.detection import Detection, Open, Watch
from hucheng.rules import load

NOON = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
STEP_S = 300
TIME = pa.timestamp("us", tz="UTC")
CITY = linjiang(2_500, 11, NOON - timedelta(hours=1))
DEVICES = [Device(d["device_id"], d["dataset"], d["gateway_id"], d["home_id"]) for d in CITY.care.devices]
WHOSE = {d["device_id"]: d["resident_id"] for d in CITY.care.devices}


def tables(said: list[Said]) -> dict[str, pa.Table]:
    """What was said as the intake would hand it over."""
    rows: dict[str, list[dict[str, object]]] = defaultdict(list)
    for one in said:
        at = datetime.fromtimestamp(one.second, UTC)
        rows[one.device.dataset].append(
            {
                "resident_id": WHOSE[one.device.device_id],
                "device_id": one.device.device_id,
                "metric": one.metric,
                "observed_at": at,
                "value": float(one.value),
                "unit": UNITS[one.metric],
                "received_at": at,
                "seq": one.second,
                "simulated": True,
            }
        )
    found = {}
    for dataset, listed in rows.items():
        table = pa.Table.from_pylist(listed).select(list(OBSERVATION_FIELDS))
        for name in ("observed_at", "received_at"):
            place = table.schema.get_field_index(name)
            table = table.set_column(place, name, table[name].cast(TIME))
        found[dataset] = table
    return found


def registers(city: City) -> dict[str, pa.Table]:
    """The registers as the detectors' purpose permits them."""
    residents = list(city.residents())
    devices = city.care.devices
    return {
        "city.residents": pa.table({name: [row[name] for row in residents] for name in ("resident_id", "born")}),
        "care.profiles": pa.table(
            {
                name: [row[name] for row in city.care.profiles]
                for name in ("resident_id", "hypercapnic", "pregnant", "usual_absence_min")
            }
        ),
        "city.devices": pa.table(
            {
                **{name: [d[name] for d in devices] for name in ("device_id", "resident_id", "dataset")},
                "commissioned_at": pa.array([d["commissioned_at"] for d in devices], TIME),
                "ended_at": pa.array([None] * len(devices), TIME),
            }
        ),
    }


def lived(signals: Signals, hours: int) -> Iterator[Finding]:
    """Findings of so many hours from noon on, looked at every five minutes."""
    known = registers(CITY)
    watches = [Watch(d, load(app.rules / f"{d.pack}.yaml"), Open()) for d in app.detectors]
    detection = Detection(watches, lambda _, names: {n: known[n] for n in names}, lambda device: True)
    begin = int(NOON.timestamp())
    yield from detection.look(tables(list(signals.announced(begin))), NOON)
    for after in range(begin, begin + hours * 3600, STEP_S):
        now = datetime.fromtimestamp(after + STEP_S, UTC)
        yield from detection.look(tables(list(signals.said(after, after + STEP_S))), now)
        yield from detection.due(now)


def test_a_quiet_day_is_quiet() -> None:
    assert list(lived(Signals(DEVICES, 11, every_s=0), 24)) == []


RULES = {
    "help": "help_request",
    "crisis": "bp_crisis",
    "vitals": "news2_urgent",
    "silence": "device_silence",
    "bed_exit": "bed_exit",
}


def test_every_story_is_noticed_and_nothing_else() -> None:
    signals = Signals(DEVICES, 11, every_s=3_600, stories=tuple(RULES))
    found = list(lived(signals, 24))
    begin = int(NOON.timestamp())

    def told(hours: int) -> set[tuple[str, str]]:
        stories = (signals.story(second) for second in range(begin + 1, begin + hours * 3600 + 1))
        return {(RULES[one.kind], one.device.device_id) for one in stories if one is not None}

    seen = {(finding.rule, finding.device_id) for finding in found}
    assert {rule for rule, _ in seen} == set(RULES.values())
    assert told(23) <= seen <= told(24)  # silence and absence take their time
    assert all(finding.simulated and finding.text["zh"] for finding in found)
