"""Counts as fourth roots of rates: noise of small and large counts, and of small and large places, become alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

FLOOR = 0.01
"""Added to a rate, per 100,000 people: keeps the root of nothing from being infinitely steep."""
USUAL_RATE = 2.0
"""Mean weekly rate per 100,000 that a place is taken to have where its population is not known."""


def rooted(counts: Numbers, scale: Numbers) -> Numbers:
    """Fourth roots of rates; ``scale`` is people / 100,000, along the last axis."""
    found: Numbers = (counts / scale + FLOOR) ** 0.25
    return found


def counts_of(roots: Numbers, scale: Numbers) -> Numbers:
    """Counts of fourth roots, none below zero."""
    found: Numbers = (np.maximum(roots, 0.0) ** 4 - FLOOR).clip(0.0) * scale
    return found


def scales(places: Sequence[str], values: Numbers, people: Mapping[str, float]) -> Numbers:
    """(P,) hundred thousands of people; where unknown, what makes the place's mean the usual rate.

    ``values`` is (T, P), NaN where nothing was reported.
    """
    told = ~np.isnan(values)
    mean = np.where(told, values, 0.0).sum(axis=0) / np.maximum(told.sum(axis=0), 1)
    guessed = np.maximum(mean, 0.5) / USUAL_RATE
    known = np.array([people.get(place, np.nan) for place in places]) / 1e5
    found: Numbers = np.where(np.isnan(known), guessed, np.maximum(known, 1e-4))
    return found
