"""What all charts share: size, colours that people with a colour weakness tell apart, fonts, and how they are saved."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from hucheng.errors import BadRequest

MM = 1 / 25.4
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito (2008): safe for the common kinds of colour weakness."""
INK, SOFT = "#222222", "#8a8a8a"
CHINESE = ("Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC", "SimHei", "WenQuanYi Zen Hei")
SUFFIXES = (".svg", ".pdf", ".png")
STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "hucheng",
    "pdf.fonttype": 42,
    "axes.unicode_minus": False,
}


class Chart(Figure):
    """A figure that shows itself in a notebook, with no plotting library turned on there."""

    def _repr_png_(self) -> bytes:
        made = io.BytesIO()
        with style():
            self.savefig(made, format="png", dpi=110)
        return made.getvalue()


def style() -> AbstractContextManager[None]:
    """The look of all charts, for the time of a ``with``; a Chinese font is used where the machine has one."""
    there = {font.name for font in font_manager.fontManager.ttflist}
    fonts = [*(name for name in CHINESE if name in there), "DejaVu Sans"]
    found: AbstractContextManager[None] = mpl.rc_context({**STYLE, "font.family": fonts})
    return found


def figure(rows: int = 1, columns: int = 1, width_mm: float = 180, height_mm: float = 80) -> tuple[Figure, Any]:
    """An empty figure and its (rows, columns) array of axes; call it within `style`."""
    made = Chart(figsize=(width_mm * MM, height_mm * MM), layout="constrained")
    return made, made.subplots(rows, columns, squeeze=False)


def days(one: Any, ticks: int | None = None) -> None:
    """Dates along the x axis in figures that every language reads, the year beside them; at most so many ticks."""
    locator = AutoDateLocator(maxticks=ticks)  # type: ignore[no-untyped-call]
    days = ["%Y", "%Y-%m", "%m-%d", "%H:%M", "%H:%M", "%S.%f"]
    beside = ["", "", "%Y", "%Y-%m-%d", "%Y-%m-%d", "%Y-%m-%d %H:%M"]
    one.xaxis.set_major_locator(locator)
    one.xaxis.set_major_formatter(
        ConciseDateFormatter(locator, formats=days, zero_formats=days, offset_formats=beside)  # type: ignore[no-untyped-call]
    )


def save(made: Figure, path: Path) -> None:
    """Write a figure as SVG, PDF or PNG (300 dpi) by the suffix; BadRequest for another one."""
    if path.suffix.lower() not in SUFFIXES:
        raise BadRequest(
            f"no chart can be written as {path.suffix or 'a file without suffix'}", mend="use .svg, .pdf or .png"
        )
    dated = {"Date": None} if path.suffix.lower() == ".svg" else {"CreationDate": None}
    try:
        with style():
            made.savefig(path, dpi=300, metadata=dated if path.suffix.lower() != ".png" else None)
    except OSError as error:
        raise BadRequest(f"cannot write: {error.strerror or error}", where=str(path), mend="check the folder") from None


def svg(made: Figure, name: str) -> str:
    """A figure as an SVG element, to stand inside an HTML page; ``name`` keeps its ids apart from other figures'."""
    text = io.StringIO()
    with style(), mpl.rc_context({"svg.hashsalt": name}):
        made.savefig(text, format="svg", metadata={"Date": None})
    whole = text.getvalue()
    return whole[whole.index("<svg") :]
