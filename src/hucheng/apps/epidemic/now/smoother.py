"""The curve of new infections behind noisy counts: a smooth curve, its uncertainty, and how noisy the counts are.

Model. log I follows a random walk of second order (the growth rate wanders, by ``sigma`` a day each day); a count is
negative binomial around a sum of I over days (delays, weeks, incomplete reporting, weekdays are all such sums), with
variance ``mu + alpha mu²``. The curve is found by Fisher scoring, its posterior by Laplace's approximation
(Rue, Held 2005, Gaussian Markov Random Fields, section 4.4); ``sigma`` and ``alpha`` are not chosen but averaged over
a grid by their marginal likelihood (Rue, Martino, Chopin 2009, JRSS B 71, equation 3).

All matrices are banded: a curve of T days costs T × (band)².
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import gammaln

Numbers = NDArray[np.float64]
SIGMAS = np.array([0.012, 0.017, 0.025, 0.037, 0.055, 0.08, 0.16])
"""Wandering of the daily growth rate, per day. The least is not zero: nothing rules out that R changes tomorrow."""
ALPHAS = np.array([1e-4, 0.01, 0.03, 0.08, 0.2, 0.5, 1.2])
"""Overdispersion of counts."""
START_SD, GROWTH_SD = 4.0, 0.3
"""Prior of the first log I about the data's level, and of the first growth rate (per day) about zero."""
STEPS = 30


@dataclass(frozen=True)
class Seen:
    """Counts and which days each stands for.

    ``counts`` (N,), NaN where unknown; ``first`` (N,) the first day in the sum; ``weights`` (N, B) of that day and
    those after it; ``noise`` (N,) overdispersion on top of the common one, such as from an uncertain completeness.
    """

    counts: Numbers
    first: NDArray[np.int64]
    weights: Numbers
    days: int
    """Length of the curve."""
    noise: Numbers


@dataclass(frozen=True)
class Curve:
    """Posterior of one curve."""

    draws: Numbers
    """(S, T) draws of log I."""
    alphas: Numbers
    """(S,) overdispersion that goes with each draw."""
    sigma: float
    """Posterior mean of the wandering of growth."""
    alpha: float
    """Posterior mean of the overdispersion."""


def smooth(seen: Seen, draws: int, rng: np.random.Generator) -> Curve:
    """The curve behind the counts, averaged over the grid of hyperparameters. Needs at least one count."""
    kept = ~np.isnan(seen.counts)
    counts, first = seen.counts[kept], seen.first[kept]
    weights, noise = seen.weights[kept], seen.noise[kept]
    band = max(3, weights.shape[1])
    level = float(np.log((counts.sum() + 0.5) / max(weights.sum(), 1e-9)))
    start = np.full(seen.days, level)
    fits, evidence = [], []
    for sigma in SIGMAS:
        curve = start
        for alpha in ALPHAS:
            curve, chol, at = _fit(counts, first, weights, noise, curve, level, sigma, alpha, band)
            fits.append((sigma, alpha, curve, chol))
            evidence.append(at + _log_counts(counts, alpha + noise) + _log_prior(sigma, alpha))
        start = fits[-len(ALPHAS)][2]
    ratio = np.exp(np.array(evidence) - max(evidence))
    ratio /= ratio.sum()
    share = rng.multinomial(draws, ratio)
    paths, which = [], []
    for (_, alpha, curve, chol), many in zip(fits, share, strict=True):
        if many:
            paths.append(curve[None, :] + _back(chol, rng.standard_normal((many, seen.days))))
            which.append(np.full(many, alpha))
    return Curve(
        draws=np.concatenate(paths),
        alphas=np.concatenate(which),
        sigma=float(ratio @ np.array([fit[0] for fit in fits])),
        alpha=float(ratio @ np.array([fit[1] for fit in fits])),
    )


def expected(seen: Seen, curves: Numbers) -> Numbers:
    """(S, N) mean of each count, of curves of log I (S, T)."""
    wide = seen.weights.shape[1]
    day = np.minimum(seen.first[:, None] + np.arange(wide)[None, :], seen.days - 1)
    return np.asarray(np.einsum("snb,nb->sn", np.exp(curves)[:, day], seen.weights), dtype=np.float64)


def _log_prior(sigma: float, alpha: float) -> float:
    """Weak preference for calm curves and little noise: on a grid even in log, a gamma and an exponential."""
    return float(-sigma / 0.03 + np.log(sigma) * 0.5 - alpha / 0.3)


def _log_counts(counts: Numbers, alpha: Numbers) -> float:
    """The part of the log likelihood that does not know the mean."""
    size = 1 / alpha
    return float((gammaln(counts + size) - gammaln(size) - gammaln(counts + 1)).sum())


@njit(cache=True)
def _fit(
    counts: Numbers, first: NDArray[np.int64], weights: Numbers, noise: Numbers, start: Numbers, level: float,
    sigma: float, alpha: float, band: int,
) -> tuple[Numbers, Numbers, float]:  # fmt: skip
    """Mode, banded Cholesky factor (row i: columns i-band+1 … i) and log marginal likelihood but for constants."""
    days = len(start)
    curve = start.copy()
    prior = np.zeros((days, band))
    _prior(prior, sigma)
    value = _value(counts, first, weights, noise, curve, level, sigma, alpha)
    chol = np.zeros((days, band))
    for _ in range(STEPS):
        gradient = np.zeros(days)
        for i in range(days):
            chol[i] = prior[i]
        _add_prior_gradient(gradient, curve, level, sigma)
        level_of = np.exp(curve)
        part = np.zeros(weights.shape[1])
        for n in range(len(counts)):
            mean = 0.0
            for b in range(weights.shape[1]):
                part[b] = weights[n, b] * level_of[first[n] + b] if weights[n, b] > 0 else 0.0
                mean += part[b]
            mean = max(mean, 1e-10)
            over = alpha + noise[n]
            info = 1 / (mean * (1 + over * mean))
            slope = (counts[n] - mean) * info
            for b in range(weights.shape[1]):
                if part[b] > 0:
                    gradient[first[n] + b] += slope * part[b]
                    for c in range(b + 1):
                        chol[first[n] + b, band - 1 - (b - c)] += info * part[b] * part[c]
        _cholesky(chol)
        move = _solve(chol, gradient)
        largest = np.abs(move).max()
        pace = min(1.0, 3.0 / max(largest, 1e-12))
        for _half in range(12):
            trial = curve + pace * move
            found = _value(counts, first, weights, noise, trial, level, sigma, alpha)
            if found >= value - 1e-9:
                break
            pace *= 0.5
        gain = found - value
        if gain < -1e-9:
            break
        curve = trial
        value = found
        if gain < 1e-4 and largest * pace < 1e-2:
            break
    half_det = 0.0
    for i in range(days):
        half_det += np.log(chol[i, band - 1])
    evidence = value - half_det - (days - 2) * np.log(sigma)
    return curve, chol, evidence


@njit(cache=True)
def _prior(matrix: Numbers, sigma: float) -> None:
    """Precision of the second-order walk in banded form."""
    days, band = matrix.shape
    last = band - 1
    one = 1 / sigma**2
    for i in range(days - 2):
        for b, left in enumerate((1.0, -2.0, 1.0)):
            for c, right in enumerate((1.0, -2.0, 1.0)):
                if c <= b:
                    matrix[i + b, last - (b - c)] += one * left * right
    matrix[0, last] += 1 / START_SD**2
    if days > 1:
        two = 1 / GROWTH_SD**2
        matrix[0, last] += two
        matrix[1, last] += two
        matrix[1, last - 1] -= two


@njit(cache=True)
def _add_prior_gradient(gradient: Numbers, curve: Numbers, level: float, sigma: float) -> None:
    one = 1 / sigma**2
    for i in range(len(curve) - 2):
        bend = curve[i] - 2 * curve[i + 1] + curve[i + 2]
        gradient[i] -= one * bend
        gradient[i + 1] += 2 * one * bend
        gradient[i + 2] -= one * bend
    gradient[0] -= (curve[0] - level) / START_SD**2
    if len(curve) > 1:
        pull = (curve[1] - curve[0]) / GROWTH_SD**2
        gradient[0] += pull
        gradient[1] -= pull


@njit(cache=True)
def _value(
    counts: Numbers, first: NDArray[np.int64], weights: Numbers, noise: Numbers, curve: Numbers, level: float,
    sigma: float, alpha: float,
) -> float:  # fmt: skip
    """Log posterior of a curve but for what does not depend on it."""
    total = -0.5 * ((curve[0] - level) / START_SD) ** 2
    if len(curve) > 1:
        total -= 0.5 * ((curve[1] - curve[0]) / GROWTH_SD) ** 2
    for i in range(len(curve) - 2):
        total -= 0.5 * ((curve[i] - 2 * curve[i + 1] + curve[i + 2]) / sigma) ** 2
    level_of = np.exp(curve)
    for n in range(len(counts)):
        mean = 0.0
        for b in range(weights.shape[1]):
            if weights[n, b] > 0:
                mean += weights[n, b] * level_of[first[n] + b]
        mean = max(mean, 1e-10)
        over = alpha + noise[n]
        total += counts[n] * np.log(over * mean / (1 + over * mean)) - np.log1p(over * mean) / over
    return float(total)


@njit(cache=True)
def _cholesky(matrix: Numbers) -> None:
    """Banded Cholesky in place; row i holds columns i-band+1 … i."""
    days, band = matrix.shape
    last = band - 1
    for i in range(days):
        low = max(0, i - last)
        for j in range(low, i + 1):
            total = matrix[i, last - (i - j)]
            for k in range(max(low, j - last), j):
                total -= matrix[i, last - (i - k)] * matrix[j, last - (j - k)]
            if i == j:
                matrix[i, last] = np.sqrt(max(total, 1e-12))
            else:
                matrix[i, last - (i - j)] = total / matrix[j, last]


@njit(cache=True)
def _solve(chol: Numbers, right: Numbers) -> Numbers:
    days, band = chol.shape
    last = band - 1
    found = right.copy()
    for i in range(days):
        for k in range(max(0, i - last), i):
            found[i] -= chol[i, last - (i - k)] * found[k]
        found[i] /= chol[i, last]
    return _upper(chol, found)


@njit(cache=True)
def _upper(chol: Numbers, right: Numbers) -> Numbers:
    """Solve with the transposed factor: of white noise this makes a draw with the posterior's covariance."""
    days, band = chol.shape
    last = band - 1
    found = right.copy()
    for i in range(days - 1, -1, -1):
        found[i] /= chol[i, last]
        for k in range(max(0, i - last), i):
            found[k] -= chol[i, last - (i - k)] * found[i]
    return found


@njit(cache=True)
def _back(chol: Numbers, noise: Numbers) -> Numbers:
    found = np.empty_like(noise)
    for s in range(len(noise)):
        found[s] = _upper(chol, noise[s])
    return found
