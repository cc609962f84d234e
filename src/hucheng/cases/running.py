"""One running process: what it waits for, what a deed or a timer makes of it, and its state as JSON.

Pure but for SpiffWorkflow's own bookkeeping: no clock is read here. Timers fire when the caller says so; what the node
must do by itself comes out as effects, which the caller carries out in the same transaction.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec
from SpiffWorkflow.bpmn import BpmnWorkflow
from SpiffWorkflow.bpmn.script_engine import BasePythonScriptEngineEnvironment, PythonScriptEngine
from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer
from SpiffWorkflow.bpmn.serializer.config import DEFAULT_CONFIG
from SpiffWorkflow.bpmn.serializer.default.workflow import BpmnWorkflowConverter
from SpiffWorkflow.bpmn.specs.defaults import BoundaryEvent
from SpiffWorkflow.util.task import TaskState

from hucheng.cases import expressions
from hucheng.cases.diagram import stand
from hucheng.cases.processes import PHASE_TITLES, PHASES, Model, Service, UserStep
from hucheng.cases.views import Diagram, Step
from hucheng.errors import CaseError, ProcessError


@dataclass(frozen=True)
class Timer:
    """A timer that waits: ``task`` is its name within this case, ``seconds`` its length from now on."""

    task: str
    step: str
    seconds: float


@dataclass
class Moved:
    """What a move of the process asks for: services to carry out, timers begun and timers gone."""

    services: list[Service] = field(default_factory=list)
    begun: list[Timer] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Stand:
    """Where a process stands, as the ledger keeps it; ``step`` is None once it has ended."""

    model: Model
    step: UserStep | None
    state: bytes
    waiting: int
    """How many timers wait."""


class _Closed(BasePythonScriptEngineEnvironment):  # type: ignore[misc, unused-ignore]
    """An environment that evaluates checked conditions and nothing else."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def evaluate(self, expression: str, context: Mapping[str, Any], external_context: Any = None) -> Any:
        tree = self.model.conditions.get(expression)
        if tree is None:
            raise ProcessError("a condition that was not checked", where=self.model.kind)
        return expressions.evaluate(tree, context)

    def execute(self, script: str, context: Any, external_context: Any = None) -> bool:
        raise ProcessError("a script", where=self.model.kind, mend="a process holds no code")

    def call_service(self, context: Any, **kwargs: Any) -> Any:
        raise ProcessError("a service call", where=self.model.kind, mend="services are carried out by the desk")


def packed(state: Mapping[str, Any]) -> bytes:
    """A state as the ledger keeps it: JSON, compressed."""
    return zlib.compress(msgspec.json.encode(state), 1)


def unpacked(body: bytes) -> dict[str, Any]:
    """What `packed` packed."""
    found: dict[str, Any] = msgspec.json.decode(zlib.decompress(body))
    return found


class Running:
    """A process under way."""

    def __init__(self, model: Model, workflow: Any) -> None:
        self.model = model
        self._workflow = workflow
        self._waiting = {timer.task for timer in self._timers()}

    @classmethod
    def start(cls, model: Model, values: Mapping[str, Any]) -> tuple[Running, Moved]:
        """Begin; the effects hold the first calls and timers."""
        workflow = BpmnWorkflow(model.spec, script_engine=PythonScriptEngine(_Closed(model)))
        workflow.task_tree.data.update(values)
        running = cls(model, workflow)
        return running, running._advance()

    @classmethod
    def restore(cls, model: Model, state: Mapping[str, Any]) -> Running:
        """Continue from `state` under the very model it began with."""
        workflow = _serializer(model).from_dict({**state, "typename": "BpmnWorkflow"})
        workflow.script_engine = PythonScriptEngine(_Closed(model))
        return cls(model, workflow)

    def state(self) -> dict[str, Any]:
        """What must be kept: plain JSON without the model."""
        kept: dict[str, Any] = _serializer(self.model).to_dict(self._workflow)
        return _without_old_loops(kept)

    def stand(self) -> Stand:
        """Where it stands now."""
        return Stand(self.model, self.step, packed(self.state()), len(self._waiting))

    @property
    def ended(self) -> bool:
        """True when nobody is waited for any more."""
        return self.step is None

    @property
    def step(self) -> UserStep | None:
        """The step that waits for a human."""
        for task in self._workflow.get_tasks(state=TaskState.READY):
            if (step := self.model.steps.get(task.task_spec.name)) is not None:
                return step
        return None

    def complete(self, deed: str) -> Moved:
        """A human did it. Raises CaseError where the deed does not fit the step."""
        step = self.step
        if step is None or deed not in step.deeds:
            raise CaseError(
                f"{deed} does not fit {step.title['en'] if step else 'a closed case'}",
                mend="fitting: " + (", ".join(sorted(step.deeds)) if step else "nothing"),
            )
        task = next(task for task in self._workflow.get_tasks(state=TaskState.READY) if task.task_spec.name == step.id)
        task.data["deed"] = deed
        task.run()
        return self._advance()

    def stay(self) -> Moved:
        """Nothing moves: a note, a new time of arrival."""
        return Moved()

    def fire(self, task: str) -> Moved | None:
        """A timer ran out; None where it no longer waits (somebody was quicker)."""
        found = self._workflow.tasks.get(UUID(task))
        if found is None or not found.has_state(TaskState.WAITING) or not _is_timer(found):
            return None
        found._set_internal_data(event_fired=True)
        found.task_spec._update(found)
        return self._advance()

    def close(self) -> None:
        """Stop without an end event (an erased person's case)."""
        self._workflow.cancel()

    def progress(self) -> list[Step]:
        """The phases for a line of progress."""
        step = self.step
        done = {
            self.model.steps[task.task_spec.name].phase
            for task in self._workflow.tasks.values()
            if task.has_state(TaskState.COMPLETED) and task.task_spec.name in self.model.steps
        }
        if step is None:
            done.add("closed")
        here = step.phase if step else ""
        return [
            Step(name, dict(PHASE_TITLES[name]), "here" if name == here else "done" if name in done else "ahead")
            for name in (*PHASES, "closed")
        ]

    def picture(self) -> Diagram:
        """The diagram with where the case stands."""
        done: set[str] = set()
        here: set[str] = set()
        for task in self._workflow.tasks.values():
            name = task.task_spec.name
            if task.has_state(TaskState.COMPLETED):
                done.add(name)
            elif task.has_state(TaskState.READY) and name in self.model.steps:
                here.add(name)
        return stand(self.model.drawing, done, here)

    def _advance(self) -> Moved:
        moved = Moved()

        def note(task: Any) -> None:
            service = self.model.services.get(task.task_spec.name)
            if service is not None:
                moved.services.append(service)
                if service.tier:
                    task.data["tier"] = service.tier

        self._workflow.do_engine_steps(will_complete_task=note)
        now = self._timers()
        names = {timer.task for timer in now}
        moved.begun = [timer for timer in now if timer.task not in self._waiting]
        moved.gone = sorted(self._waiting - names)
        self._waiting = names
        return moved

    def _timers(self) -> list[Timer]:
        return [
            Timer(str(task.id), task.task_spec.name, self.model.timers[task.task_spec.name])
            for task in self._workflow.get_tasks(state=TaskState.WAITING)
            if _is_timer(task)
        ]


def _is_timer(task: Any) -> bool:
    return isinstance(task.task_spec, BoundaryEvent)


class _WithoutSpec(BpmnWorkflowConverter):  # type: ignore[misc, unused-ignore]
    """Keeps the task tree only: the model is known by its digest, half of the bytes would be its copy."""

    spec: Any = None

    def to_dict(self, workflow: Any) -> dict[str, Any]:
        kept: dict[str, Any] = super(BpmnWorkflowConverter, self).to_dict(workflow)
        return kept

    def from_dict(self, dct: dict[str, Any]) -> Any:
        workflow = self.target_class(self.registry.hucheng_spec, {}, deserializing=True)
        workflow.tasks = self.mapping_from_dict(dct["tasks"], UUID, workflow=workflow)
        workflow.task_tree = workflow.tasks.get(UUID(dct["root"]))
        self.set_default_attributes(workflow, dct)
        return workflow


_serializers: dict[str, Any] = {}


def _serializer(model: Model) -> Any:
    found = _serializers.get(model.digest)
    if found is None:
        registry = BpmnWorkflowSerializer.configure({**DEFAULT_CONFIG, BpmnWorkflow: _WithoutSpec})
        registry.hucheng_spec = model.spec
        found = _serializers[model.digest] = BpmnWorkflowSerializer(registry)
    return found


def _without_old_loops(state: dict[str, Any]) -> dict[str, Any]:
    """The state with every finished turn of a loop taken out, so that calling all night does not grow it.

    On the way from the root to where the process waits, a step passed twice keeps its newer passing only; what
    happened in between stands in the case's history.
    """
    tasks: dict[str, dict[str, Any]] = state["tasks"]
    ready = [t for t in tasks.values() if t["state"] in (TaskState.READY, TaskState.WAITING)]
    if not ready:
        return state
    path: list[str] = []
    at: str | None = ready[0]["id"]
    while at is not None:
        path.append(at)
        at = tasks[at]["parent"]
    path.reverse()
    first: dict[str, str] = {}
    for name in path:
        spec = tasks[name]["task_spec"]
        if spec in first:
            _splice(tasks, first[spec], name)
            return _without_old_loops(state)
        first[spec] = name
    return state


def _splice(tasks: dict[str, dict[str, Any]], older: str, newer: str) -> None:
    """Put the subtree of ``newer`` in the place of ``older``."""
    parent = tasks[older]["parent"]
    keep = _below(tasks, newer)
    for name in _below(tasks, older) - keep:
        del tasks[name]
    tasks[newer]["parent"] = parent
    if parent is not None:
        tasks[parent]["children"] = [newer if child == older else child for child in tasks[parent]["children"]]


def _below(tasks: dict[str, dict[str, Any]], name: str) -> set[str]:
    found: set[str] = set()
    todo = [name]
    while todo:
        at = todo.pop()
        if at in tasks and at not in found:
            found.add(at)
            todo.extend(tasks[at]["children"])
    return found
