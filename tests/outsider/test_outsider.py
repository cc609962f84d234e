"""An app from outside, installed by pip, does what care does; and before the bureau accepts it, nothing opens."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from hucheng.apps import App, load_apps
from hucheng.base.contracts import OBSERVATION_FIELDS
from hucheng.city.create import create
from hucheng.city.linjiang import City
from hucheng.decisions.findings import encode
from hucheng.errors import Refused
from hucheng.gate import Gate, Principal, Read
from hucheng.node.home.rooms import Rooms, open_rooms
from hucheng.node.intake.detection import Detection, Watch
from hucheng.node.steward.process import Steward
from hucheng.rules import load
from hucheng.settings import Settings

HERE = Path(__file__).parent
NOW = datetime(2026, 1, 10, 4, 0, tzinfo=UTC)  # noon in Shanghai, in winter
ASSESSMENT = "Temperature of the room only, of people who agreed; read by the officer of the open case."


@dataclass
class Node:
    """The rooms of a node with the app installed, and its steward."""

    rooms: Rooms
    steward: Steward
    gate: Gate
    city: City
    warmth: App
    service: Principal

    def register(self, dataset: str) -> pa.Table:
        """What the detector's purpose permits of a register."""
        fields = self.rooms.catalogue.get(dataset).uses["warmth.detect"].fields
        rows = self.rooms.registers.all(dataset)
        return pa.table({name: [row[name] for row in rows] for name in fields})

    def detection(self) -> Detection:
        """The app's detectors at work, each through a standing view of the gate."""
        watches = [
            Watch(d, load(d.pack, [self.warmth.rules]), self.gate.stand(self.service, d.purpose, d.dataset))
            for d in self.warmth.detectors
        ]
        return Detection(watches, lambda _, names: {name: self.register(name) for name in names}, lambda device: True)


@pytest.fixture
def node(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """A demo city made while the app was installed already."""
    monkeypatch.syspath_prepend(str(installed))
    importlib.invalidate_caches()
    apps = load_apps()
    rooms = open_rooms(Settings.load(tmp_path / "home", residents=50), apps=apps, clock=lambda: NOW)
    city = create(rooms.settings, NOW - timedelta(days=1), rooms=rooms)
    service = Principal("service:test", "service", "intake", rooms.principals.path("linjiang"))
    rooms.principals.put([service])
    steward = Steward(rooms, clock=lambda: NOW)
    warmth = next(app for app in apps if app.name == "warmth")
    yield Node(rooms, steward, steward.gate, city, warmth, service)
    steward.close()
    for name in [name for name in sys.modules if name.startswith("hucheng_outsider")]:
        del sys.modules[name]


def readings(resident: str, *temperatures: float) -> pa.Table:
    """A batch of the stream: one room, a reading a minute."""
    rows = [
        {
            "resident_id": resident,
            "device_id": "thermo-1",
            "metric": "room_temperature",
            "observed_at": NOW + timedelta(minutes=minute),
            "value": value,
            "unit": "Cel",
            "received_at": NOW + timedelta(minutes=minute),
            "seq": minute,
            "simulated": True,
        }
        for minute, value in enumerate(temperatures)
    ]
    table = pa.Table.from_pylist(rows)
    return table.select(list(OBSERVATION_FIELDS)).set_column(
        3, "observed_at", table["observed_at"].cast(pa.timestamp("us", tz="UTC"))
    )


def accept(node: Node) -> None:
    """What the data bureau does, with an assessment."""
    bureau = node.rooms.principals.get("bureau")
    for kind, name in (("purpose", "warmth.detect"), ("purpose", "warmth.respond"), ("policies", "warmth")):
        node.gate.accept(bureau, kind, name, ASSESSMENT)


def test_it_uses_public_names_only() -> None:
    for path in (HERE / "src").rglob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith(("import hucheng", "from hucheng")):
                assert line.split()[1] in ("hucheng.apps", "hucheng.gate", "hucheng_outsider.cold"), line


def test_installed_it_is_a_request_and_nothing_opens(node: Node) -> None:
    asked = {(one.kind, one.id): one.state for one in node.rooms.purposes.requests() if one.app == "warmth"}
    assert asked == {
        ("purpose", "warmth.detect"): "requested",
        ("purpose", "warmth.respond"): "requested",
        ("policies", "warmth"): "requested",
        ("uses", "warmth"): "requested",
    }
    with pytest.raises(Refused, match="a request") as refusal:
        node.detection()
    assert "acceptance" in refusal.value.details["needed"]
    officer = node.rooms.principals.get("li-min")
    with pytest.raises(Refused):
        node.gate.look(officer, "warmth.respond", [Read("city.residents", "row", {"resident_id": "x"})])


def test_purposes_without_policies_open_nothing_either(node: Node) -> None:
    bureau = node.rooms.principals.get("bureau")
    node.gate.accept(bureau, "purpose", "warmth.detect", ASSESSMENT)
    with pytest.raises(Refused):
        node.detection()


def test_an_officer_cannot_accept_it(node: Node) -> None:
    with pytest.raises(Refused, match="bureau"):
        node.gate.accept(node.rooms.principals.get("li-min"), "purpose", "warmth.detect", ASSESSMENT)


def test_accepted_a_cold_room_reaches_the_officer_who_sees_where_to_go(node: Node) -> None:
    accept(node)
    chen = node.city.people.resident_id[0]
    detection = node.detection()
    assert detection.look({"home.climate": readings(chen, 21.0, 18.0)}, NOW) == []
    found = detection.look({"home.climate": readings(chen, 21.0, 18.0, 12.5)}, NOW)
    assert [(f.kind, f.rule, f.resident_id) for f in found] == [("warmth.alarm", "cold_home", chen)]
    assert "12.5" in found[0].text["en"]

    officer = node.rooms.principals.get("li-min")
    where = [Read("city.residents", "row", {"resident_id": chen})]
    with pytest.raises(Refused):
        node.gate.look(officer, "warmth.respond", where, person=chen)
    node.steward.duty.take([encode(found[0])])
    page = node.steward.desk.queue(officer)
    assert [(row.kind, row.rule, row.resident_id) for row in page.cases] == [("warmth.alarm", "cold_home", chen)]
    case = page.cases[0].id
    row = node.gate.look(officer, "warmth.respond", where, case=case, person=chen)[0][0]
    assert row["address"] == "柳荫街道幸福里社区1号楼1单元101室"
    assert "born" not in row
    with pytest.raises(Refused):
        node.gate.look(officer, "care.respond", [Read("care.profiles", "row", {"resident_id": chen})], case=case)
    detection.close()


def test_a_young_person_and_a_summer_day_are_no_alarm(node: Node) -> None:
    accept(node)
    daughter = node.city.people.resident_id[1]
    assert node.detection().look({"home.climate": readings(daughter, 12.5)}, NOW) == []
    chen = node.city.people.resident_id[0]
    summer = readings(chen, 12.5).set_column(
        3, "observed_at", pa.array([NOW + timedelta(days=180)], pa.timestamp("us", tz="UTC"))
    )
    assert node.detection().look({"home.climate": summer}, NOW) == []


def test_asking_for_one_field_more_closes_it_until_it_is_accepted_again(
    node: Node, installed: Path, tmp_path: Path
) -> None:
    accept(node)
    greedy = tmp_path / "greedy" / "hucheng_outsider"
    shutil.copytree(installed / "hucheng_outsider", greedy)
    uses = greedy / "contracts" / "city.residents.uses.yaml"
    uses.write_text(uses.read_text().replace("[resident_id, born]", "[resident_id, born, phone]"))
    apps = [replace(app, folder=greedy) if app.name == "warmth" else app for app in node.rooms.apps]
    again = open_rooms(node.rooms.settings, apps=apps, clock=lambda: NOW)
    try:
        with pytest.raises(Refused, match="changed since"):
            again.purposes.get("warmth.detect")
        again.purposes.get("care.detect")
    finally:
        again.close()
