"""A purpose that ended watches nobody: the intake notices, closes its views, and starts without them."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import structs

from hucheng.apps import load_apps
from hucheng.gate import Entry, Gate
from hucheng.node.rooms import open_rooms
from hucheng.node.watching import Watching

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
    gate = Gate(
        catalogue=rooms.catalogue,
        registers=rooms.registers,
        keys=rooms.keys,
        principals=rooms.principals,
        purposes=rooms.purposes,
        sink=noted.append,
        clock=lambda: now[0],
    )
    watching = Watching(rooms, gate)
    assert watching.watches and watching.refresh()
    now[0] += timedelta(days=2)
    assert not watching.refresh()
    before = len(noted)
    for view in watching.views.values():
        view.close()
    assert len(noted) == before + len(watching.views)
    assert Watching(rooms, gate).watches == []
    rooms.close()
