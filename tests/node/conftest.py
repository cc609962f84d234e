"""A small city's home, made once, and a steward over a copy of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hucheng.settings import Settings

from .house import House
from .stewarding import copy_home, make_home


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_home(tmp_path_factory.mktemp("template") / "home")


@pytest.fixture
def house(template: Settings, tmp_path: Path) -> Iterator[House]:
    house = House(copy_home(template, tmp_path / "home"))
    yield house
    house.steward.close()
