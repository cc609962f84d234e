"""What the site asks for is what the node serves: every method of the protocols is there, with the same arguments."""

from __future__ import annotations

import inspect
from typing import Any, get_type_hints

import pytest

from hucheng.node.steward.process import SERVED
from hucheng.portals import services
from hucheng.portals.services import Services

from .fake import FakeCity

ROOMS = {
    "desk": services.Desk,
    "decisions": services.Decisions,
    "gate": services.Gate,
    "journal": services.Journal,
    "people": services.People,
    "entering": services.Entering,
}
CALLS = [(room, name) for room, kind in ROOMS.items() for name in vars(kind) if not name.startswith("_")]


def arguments(method: Any) -> dict[str, Any]:
    """Names and defaults of a method's arguments."""
    return {name: p.default for name, p in inspect.signature(method).parameters.items() if name != "self"}


@pytest.mark.parametrize(("room", "name"), CALLS)
def test_the_node_serves_what_the_site_asks(room: str, name: str) -> None:
    asked, served = arguments(getattr(ROOMS[room], name)), getattr(SERVED[room], name)
    assert getattr(served, "__exposed__", False), f"{room}.{name} is not served over the socket"
    offered = arguments(served)
    assert asked.keys() <= offered.keys()
    needed = {key for key, default in offered.items() if default is inspect.Parameter.empty}
    assert needed <= asked.keys()


@pytest.mark.parametrize(("room", "name"), CALLS)
def test_the_small_city_is_like_the_node(room: str, name: str) -> None:
    """Else the pages would be tested against something that does not exist."""
    fake = getattr(getattr(FakeCity().services(), room), name)
    assert arguments(getattr(ROOMS[room], name)).keys() <= arguments(fake).keys()


def test_every_room_is_named() -> None:
    assert set(ROOMS) <= set(get_type_hints(Services))
