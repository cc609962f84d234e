"""The nowcast: what the latest counts will come to when all is reported, by place and date, as quantiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hucheng.apps.epidemic.now import filling, revisions
from hucheng.apps.epidemic.now.delays import Delay
from hucheng.apps.epidemic.now.triangle import Triangle
from hucheng.apps.epidemic.series import Note
from hucheng.errors import BadRequest

Numbers = NDArray[np.float64]
LEVELS = np.array([0.01, 0.025, *[round(0.05 * i, 2) for i in range(1, 20)], 0.975, 0.99])
BACK = {1: 28, 7: 6}
"""Steps back from the last one that are nowcast."""
REVISED, FILLED, ASSUMED, SCARCE = "revisions", "delays", "assumed", "few reports"
ENOUGH = 50
"""Reports below which delays are hardly known."""
NEAR_FINAL = 0.5
"""Share that a first report must hold of the final count for revisions to be learned as ratios."""
FEWEST = 2


@dataclass(frozen=True)
class Nowcast:
    """Quantiles of final counts of the last steps."""

    version: np.datetime64
    """Date as of which it stands."""
    days: NDArray[np.datetime64]
    """(K,) event steps, by their last day."""
    ages: NDArray[np.int64]
    """(K,) steps since each of them ended."""
    places: tuple[str, ...]
    levels: Numbers
    quantiles: Numbers
    """(K, P, L)"""
    reported: Numbers
    """(K, P) counts as reported so far."""
    share: Numbers
    """(K, P) share of the final count (its median) that is reported."""
    share_sd: Numbers
    """(K, P) relative error of the share."""
    basis: list[str]
    """(K,) learned from revisions, from delays, from few reports, or assumed for want of past versions."""
    notes: tuple[Note, ...] = ()


def nowcast(
    seen: Triangle, own: Delay | None = None, back: int | None = None, levels: Numbers = LEVELS, seed: int = 0
) -> Nowcast:
    """Nowcast the last ``back`` steps as of the triangle's last version.

    Counts that start near their final value and are revised both ways are handled by what past ratios were
    (`revisions`); counts that fill up report by report, or a delay of one's own, by the share known by now (`filling`).
    With one version only and no delay of one's own there is nothing to learn from: a wide spread is assumed, and said.
    Raises BadRequest where the last version says nothing of a step that is over.
    """
    ages = seen.ages[-1]
    said = ~np.isnan(seen.known[-1]).all(axis=1)
    due = np.flatnonzero(said & (ages >= 0))
    if not len(due):
        raise BadRequest("the last version says nothing of a step that is over", mend="give a later version")
    steps = due[-(BACK[seen.step] if back is None else back) :]
    notes = list(seen.notes)
    if alone := len(seen.versions) < FEWEST and own is None:
        what = "one report date only: nothing shows how counts change, the spread is assumed (give earlier versions)"
        notes.append(Note("assumed", what))
    basis = [FILLED] * len(steps)
    reported = seen.known[-1][steps]
    if alone or (own is None and _near_final(seen)):
        quantiles, learned = revisions.revised(seen, steps, levels)
        basis = [REVISED if one else ASSUMED for one in learned]
        middle = np.array([[np.interp(0.5, levels, one) for one in row] for row in quantiles])
        low, high = (np.array([[np.interp(p, levels, one) for one in row] for row in quantiles]) for p in (0.25, 0.75))
        share = np.where(middle > 0, reported / np.maximum(middle, 1e-9), 1.0)
        share_sd = np.where(middle > 0, (high - low) / 1.349 / np.maximum(middle, 1.0), 0.0)
    else:
        if own is None and (many := float(np.nansum(seen.known[-1]))) < ENOUGH:
            basis = [SCARCE] * len(steps)
            notes.append(
                Note("few", f"only {many:g} reports: what they show of the delays is hardly more than a guess")
            )
        known = filling.shares(seen, own)
        quantiles = filling.filled(seen, known, levels, seed)[0][steps]
        share, share_sd = known.share[steps], np.sqrt(known.noise[steps])
    few = [place for at, place in enumerate(seen.places) if not np.nansum(reported[:, at]) > 0]
    if few:
        notes.append(Note("empty", f"{len(few)} places have no event in these steps: their nowcast rests on others"))
    return Nowcast(
        version=seen.versions[-1], days=seen.days[steps], ages=ages[steps], places=seen.places, levels=levels,
        quantiles=quantiles, reported=reported, share=share, share_sd=share_sd, basis=basis, notes=tuple(notes),
    )  # fmt: skip


def _near_final(seen: Triangle) -> bool:
    """Whether first reports hold most of what is known now, or counts are taken back as well as added."""
    ages = seen.ages
    first, last, fallen, moved = 0.0, 0.0, 0.0, 0.0
    for at in range(len(seen.days)):
        when = np.flatnonzero((ages[:, at] >= 0) & ~np.isnan(seen.known[:, at]).all(axis=1))
        if len(when) < 2:
            continue
        history = seen.known[when, at]
        first += float(np.nansum(history[0])) if ages[when[0], at] <= 1 else 0.0
        last += float(np.nansum(history[-1])) if ages[when[0], at] <= 1 else 0.0
        change = np.diff(history, axis=0)
        fallen += float(np.nansum(np.maximum(-change, 0)))
        moved += float(np.nansum(np.abs(change)))
    if last <= 0:
        return moved > 0 and fallen > 0.02 * moved
    return first / last >= NEAR_FINAL or fallen > 0.1 * max(moved, 1e-9)
