"""The process of a case as an SVG: pure attributes, no styles, with words for whoever cannot see it."""

from __future__ import annotations

from markupsafe import Markup, escape

from hucheng.cases.views import Diagram, Edge, Shape
from hucheng.portals.words import Words

MARGIN = 24.0
LINE = 15.0
WIDE_CHARS = 1.0
"""Width of a Chinese character in units of the type's size; a Latin one takes about half."""


def drawing(diagram: Diagram, words: Words) -> Markup:
    """The diagram; empty where the process was never drawn."""
    if not diagram.shapes:
        return Markup("")
    here = [words.tell(shape.title) for shape in diagram.shapes if shape.id in diagram.here]
    label = words.say(
        "The course of this case. It stands at: %(here)s", here=words.say(", ").join(filter(None, here)) or "—"
    )
    width, height = diagram.width + 2 * MARGIN, diagram.height + 2 * MARGIN
    parts = [
        f'<svg viewBox="{-MARGIN:g} {-MARGIN:g} {width:g} {height:g}" role="img" aria-label="{escape(label)}">',
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path class="d-head" d="M0 0 8 4 0 8z"/></marker></defs>',
    ]
    parts += [_edge(edge, words) for edge in diagram.edges]
    parts += [_shape(shape, shape.id in diagram.here, words) for shape in diagram.shapes]
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704 (texts are escaped where they are put in)


def _edge(edge: Edge, words: Words) -> str:
    points = " ".join(f"{x:g},{y:g}" for x, y in edge.points)
    drawn = f'<polyline class="d-edge" points="{points}" marker-end="url(#arrow)"/>'
    text = words.tell(edge.title) if edge.title else ""
    if text and len(edge.points) > 1:
        legs = list(zip(edge.points, edge.points[1:], strict=False))
        (x1, y1), (x2, _) = max(legs, key=lambda leg: (leg[0][1] == leg[1][1], abs(leg[1][0] - leg[0][0])))
        anchor = "start" if x2 >= x1 else "end"  # on the longest level leg, at the end where it comes from
        place = f'x="{x1 + (8 if x2 >= x1 else -8):g}" y="{y1 - 5:g}" text-anchor="{anchor}"'
        drawn += f'<text class="d-small" {place}>{escape(text)}</text>'
    return drawn


def _shape(shape: Shape, here: bool, words: Words) -> str:
    css = "d-shape" + (" d-here" if here else " d-done" if shape.state == "done" else "")
    x, y, w, h = shape.x, shape.y, shape.width, shape.height
    cx, cy = x + w / 2, y + h / 2
    text = words.tell(shape.title)
    if shape.kind in ("task", "service"):
        box = f'<rect class="{css}" x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="8"/>'
        return box + _lines(text, cx, cy, w - 10, 12, "d-text" + (" d-text-here" if here else ""))
    if shape.kind == "gateway":
        box = f'<path class="{css}" d="M{cx:g} {y:g} {x + w:g} {cy:g} {cx:g} {y + h:g} {x:g} {cy:g}z"/>'
    else:
        thick = ' stroke-width="3"' if shape.kind == "end" else ""
        box = f'<circle class="{css}" cx="{cx:g}" cy="{cy:g}" r="{min(w, h) / 2:g}"{thick}/>'
        if shape.kind == "timer":
            r = min(w, h) / 2 - 5
            box += f'<path class="d-mark" d="M{cx:g} {cy - r:g}v{r:g}h{r * 0.7:g}"/>'
    if shape.label is not None:
        lx, ly, lw, lh = shape.label
        return box + _lines(text, lx + lw / 2, ly + lh / 2, max(lw, 70), 11, "d-small")
    return box + _lines(text, cx, y + h + 12, max(w * 2.4, 90), 11, "d-small") if text else box


def _lines(text: str, cx: float, cy: float, width: float, size: float, css: str) -> str:
    """The text broken to the width and centred."""
    lines = broken(text, width / size)
    top = cy - (len(lines) - 1) * LINE / 2 + size * 0.36
    return "".join(
        f'<text class="{css}" x="{cx:g}" y="{top + n * LINE:g}" text-anchor="middle">{escape(line)}</text>'
        for n, line in enumerate(lines)
    )


def broken(text: str, ems: float) -> list[str]:
    """Text in lines no wider than ``ems``: Chinese breaks anywhere, Latin between words.

    >>> broken("呼叫值班人员", 4)
    ['呼叫值班', '人员']
    >>> broken("Call the duty officer", 6)
    ['Call the', 'duty', 'officer']
    """
    lines, line, room = [], "", ems
    for token in _tokens(text):
        wide = sum(WIDE_CHARS if ord(char) > 0x2E7F else 0.56 for char in token)
        if line and wide > room:
            lines.append(line.strip())
            line, room = "", ems
            token = token.lstrip()
        line += token
        room -= wide
    return [*lines, line.strip()] if line.strip() else lines


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    for char in text:
        if tokens and ord(char) <= 0x2E7F and not tokens[-1].endswith(" ") and ord(tokens[-1][-1]) <= 0x2E7F:
            tokens[-1] += char
        else:
            tokens.append(char)
    return tokens
