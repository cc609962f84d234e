"""The contact network: cases and those they met; who met stands close together. The same picture for the same data.

Layout: distances over the network, laid into the plane by classical scaling (Torgerson 1952) and then bent by stress
majorization (Gansner, Koren and North, Graph Drawing 2004, eq. 8 in its local form); no chance anywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import shortest_path

from hucheng.apps.epidemic.charts import paper
from hucheng.errors import BadRequest, TooLarge
from hucheng.tables import as_arrow

MOST = 1_500
ROUNDS = 80
LABELLED = 30
WORDS = {
    "zh": ("病例", "密切接触者", "次密接", "接触网络：{cases} 例病例，{others} 名接触者，共 {hours:,.0f} 小时"),
    "en": (
        "case",
        "contact",
        "contact of a contact",
        "Contact network: {cases} cases, {others} contacts, {hours:,.0f} hours",
    ),
}


def contact_network(overlaps: Any, language: str = "zh", width_mm: float = 180, height_mm: float = 140) -> Figure:
    """A figure of overlaps (`find_contacts`): people as points, minutes together as the width of lines.

    Raises BadRequest where there is nothing to draw, and TooLarge beyond 1,500 people.
    """
    table = as_arrow(overlaps)
    if not table.num_rows:
        raise BadRequest("there are no contacts to draw", mend="lower the minutes, or look at the cases' periods")
    names, one, other, minutes, ring = _pairs(table)
    if len(names) > MOST:
        raise TooLarge(
            f"a network of {len(names):,} people cannot be read", mend=f"draw some cases, up to {MOST:,} people"
        )
    places = layout(len(names), one, other)
    cases = set(pc.unique(pc.cast(table.column("case"), pa.string())).to_pylist())
    kind = np.array([0 if name in cases else int(ring[at]) for at, name in enumerate(names)])
    words = WORDS["en" if language == "en" else "zh"]
    with paper.style():
        made, axes = paper.figure(1, 1, width_mm, height_mm)
        axis = axes[0, 0]
        axis.set_axis_off()
        axis.set_aspect("equal")
        widths = 0.4 + 2.2 * np.sqrt(minutes / minutes.max())
        lines = np.stack([places[one], places[other]], axis=1)
        axis.add_collection(LineCollection(list(lines), linewidths=widths, colors=paper.SOFT, alpha=0.55, zorder=1))
        for at, (word, mark, size) in enumerate(zip(words[:3], "sov", (42, 20, 14), strict=True)):
            rows = kind == at
            if rows.any():
                colour = paper.COLOURS[(1, 0, 2)[at]]
                axis.scatter(
                    *places[rows].T,
                    s=size,
                    marker=mark,
                    c=colour,
                    edgecolors="white",
                    linewidths=0.5,
                    zorder=3 - at / 3,
                    label=f"{word} ({int(rows.sum()):,})",
                )
        for at in np.flatnonzero(kind == 0)[:LABELLED]:
            axis.annotate(names[at], places[at], xytext=(4, 4), textcoords="offset points", fontsize=7, zorder=4)
        axis.autoscale_view()
        axis.margins(0.05)
        axis.legend(loc="lower left", bbox_to_anchor=(0, -0.02))
        many = int((kind == 0).sum())
        axis.set_title(words[3].format(cases=many, others=len(names) - many, hours=minutes.sum() / 60))
    return made


def layout(people: int, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.float64]:
    """Places (people, 2) of a network whose lines join ``one`` and ``other``."""
    ones = np.ones(len(one))
    graph = coo_matrix((ones, (one, other)), shape=(people, people))
    far = shortest_path(graph, directed=False, unweighted=True)
    known = np.isfinite(far)
    far[~known] = (far[known].max() if known.any() else 0) + 2  # parts of the network stand side by side
    middle = far**2
    middle = -0.5 * (middle - middle.mean(0) - middle.mean(1)[:, None] + middle.mean())
    values, vectors = np.linalg.eigh(middle)
    signs = np.sign(vectors[np.abs(vectors).argmax(0), np.arange(people)])
    vectors = vectors * np.where(signs == 0, 1, signs)
    dimensions = min(2, people)
    places = np.zeros((people, 2))
    places[:, :dimensions] = (vectors * np.sqrt(np.maximum(values, 0)))[:, ::-1][:, :dimensions]
    turn = np.arange(people) * np.pi * (3 - np.sqrt(5))  # people at one point are parted, always in the same way
    places += 0.05 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    np.fill_diagonal(far, 1)
    weight = far**-2
    np.fill_diagonal(weight, 0)
    for _ in range(ROUNDS):
        apart = places[:, None] - places[None]
        length = np.sqrt((apart**2).sum(2))
        np.fill_diagonal(length, 1)
        pull = weight * far / np.maximum(length, 1e-9)
        wanted = (weight @ places) + (pull[:, :, None] * apart).sum(1)
        places = wanted / np.maximum(weight.sum(1), 1e-9)[:, None]
    return places


def _pairs(table: pa.Table) -> tuple[list[str], Any, Any, Any, Any]:
    """People in order of their ids; pairs of them with minutes; the ring in which each stands."""
    column = "via" if "via" in table.column_names else "case"
    whom = pc.cast(table.column("case"), pa.string())
    if column == "via":
        via = pc.cast(table.column("via"), pa.string())
        whom = pc.if_else(pc.is_null(via), whom, via)
    who = pc.cast(table.column("person"), pa.string())
    names = sorted(set(who.to_pylist()) | set(whom.to_pylist()))
    order = pa.array(names)
    one, other = (np.asarray(pc.index_in(side, value_set=order)).astype(np.int64) for side in (whom, who))
    low, high = np.minimum(one, other), np.maximum(one, other)
    keys, at = np.unique(low * len(names) + high, return_inverse=True)
    minutes = np.bincount(at, weights=np.asarray(table.column("minutes")))
    ring = np.full(len(names), 2, np.int64)
    rings = np.asarray(table.column("ring")) if "ring" in table.column_names else np.ones(table.num_rows, np.int64)
    np.minimum.at(ring, other, rings)
    return names, keys // len(names), keys % len(names), minutes, ring
