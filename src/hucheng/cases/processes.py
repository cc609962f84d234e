"""Reading a BPMN 2.0 model: what it may hold is a closed list, and everything in it is checked before it is used.

A model may hold start and end events, user tasks, service tasks by name, exclusive gateways, sequence flows and timers
with a fixed duration. Our additions are attributes in the namespace `urn:hucheng:bpmn:1`:

- on the process: `kind`, `zh` (Chinese name; `name` is English);
- on a user task: `phase` (called, taken, way, there) and `deeds` (what completes it);
- on a service task: `do` (call, remind) and `tier`;
- on anything with a name: `zh`.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lxml import etree  # type: ignore[import-untyped, unused-ignore]
from SpiffWorkflow.bpmn.parser import BpmnParser
from SpiffWorkflow.bpmn.parser.event_parsers import BoundaryEventParser
from SpiffWorkflow.bpmn.parser.TaskParser import TaskParser
from SpiffWorkflow.bpmn.specs.defaults import BoundaryEvent, ServiceTask
from SpiffWorkflow.bpmn.specs.event_definitions.timer import DurationTimerEventDefinition
from SpiffWorkflow.exceptions import SpiffWorkflowException

from hucheng.cases import expressions
from hucheng.cases.diagram import Drawing, draw
from hucheng.errors import ProcessError

BPMN: Final = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
OURS: Final = "{urn:hucheng:bpmn:1}"
MAX_BYTES: Final = 1_000_000

PHASES: Final = ("called", "taken", "way", "there")
PHASE_TITLES: Final[Mapping[str, dict[str, str]]] = {
    "called": {"zh": "呼叫中", "en": "Called"},
    "taken": {"zh": "已接手", "en": "Taken"},
    "way": {"zh": "在路上", "en": "On the way"},
    "there": {"zh": "已到场", "en": "There"},
    "closed": {"zh": "有结果", "en": "Outcome"},
}
DEEDS: Final = frozenset({"take", "go", "visit", "close", "again"})
"""What can complete a step; `again` hands the case back to the roster."""

SERVICES: Final = frozenset({"call", "remind"})
"""call: call whoever is on duty in a tier; remind: tell the desk that a promise ran out."""

_FLOW = {"incoming", "outgoing", "documentation", "extensionElements"}
_ALLOWED: Final[Mapping[str, frozenset[str]]] = {
    "process": frozenset(
        {"startEvent", "endEvent", "userTask", "serviceTask", "exclusiveGateway", "boundaryEvent", "sequenceFlow"}
        | _FLOW
    ),
    "startEvent": frozenset(_FLOW),
    "endEvent": frozenset(_FLOW),
    "userTask": frozenset(_FLOW),
    "serviceTask": frozenset(_FLOW),
    "exclusiveGateway": frozenset(_FLOW),
    "boundaryEvent": frozenset(_FLOW | {"timerEventDefinition"}),
    "timerEventDefinition": frozenset({"timeDuration"}),
    "timeDuration": frozenset(),
    "sequenceFlow": frozenset({"conditionExpression", "documentation", "extensionElements"}),
    "conditionExpression": frozenset(),
    "incoming": frozenset(),
    "outgoing": frozenset(),
    "documentation": frozenset(),
    "extensionElements": frozenset(),
}
_DURATION = re.compile(r"^P(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,6})S)?)?$")


@dataclass(frozen=True)
class UserStep:
    """A step that waits for a human."""

    id: str
    phase: str
    deeds: frozenset[str]
    title: dict[str, str]


@dataclass(frozen=True)
class Service:
    """A step that the node does by itself."""

    id: str
    do: str
    tier: int
    title: dict[str, str]


@dataclass(frozen=True)
class Model:
    """A checked process. ``digest`` names this very text, so that running cases keep the model they began with."""

    kind: str
    title: dict[str, str]
    digest: str
    source: str
    spec: Any
    steps: Mapping[str, UserStep]
    services: Mapping[str, Service]
    timers: Mapping[str, float]
    """Seconds of each timer, by the id of its boundary event."""
    conditions: Mapping[str, ast.expr]
    drawing: Drawing
    tiers: int


class Due(DurationTimerEventDefinition):  # type: ignore[misc, unused-ignore]
    """A timer that never looks at a clock: it has fired when the desk's poller says so."""

    def has_fired(self, my_task: Any) -> bool:
        return bool(my_task._get_internal_data("event_fired", False))


class _Boundary(BoundaryEventParser):  # type: ignore[misc, unused-ignore]
    def parse_timer_event(self, event: Any) -> Due:
        text = event.find(f"{BPMN}timeDuration").text
        return Due(self.bpmn_id, text.strip(), description="Timer")


class _Named(ServiceTask):  # type: ignore[misc, unused-ignore]
    """A service task does nothing inside the engine: the desk carries out what its name asks for."""

    def _execute(self, task: Any) -> bool:
        return True


class _Parser(BpmnParser):  # type: ignore[misc, unused-ignore]
    OVERRIDE_PARSER_CLASSES = {  # noqa: RUF012
        f"{BPMN}boundaryEvent": (_Boundary, BoundaryEvent),
        f"{BPMN}serviceTask": (TaskParser, _Named),
    }


def load(path: Path) -> Model:
    """Read and check a model file. Raises ProcessError with the file, the element and how to mend it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProcessError("the model cannot be read", where=str(path), mend="a UTF-8 file of BPMN 2.0") from error
    return read(text, str(path))


def read(text: str, where: str) -> Model:
    """Check a model given as text; ``where`` is named in errors."""
    if len(text) > MAX_BYTES:
        raise ProcessError(f"the model has {len(text)} characters", where=where, mend=f"at most {MAX_BYTES}")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ProcessError("the model declares a document type", where=where, mend="take the DOCTYPE out")
    safe = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True)
    try:
        root = etree.fromstring(text.encode(), safe)
    except etree.XMLSyntaxError as error:
        raise ProcessError(f"not XML: {error}", where=where, mend="mend the XML") from error
    found = root.findall(f"{BPMN}process")
    if len(found) != 1:
        raise ProcessError(f"{len(found)} processes", where=where, mend="exactly one process in a file")
    process = found[0]
    for child in root:
        if isinstance(child.tag, str) and child.tag.startswith(BPMN) and child is not process:
            raise ProcessError(f"{_name(child)} is not allowed", where=_place(where, child), mend="one process only")
    _check_elements(process, "process", where)
    kind = process.get(f"{OURS}kind") or ""
    if not kind:
        raise ProcessError("the process names no kind", where=_place(where, process), mend='hucheng:kind="…"')
    steps = {node.get("id"): _step(node, where) for node in process.iter(f"{BPMN}userTask")}
    services = {node.get("id"): _service(node, where) for node in process.iter(f"{BPMN}serviceTask")}
    timers = {node.get("id"): _timer(node, where) for node in process.iter(f"{BPMN}boundaryEvent")}
    conditions = _conditions(process, where)
    if not steps or not services:
        raise ProcessError("nobody is called", where=where, mend="at least one service task and one user task")
    return Model(
        kind=kind,
        title=_title(process),
        digest=hashlib.sha256(text.encode()).hexdigest()[:16],
        source=text,
        spec=_spec(text, process.get("id"), where),
        steps=steps,
        services=services,
        timers=timers,
        conditions=conditions,
        drawing=draw(root, where),
        tiers=max((service.tier for service in services.values()), default=0),
    )


def _spec(text: str, process_id: str, where: str) -> Any:
    parser = _Parser()
    try:
        parser.add_bpmn_str(text.encode(), where)
        spec = parser.get_spec(process_id)
    except (SpiffWorkflowException, NotImplementedError, KeyError, AttributeError, ValueError) as error:
        raise ProcessError(f"the model is not sound: {error}", where=where, mend="see BPMN 2.0") from error
    return spec


def _check_elements(node: Any, kind: str, where: str) -> None:
    for child in node:
        if not isinstance(child.tag, str) or not child.tag.startswith(BPMN):
            raise ProcessError(
                f"{_name(child)} is not allowed in {kind}", where=_place(where, child), mend="take it out"
            )
        name = _name(child)
        if name not in _ALLOWED[kind]:
            raise ProcessError(
                f"{name} is not allowed in {kind}",
                where=_place(where, child),
                mend="allowed: " + ", ".join(sorted(_ALLOWED[kind])),
            )
        _check_elements(child, name, where)


def _step(node: Any, where: str) -> UserStep:
    phase = node.get(f"{OURS}phase") or ""
    deeds = frozenset((node.get(f"{OURS}deeds") or "").split())
    if phase not in PHASES:
        raise ProcessError(f"phase {phase!r}", where=_place(where, node), mend="one of " + ", ".join(PHASES))
    if not deeds or not deeds <= DEEDS:
        raise ProcessError(
            f"deeds {sorted(deeds)}", where=_place(where, node), mend="some of " + ", ".join(sorted(DEEDS))
        )
    return UserStep(node.get("id"), phase, deeds, _title(node))


def _service(node: Any, where: str) -> Service:
    do = node.get(f"{OURS}do") or ""
    if do not in SERVICES:
        raise ProcessError(
            f"unknown service {do!r}", where=_place(where, node), mend="one of " + ", ".join(sorted(SERVICES))
        )
    tier = node.get(f"{OURS}tier") or "0"
    if not re.fullmatch(r"[0-9]", tier) or (do == "call" and tier == "0"):
        raise ProcessError(f"tier {tier!r}", where=_place(where, node), mend="a digit from 1 to 9")
    return Service(node.get("id"), do, int(tier), _title(node))


def _timer(node: Any, where: str) -> float:
    found = node.findall(f"{BPMN}timerEventDefinition/{BPMN}timeDuration")
    if len(found) != 1:
        raise ProcessError("no single duration", where=_place(where, node), mend="one timeDuration, e.g. PT60S")
    seconds = duration_s((found[0].text or "").strip())
    if seconds is None or seconds <= 0:
        raise ProcessError(
            f"{found[0].text!r} is no fixed duration", where=_place(where, node), mend="ISO 8601, e.g. PT60S"
        )
    return seconds


def duration_s(text: str) -> float | None:
    """Seconds of an ISO 8601 duration in days, hours, minutes and seconds; None for anything else.

    >>> duration_s("PT1H30M"), duration_s("P1D"), duration_s("__import__('os')")
    (5400.0, 86400.0, None)
    """
    match = _DURATION.match(text)
    if match is None or not any(match.groups()):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _conditions(process: Any, where: str) -> dict[str, ast.expr]:
    gateways = {node.get("id"): node for node in process.iter(f"{BPMN}exclusiveGateway")}
    trees: dict[str, ast.expr] = {}
    for flow in process.iter(f"{BPMN}sequenceFlow"):
        found = flow.find(f"{BPMN}conditionExpression")
        if found is None:
            continue
        if flow.get("sourceRef") not in gateways:
            raise ProcessError("a condition away from a gateway", where=_place(where, flow), mend="add a gateway")
        trees[found.text] = expressions.check(found.text, _place(where, flow))
    for gateway in gateways.values():
        out = [flow for flow in process.iter(f"{BPMN}sequenceFlow") if flow.get("sourceRef") == gateway.get("id")]
        if len(out) > 1 and gateway.get("default") is None:
            raise ProcessError("no default flow", where=_place(where, gateway), mend='default="…": a case must move')
    return trees


def _title(node: Any) -> dict[str, str]:
    name = node.get("name") or ""
    return {"zh": node.get(f"{OURS}zh") or name, "en": name}


def _name(node: Any) -> str:
    return etree.QName(node).localname if isinstance(node.tag, str) else "a processing instruction"


def _place(where: str, node: Any) -> str:
    identity = node.get("id") if isinstance(node.tag, str) else None
    return f"{where}:{node.sourceline} {_name(node)}" + (f" {identity}" if identity else "")
