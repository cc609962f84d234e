"""Reports that cannot be believed yet: a last value far from the one before, while neither the other places nor the
place itself moved so until then."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hucheng.apps.epidemic.forecasts.scaling import FLOOR, Numbers, counts_of, rooted

RELATIVE = 0.15
"""Spread of a week's change that is usual beside the noise of counting (as a share of the count)."""
BEYOND = 5.0
"""Standard deviations of the usual from which a change is not believed until it is reported again."""


def believed(values: Numbers, scale: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
    """(T, P) with a last value that cannot be believed replaced by what the other places' change makes likely; (P,)
    which places those are. A jump that the next report confirms is not touched."""
    found, doubted = values.copy(), np.zeros(values.shape[1], dtype=bool)
    if len(values) < 2:
        return found, doubted
    before, last = values[-2], values[-1]
    roots = rooted(values[-3:], scale)
    change = roots[-1] - roots[-2]
    if np.isnan(change).all():
        return found, doubted
    usual = float(np.nanmedian(change)) if (~np.isnan(change)).sum() > 2 else 0.0
    many = np.maximum(np.nan_to_num(before), 1.0)
    rate = many / scale + FLOOR
    counting = 0.25 * rate**-0.75 * np.sqrt(many) / scale
    moving = 0.25 * rate**0.25 * RELATIVE
    with np.errstate(invalid="ignore"):
        own = np.nan_to_num(roots[-2] - roots[0], nan=usual) if len(roots) > 2 else np.full_like(change, usual)
        away = np.maximum(change - np.maximum(usual, own), np.minimum(usual, own) - change)
        doubted = away > BEYOND * np.sqrt(2 * counting**2 + moving**2)
    found[-1] = np.where(doubted, counts_of(roots[-2] + usual, scale), last)
    return found, doubted
