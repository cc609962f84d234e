"""Distributions of days: the published discretisation, means that hold, and refusals that say why."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hucheng.apps.epidemic.now.delays import Delay, generation, read, reporting
from hucheng.errors import BadRequest


def test_the_generation_time_is_discretised_as_in_epiestim() -> None:
    """Anchor: discr_si(0:8, 2.6, 1.5) of EpiEstim, as its test "Example 2 matches saved output" prints it."""
    published = [0.0, 0.2331721, 0.3585794, 0.1981108, 0.1033427, 0.05290518, 0.02682146, 0.01351620, 0.006783438]
    np.testing.assert_allclose(generation(2.6, 1.5).chances[:9], published, rtol=2e-4)


@given(st.floats(2.5, 20), st.floats(0.5, 4))
def test_a_generation_time_keeps_its_mean_and_nobody_infects_at_once(mean: float, sd: float) -> None:
    found = generation(mean, sd)
    assert found.chances[0] == 0
    assert found.chances.sum() == pytest.approx(1)
    assert found.mean == pytest.approx(mean, rel=0.02)


@given(st.floats(2, 20), st.floats(0.5, 4))
def test_a_delay_keeps_its_mean(mean: float, sd: float) -> None:
    assert reporting(mean, sd).mean == pytest.approx(mean, rel=0.02, abs=0.02)


def test_a_delay_against_draws_of_both_days() -> None:
    rng = np.random.default_rng(1)
    mean, sd = 4.0, 2.5
    late = np.floor(rng.random(400_000) + rng.gamma((mean / sd) ** 2, sd**2 / mean, 400_000)).astype(int)
    share = np.bincount(late) / len(late)
    found = reporting(mean, sd).chances
    np.testing.assert_allclose(found[:12], share[:12], atol=0.003)


def test_within_counts_what_has_come_by_then() -> None:
    delay = Delay(np.array([0.2, 0.3, 0.5]))
    np.testing.assert_allclose(delay.within(np.array([-1, 0, 1, 2, 99])), [0, 0.2, 0.5, 1, 1])


def test_ones_own_distribution_may_be_counts_in_any_order() -> None:
    found = read(pa.table({"days": [3, 1], "count": [1, 3]}))
    np.testing.assert_allclose(found.chances, [0, 0.75, 0, 0.25])


@pytest.mark.parametrize(
    "rows",
    [{"days": [-1], "p": [1]}, {"days": [1.5], "p": [1]}, {"days": [1, 1], "p": [1, 1]}, {"days": [1], "p": [-1]},
     {"days": [1], "p": [0]}, {"days": [9000], "p": [1]}],
)  # fmt: skip
def test_what_is_no_distribution_is_refused(rows: dict[str, list[float]]) -> None:
    with pytest.raises(BadRequest):
        read(pa.table(rows))


@pytest.mark.parametrize("pair", [(1.0, 1.0), (3.0, 0.0), (float("nan"), 1.0)])
def test_impossible_generation_times_are_refused(pair: tuple[float, float]) -> None:
    with pytest.raises(BadRequest, match="cannot be"):
        generation(*pair)
