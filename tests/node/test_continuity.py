"""What is stored keeps its meaning: a contract that would read it otherwise does not start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from hucheng.base.contracts import Contract, Metric, shipped
from hucheng.errors import ContractError
from hucheng.node.home.continuity import FILE, remember
from tests.base.readingkit import metrics

PRESSURE = metrics().contracts[0]


def changed(**units: str | None) -> Contract:
    found = dict(PRESSURE.metrics)
    for name, unit in units.items():
        if unit is None:
            del found[name]
        else:
            found[name] = structs.replace(found.get(name) or Metric(name, unit, 0, 1), unit=unit)
    return structs.replace(PRESSURE, metrics=found)


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (changed(systolic_bp="kPa"), "kPa"),
        (changed(systolic_bp=None), "is gone"),
        (structs.replace(PRESSURE, key=("device_id", "observed_at")), "key"),
        (structs.replace(PRESSURE, kind="event"), "event"),
    ],
)
def test_a_contract_that_would_read_what_is_stored_otherwise_is_refused(
    tmp_path: Path, after: Contract, says: str
) -> None:
    remember(tmp_path, [PRESSURE, *shipped()])
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(ContractError, match=says) as caught:
        remember(tmp_path, [after])
    assert caught.value.mend and PRESSURE.id in str(caught.value)
    assert (tmp_path / FILE).read_bytes() == before


def test_more_metrics_other_limits_and_an_app_that_was_away_are_no_trouble(tmp_path: Path) -> None:
    remember(tmp_path, [PRESSURE])
    more: Any = changed(mean_bp="mm[Hg]")
    remember(tmp_path, [more])
    remember(tmp_path, shipped())
    remember(tmp_path, [more])
    with pytest.raises(ContractError, match="is gone"):
        remember(tmp_path, [PRESSURE])
