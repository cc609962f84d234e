"""Epidemics that nobody had, to see whether an estimate's intervals hold what they promise. Simulated, and said to be.

Not the model that `reproduction` assumes: infections are whole people of a branching process with superspreading, R_t
jumps, cases are imported unseen, only a share is reported, weekends less, each case with its own delay.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hucheng.apps.epidemic.now.delays import NONE, Delay

Numbers = NDArray[np.float64]
SHAPES = ("wave", "lockdown", "steps", "constant", "decline")
WEEKDAY = np.array([1.1, 1.15, 1.1, 1.05, 1.05, 0.85, 0.7]) / 1.0


@dataclass(frozen=True)
class World:
    """What holds in a simulated outbreak."""

    generation: Delay
    days: int = 90
    shape: str = "wave"
    size: float = 40.0
    """Infections a day at the start."""
    reported: float = 0.4
    """Share of infections that is ever counted."""
    imported: float = 0.5
    """Mean of cases that come in from outside each day."""
    dispersion: float = 0.5
    """Negative binomial k of infections caused by one person: the smaller, the more superspreading."""
    noise: float = 0.05
    """Squared relative error of a day's counting, beyond chance."""
    weekend: bool = True
    delay: Delay = NONE
    """From infection to the date of the count."""


@dataclass(frozen=True)
class Outbreak:
    """A simulated outbreak."""

    r: Numbers
    """(days,) true R_t."""
    counts: Numbers
    """(days,) cases counted."""
    infections: Numbers
    """(days,)"""


def path(shape: str, days: int, rng: np.random.Generator) -> Numbers:
    """True R_t over time."""
    t = np.arange(days, dtype=np.float64)
    if shape == "wave":
        return np.asarray(1.1 + 0.4 * np.cos(2 * np.pi * (t - rng.uniform(0, 20)) / rng.uniform(55, 80)))
    if shape == "lockdown":
        begin, reach = rng.integers(days // 3, days // 2), rng.integers(1, 10)
        high, low = rng.uniform(1.3, 1.8), rng.uniform(0.65, 0.9)
        return np.asarray(high + (low - high) * np.clip((t - begin) / reach, 0, 1))
    if shape == "steps":
        return np.repeat(rng.uniform(0.75, 1.4, days // 25 + 1), 25)[:days]
    if shape == "constant":
        return np.full(days, rng.uniform(0.85, 1.15))
    if shape == "decline":
        return np.linspace(rng.uniform(1.4, 1.8), 0.6, days)
    raise ValueError(f"no shape {shape!r}: one of {', '.join(SHAPES)}")


def outbreak(world: World, rng: np.random.Generator) -> Outbreak:
    """One outbreak, case by case in numbers. The days before the first one run at R = 1."""
    chances = world.generation.chances
    ahead = len(chances) + len(world.delay.chances)
    r = np.concatenate([np.ones(ahead), path(world.shape, world.days, rng)])
    infections = np.zeros(ahead + world.days)
    for day in range(len(infections)):
        if day < len(chances):
            infections[day] = rng.poisson(world.size)
            continue
        force = float(chances[1:] @ infections[day - 1 : day - len(chances) : -1])
        infectors = world.dispersion * force
        caused = rng.negative_binomial(infectors, infectors / (infectors + r[day] * force)) if force > 1e-9 else 0
        infections[day] = caused + rng.poisson(world.imported)
    due = np.convolve(infections, world.delay.chances)[: len(infections)]
    factor = WEEKDAY[np.arange(len(due)) % 7] if world.weekend else np.ones(len(due))
    mean = due * world.reported * factor
    strayed = rng.gamma(1 / world.noise, world.noise, len(mean)) if world.noise > 0 else np.ones(len(mean))
    counts = rng.poisson(mean * strayed).astype(np.float64)
    return Outbreak(r[ahead:], counts[ahead:], infections[ahead:])
