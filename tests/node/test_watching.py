"""A purpose that ended watches nobody: the intake notices, closes its views, and starts without them."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec import structs

from hucheng.apps import load_apps
from hucheng.errors import LedgerError
from hucheng.gate import Entry, StandingView
from hucheng.node.home.rooms import open_rooms
from hucheng.node.intake.watching import Watching, standing_gate

from .stewarding import make_home

PURPOSE = "care.detect"


def test_a_standing_view_ends_with_its_purpose_and_the_journal_says_so(tmp_path: Path) -> None:
    settings = make_home(tmp_path / "home", residents=60)
    now = [datetime.now(UTC)]
    [care] = [app for app in load_apps() if app.name == "care"]
    ends = now[0].date() + timedelta(days=1)
    purposes = tuple(structs.replace(one, ends=ends) if one.id == PURPOSE else one for one in care.purposes)
    rooms = open_rooms(settings, apps=[dataclasses.replace(care, purposes=purposes)], clock=lambda: now[0])
    rooms.purposes.enrol()
    rooms.purposes.accept("purpose", PURPOSE, by="bureau", assessment="For a day only, for a test of its end.")
    noted: list[Entry] = []
    gate = standing_gate(rooms, noted.append, lambda: now[0])
    watching = Watching(rooms, gate)
    assert watching.watches and watching.refresh()
    now[0] += timedelta(days=2)
    assert not watching.refresh()
    before = len(noted)
    for view in watching.views.values():
        view.close()
    assert len(noted) == before + len(watching.views)
    again = Watching(rooms, gate)
    assert again.watches == [] and all("ended" in why for why in again.blind().values()) and again.refresh()
    rooms.close()


def test_what_the_bureau_refused_is_said_and_accepting_it_again_takes_effect(tmp_path: Path) -> None:
    settings = make_home(tmp_path / "home", residents=60)
    rooms = open_rooms(settings)
    gate = standing_gate(rooms, lambda entry: None)
    care = next(app for app in rooms.apps if app.name == "care")
    before = Watching(rooms, gate)
    assert before.blind() == {} and rooms.purposes.waiting() == []
    rooms.purposes.refuse("purpose", PURPOSE, by="bureau", reason="To see what is said of it.")
    assert not before.refresh()
    refused = Watching(rooms, gate)
    assert refused.blind().keys() == {detector.name for detector in care.detectors} == refused.settled()
    assert all("was refused" in why for why in refused.blind().values())
    assert [(one.kind, one.id, one.state) for one in rooms.purposes.waiting()] == [("purpose", PURPOSE, "refused")]
    assert refused.refresh()
    rooms.purposes.accept("purpose", PURPOSE, by="bureau", assessment="Somebody must notice that help is needed.")
    assert not refused.refresh()
    assert Watching(rooms, gate).watches and Watching(rooms, gate).blind() == {}
    rooms.close()


def test_a_register_that_cannot_be_read_blinds_only_those_that_need_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_home(tmp_path / "home", residents=60)
    rooms = open_rooms(settings)
    read = StandingView.register

    def register(view: StandingView, dataset: str) -> object:
        if dataset == "city.devices":
            raise LedgerError("the ledger cannot give a row")
        return read(view, dataset)

    gate = standing_gate(rooms, lambda entry: None)
    with monkeypatch.context() as broken:
        broken.setattr(StandingView, "register", register)
        watching = Watching(rooms, gate)
    needing = {w.detector.name for w in watching.watches if "city.devices" in w.detector.registers}
    assert watching.blind().keys() == needing and "help_request" not in needing
    assert not watching.settled()  # a fault of the node, not an answer of the bureau
    assert watching.refresh() and watching.blind() == {}
    rooms.close()
