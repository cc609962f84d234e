"""The contact network: the same picture for the same data, near what is joined, and honest limits."""

from __future__ import annotations

from pathlib import Path

import meetings
import numpy as np
import pyarrow as pa
import pytest

from hucheng.apps import epidemic
from hucheng.apps.epidemic import contact_network, find_contacts
from hucheng.apps.epidemic.charts import network, paper
from hucheng.errors import BadRequest, TooLarge

VISITS = [(who, place, 0, 4_000 + 100 * who) for place in range(3) for who in range(place * 4, place * 4 + 5)]


def test_the_same_data_make_the_same_file(tmp_path: Path) -> None:
    found = find_contacts(meetings.visits_table(VISITS), meetings.cases_table([(1, 0, 9_000), (6, 0, 9_000)]), ring=2)
    texts = []
    for turn in range(2):
        paper.save(contact_network(found.overlaps.to_pandas() if turn else found.overlaps), tmp_path / f"{turn}.svg")
        texts.append((tmp_path / f"{turn}.svg").read_bytes())
    assert texts[0] == texts[1] and "接触网络".encode() in texts[0]


def test_neighbours_stand_nearer_than_strangers() -> None:
    one = np.array([0, 1, 2, 3, 4])
    places = network.layout(6, one, one + 1)
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    assert (np.diff(apart[0]) > 0).all() and np.isfinite(places).all()
    assert np.isfinite(network.layout(4, np.array([0]), np.array([1]))).all()


def test_nothing_and_too_much_are_refused() -> None:
    found = find_contacts(meetings.visits_table(VISITS), meetings.cases_table([(1, 0, 9_000)])).overlaps
    with pytest.raises(BadRequest, match="no contacts"):
        contact_network(found.slice(0, 0))
    many = pa.table({"person": np.arange(2_000), "case": np.full(2_000, 9_999), "minutes": np.ones(2_000)})
    with pytest.raises(TooLarge, match="2,001 people"):
        contact_network(many)


def test_every_name_for_notebooks_is_there() -> None:
    for name in epidemic.NAMES:
        assert getattr(epidemic, name) is not None and name in dir(epidemic)
    with pytest.raises(AttributeError, match="no attribute"):
        _ = epidemic.nothing
