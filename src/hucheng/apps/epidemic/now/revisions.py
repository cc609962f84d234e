"""What counts that are revised both ways will come to: learned from how earlier ones were revised, over all places.

Past versions are read walking forward: a count of the same age, as it stood then, against what stands now, plus what
counts of that age still gain on average (a chain of steps, as the chain ladder of Mack 1993, ASTIN Bulletin 23, but on
log ratios and over all places). Quantiles are those of past errors of places of like size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hucheng.apps.epidemic.now.triangle import Triangle

Numbers = NDArray[np.float64]
MEMORY_WEEKS = 16.0
"""Half-life of what is learned from a past version."""
DRIFT_WEEKS = 8.0
"""Half-life of what is learned about late gains."""
LATE = 20
"""Steps of age beyond which counts are taken for final."""
OWN = 2.0
"""How much more a place's own past counts."""
SIZE = 2.0
"""Width of “like size”, in log counts."""
WIDER = 0.45
"""Past errors are widened by this share: they were measured against counts that will be revised, too."""
SAME_WEEKDAY = 4.0
STEEPEST = -0.5
RIDGE, ASSUMED_SD = 20.0, 0.25
FURTHEST = 1.0


def revised(seen: Triangle, steps: NDArray[np.int64], levels: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
    """(K, P, L) quantiles of the final counts of ``steps`` (K,), and (K,) whether they were learned at all.

    What was never seen revised gets a wide assumed spread about the count as it stands.
    """
    drift = _drift(seen)
    found = np.full((len(steps), len(seen.places), len(levels)), np.nan)
    learned = np.zeros(len(steps), dtype=bool)
    for at, step in enumerate(steps):
        found[at], learned[at] = _one(seen, int(step), levels, drift)
    whole = (np.nan_to_num(seen.known[-1]) % 1 == 0).all()
    return (np.round(found) if whole else found), learned


def _log(counts: Numbers) -> Numbers:
    found: Numbers = np.log(np.maximum(counts, 0) + 1)
    return found


def _decay(seen: Triangle, half_weeks: float) -> Numbers:
    """(V,) weight of each version as of the last."""
    apart = (seen.versions[-1] - seen.versions).astype("timedelta64[D]").astype(float)
    found: Numbers = 0.5 ** (apart / (7 * half_weeks))
    return found


def _drift(seen: Triangle) -> Numbers:
    """(LATE + 2,) mean log gain from each age on until final."""
    ages = seen.ages
    gain, weight = np.zeros(LATE + 2), np.zeros(LATE + 2)
    decay = _decay(seen, DRIFT_WEEKS)
    for at in range(1, len(seen.versions)):
        apart = int((seen.versions[at] - seen.versions[at - 1]).astype("timedelta64[D]").astype(int))
        if apart > 2 * seen.step or apart < seen.step:
            continue
        before, after = seen.known[at - 1], seen.known[at]
        change = np.clip(_log(after) - _log(before), -0.3, 0.3) * seen.step / apart
        size = np.sqrt(np.maximum(np.nan_to_num(before), 0)) * decay[at]
        for age in range(LATE + 1):
            rows = np.flatnonzero(ages[at - 1] == age)
            if len(rows):
                good = ~np.isnan(change[rows])
                gain[age] += (change[rows] * size[rows])[good].sum()
                weight[age] += size[rows][good].sum()
    step = np.where(weight > 0, gain / np.maximum(weight, 1e-9), 0.0)
    found: Numbers = np.cumsum(step[::-1])[::-1]
    return found


def _features(known: Numbers, step: int) -> Numbers:
    """(P, 3) one, and how the count and the one before it stand to those before them: outliers are revised most."""
    places = known.shape[1]

    def growth(at: int) -> Numbers:
        if at < 1:
            return np.zeros(places)
        found: Numbers = np.clip(np.nan_to_num(_log(known[at]) - _log(known[at - 1])), -FURTHEST, FURTHEST)
        return found

    return np.stack([np.ones(places), growth(step), growth(step - 1)], axis=1)


def _one(seen: Triangle, step: int, levels: Numbers, drift: Numbers) -> tuple[Numbers, bool]:
    ages = seen.ages
    now = seen.known[-1]
    age = int(ages[-1, step])
    said = np.asarray((~np.isnan(seen.known)).any(axis=2))
    alike = (ages[:-1] == age) & said[:-1]
    alike[:, step] = False
    pairs = [(int(version), int(past)) for version, past in np.argwhere(alike)]
    current = now[step]
    if not pairs:
        from scipy.stats import norm

        return np.maximum((current[:, None] + 1) * np.exp(ASSUMED_SD * norm.ppf(levels)) - 1, 0), False
    memory = _decay(seen, MEMORY_WEEKS)
    weekday = np.array([int((seen.days[past] - seen.days[step]).astype(int)) % 7 == 0 for _, past in pairs])
    weight = np.array([memory[version] for version, _ in pairs]) * np.where(weekday, SAME_WEEKDAY, 1.0)
    then = np.array([seen.known[version, past] for version, past in pairs])
    gained = drift[np.minimum([ages[-1, past] for _, past in pairs], LATE + 1)]
    target = np.array([_log(now[past]) for _, past in pairs]) - _log(then) + gained[:, None]
    shape = np.concatenate([_features(seen.known[version], past) for version, past in pairs])
    flat, size = target.ravel(), _log(then).ravel()
    good = ~np.isnan(flat)
    joint = np.broadcast_to(weight[:, None], target.shape).ravel()
    own = np.tile(np.arange(len(seen.places)), len(pairs))
    flat, size, joint, own, shape = flat[good], size[good], joint[good], own[good], shape[good]
    if not len(flat):
        return np.full((len(seen.places), len(levels)), np.nan), False
    slope = _robust(shape, np.clip(flat, -FURTHEST, FURTHEST), joint * np.exp(np.minimum(size, 6) / 2))
    slope[0] = 0.0
    error = flat - shape @ slope
    order = np.argsort(error, kind="stable")
    error, joint, size, own = error[order], joint[order], size[order], own[order]
    centre = _features(now, step) @ slope
    tilt = _tilt(error, size, joint)
    found = np.full((len(seen.places), len(levels)), np.nan)
    for place in np.flatnonzero(~np.isnan(current)):
        apart = size - _log(current[place : place + 1])
        mass = joint * np.exp(-0.5 * (apart / SIZE) ** 2) * np.where(own == place, OWN, 1.0) + 1e-12
        middle = _quantile(error, mass, np.array([0.5]))[0]
        alike = (error - middle) * np.exp(-tilt * apart)
        by = np.argsort(alike, kind="stable")
        spread = middle + _quantile(alike[by], mass[by], levels) * (1 + WIDER)
        found[place] = np.maximum((current[place] + 1) * np.exp(centre[place] + spread) - 1, 0)
    return found, True


def _quantile(values: Numbers, mass: Numbers, levels: Numbers) -> Numbers:
    """Quantiles of values in order, each with a mass."""
    upto = np.cumsum(mass)
    return np.interp(levels, (upto - 0.5 * mass) / upto[-1], values)


def _tilt(error: Numbers, size: Numbers, weight: Numbers) -> float:
    """By how much the log of the usual error changes with log count, from the smaller half to the larger: never up, and
    never more than chance alone would make it fall."""
    low = size <= np.median(size)
    if low.all() or not low.any():
        return 0.0
    apart = np.average(size[~low], weights=weight[~low]) - np.average(size[low], weights=weight[low])
    middle = np.median(error)
    wide = [float(np.average((error[one] - middle) ** 2, weights=weight[one])) for one in (low, ~low)]
    if min(wide) <= 0 or apart <= 0:
        return 0.0
    return float(np.clip(0.5 * np.log(wide[1] / wide[0]) / apart, STEEPEST, 0.0))


def _robust(shape: Numbers, target: Numbers, weight: Numbers) -> Numbers:
    """Ridge regression that outliers do not rule (Huber's weights, five rounds)."""
    usual = float(np.median(weight[weight > 0]))
    ridge = np.diag([1e-9, *[RIDGE * usual] * (shape.shape[1] - 1)])
    now: NDArray[Any] = weight
    slope: NDArray[Any] = np.zeros(shape.shape[1])
    for _ in range(6):
        slope = np.linalg.solve((shape * now[:, None]).T @ shape + ridge, (shape * now[:, None]).T @ target)
        error = np.abs(target - shape @ slope)
        spread = float(1.2 * np.median(error) + 1e-3)
        now = np.asarray(weight * np.minimum(1, 2 * spread / np.maximum(error, 1e-9)))
    return np.asarray(slope, dtype=np.float64)
