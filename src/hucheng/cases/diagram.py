"""The process as its author drew it: boxes and lines from BPMN DI, with where the case stands.

Pure: no rendering. The pages draw the shapes as SVG; who cannot see reads the steps.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Literal

from hucheng.cases.views import Diagram, Edge, Shape
from hucheng.errors import ProcessError

_DI: Final = "{http://www.omg.org/spec/BPMN/20100524/DI}"
_DC: Final = "{http://www.omg.org/spec/DD/20100524/DC}"
_OMGDI: Final = "{http://www.omg.org/spec/DD/20100524/DI}"
_BPMN: Final = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_ZH: Final = "{urn:hucheng:bpmn:1}zh"
_MARGIN: Final = 20.0

Kind = Literal["start", "end", "task", "service", "gateway", "timer", "event"]
_KINDS: Final[dict[str, Kind]] = {
    "startEvent": "start",
    "endEvent": "end",
    "userTask": "task",
    "serviceTask": "service",
    "exclusiveGateway": "gateway",
    "boundaryEvent": "timer",
}


@dataclass(frozen=True)
class Drawing:
    """Shapes and edges without state, moved so that the picture begins at (0, 0)."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    edges: tuple[Edge, ...]


def draw(root: Any, where: str) -> Drawing:
    """Read the drawing of a parsed model (an lxml tree). Raises ProcessError where a shape or line is not drawn."""
    nodes = {node.get("id"): node for node in root.iter() if isinstance(node.tag, str) and _local(node) in _KINDS}
    flows = {node.get("id"): node for node in root.iter(f"{_BPMN}sequenceFlow")}
    shapes: list[Shape] = []
    for drawn in root.iter(f"{_DI}BPMNShape"):
        node = nodes.get(drawn.get("bpmnElement"))
        if node is None:
            continue
        bounds = drawn.find(f"{_DC}Bounds")
        label = drawn.find(f"{_DI}BPMNLabel/{_DC}Bounds")
        if bounds is None:
            raise ProcessError("a shape without bounds", where=f"{where} {drawn.get('id')}", mend="draw it")
        x, y, width, height = _box(bounds, where)
        shapes.append(
            Shape(
                id=node.get("id"),
                kind=_KINDS[_local(node)],
                title=_title(node),
                x=x,
                y=y,
                width=width,
                height=height,
                label=None if label is None else _box(label, where),
            )
        )
    edges = [
        Edge(
            id=flow.get("id"),
            source=flow.get("sourceRef"),
            target=flow.get("targetRef"),
            points=[_point(point, where) for point in drawn.iter(f"{_OMGDI}waypoint")],
            title=_title(flow) if flow.get("name") else {},
        )
        for drawn in root.iter(f"{_DI}BPMNEdge")
        if (flow := flows.get(drawn.get("bpmnElement"))) is not None
    ]
    missing = (nodes.keys() - {shape.id for shape in shapes}) | (flows.keys() - {edge.id for edge in edges})
    if missing:
        raise ProcessError(
            "not drawn: " + ", ".join(sorted(str(name) for name in missing)),
            where=where,
            mend="draw every element (BPMN DI), the officer sees this picture",
        )
    return _moved(shapes, edges)


def stand(drawing: Drawing, done: Collection[str], here: Collection[str]) -> Diagram:
    """The drawing with the state of a case: what lies behind it and where it is."""
    shapes = [
        Shape(**{name: getattr(shape, name) for name in shape.__struct_fields__ if name != "state"}, state=state)
        for shape in drawing.shapes
        for state in [_state(shape.id, done, here)]
    ]
    return Diagram(drawing.width, drawing.height, shapes, list(drawing.edges), sorted(here))


def _state(name: str, done: Collection[str], here: Collection[str]) -> Literal["done", "here", "ahead"]:
    return "here" if name in here else "done" if name in done else "ahead"


def _moved(shapes: list[Shape], edges: list[Edge]) -> Drawing:
    boxes = [(s.x, s.y, s.width, s.height) for s in shapes] + [s.label for s in shapes if s.label]
    points = [point for edge in edges for point in edge.points]
    xs = [x for x, _, _, _ in boxes] + [x for x, _ in points]
    ys = [y for _, y, _, _ in boxes] + [y for _, y in points]
    left, top = min(xs) - _MARGIN, min(ys) - _MARGIN
    right = max([x + w for x, _, w, _ in boxes] + [x for x, _ in points]) + _MARGIN
    bottom = max([y + h for _, y, _, h in boxes] + [y for _, y in points]) + _MARGIN
    for shape in shapes:
        shape.x, shape.y = shape.x - left, shape.y - top
        if shape.label:
            shape.label = (shape.label[0] - left, shape.label[1] - top, shape.label[2], shape.label[3])
    for edge in edges:
        edge.points = [(x - left, y - top) for x, y in edge.points]
    return Drawing(right - left, bottom - top, tuple(shapes), tuple(edges))


def _box(node: Any, where: str) -> tuple[float, float, float, float]:
    x, y, width, height = (_number(node, name, where) for name in ("x", "y", "width", "height"))
    return x, y, width, height


def _point(node: Any, where: str) -> tuple[float, float]:
    return _number(node, "x", where), _number(node, "y", where)


def _number(node: Any, name: str, where: str) -> float:
    try:
        value = float(node.get(name))
    except (TypeError, ValueError) as error:
        raise ProcessError(f"{name} is no number", where=f"{where}:{node.sourceline}", mend="draw it again") from error
    if not -1e6 < value < 1e6:
        raise ProcessError(f"{name} = {value}", where=f"{where}:{node.sourceline}", mend="within a page's size")
    return value


def _local(node: Any) -> str:
    return str(node.tag).removeprefix(_BPMN)


def _title(node: Any) -> dict[str, str]:
    name = node.get("name") or ""
    return {"zh": node.get(_ZH) or name, "en": name}
