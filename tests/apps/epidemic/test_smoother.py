"""The smoother finds the mode that a general optimiser finds, and its draws have the spread of the exact curvature."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from hucheng.apps.epidemic.now import smoother

SIGMA, ALPHA, LEVEL = 0.05, 0.1, np.log(20)


def seen(counts: np.ndarray, wide: int = 1) -> smoother.Seen:
    weights = np.ones((len(counts), wide)) / wide
    return smoother.Seen(counts, np.arange(len(counts)), weights, len(counts) + wide - 1, np.zeros(len(counts)))


def value(curve: np.ndarray, one: smoother.Seen) -> float:
    """The log posterior, written as it is defined."""
    found = -0.5 * ((curve[0] - LEVEL) / smoother.START_SD) ** 2
    found -= 0.5 * ((curve[1] - curve[0]) / smoother.GROWTH_SD) ** 2
    found -= 0.5 * (np.diff(curve, 2) ** 2).sum() / SIGMA**2
    mean = smoother.expected(one, curve[None])[0]
    found += (one.counts * np.log(ALPHA * mean / (1 + ALPHA * mean)) - np.log1p(ALPHA * mean) / ALPHA).sum()
    return float(found)


@pytest.mark.parametrize("wide", [1, 7])
def test_the_mode_is_the_one_a_general_optimiser_finds(wide: int) -> None:
    rng = np.random.default_rng(3)
    counts = rng.poisson(20 * np.exp(0.04 * np.arange(25))).astype(float)
    one = seen(counts, wide)
    curve, _, _ = smoother._fit(
        counts, one.first, one.weights, one.noise, np.full(one.days, LEVEL), LEVEL, SIGMA, ALPHA, max(3, wide)
    )
    best = minimize(lambda x: -value(x, one), np.full(one.days, LEVEL), method="BFGS", options={"gtol": 1e-4})
    assert value(curve, one) >= -best.fun - 1e-3
    np.testing.assert_allclose(curve, best.x, atol=0.02)


def test_draws_have_the_covariance_of_the_curvature() -> None:
    rng = np.random.default_rng(4)
    counts = rng.poisson(30, 12).astype(float)
    one = seen(counts)
    curve, chol, _ = smoother._fit(
        counts, one.first, one.weights, one.noise, np.full(12, LEVEL), LEVEL, SIGMA, ALPHA, 3
    )
    dense = np.zeros((12, 12))
    for row in range(12):
        for back in range(min(3, row + 1)):
            dense[row, row - back] = chol[row, 2 - back]
    step = np.diff(np.eye(12), 2, axis=0)
    mean = np.exp(curve)
    exact = step.T @ step / SIGMA**2 + np.diag(mean / (1 + ALPHA * mean))
    exact[0, 0] += 1 / smoother.START_SD**2
    exact[:2, :2] += np.array([[1, -1], [-1, 1]]) / smoother.GROWTH_SD**2
    np.testing.assert_allclose(dense @ dense.T, exact, rtol=1e-4, atol=1e-6)
    drawn = smoother._back(chol, rng.standard_normal((40_000, 12)))
    np.testing.assert_allclose(np.cov(drawn.T), np.linalg.inv(exact), atol=4e-3)


def test_missing_counts_leave_the_curve_to_its_neighbours() -> None:
    counts = np.full(40, 50.0)
    counts[10:20] = np.nan
    found = smoother.smooth(seen(counts), 300, np.random.default_rng(0))
    middle = np.exp(np.median(found.draws, axis=0))
    np.testing.assert_allclose(middle, 50, rtol=0.1)
    wide = np.exp(found.draws).std(axis=0)
    assert wide[15] > 1.5 * wide[30]


def test_noisy_counts_are_told_from_a_changing_curve() -> None:
    rng = np.random.default_rng(5)
    calm = smoother.smooth(seen(rng.poisson(200, 80).astype(float)), 50, rng)
    loud = smoother.smooth(seen(rng.poisson(200 * rng.gamma(5, 0.2, 80)).astype(float)), 50, rng)
    assert calm.alpha < 0.03 < 0.1 < loud.alpha
    assert loud.sigma < 0.05
