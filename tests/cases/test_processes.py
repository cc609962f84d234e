"""A process model can call, wait and branch; it can never run code, and what it may hold is a closed list."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hucheng.cases import expressions
from hucheng.cases.processes import Model, duration_s, load, read
from hucheng.cases.running import Running
from hucheng.errors import ProcessError

from .conftest import PROCESSES

ALARM = (PROCESSES / "care_alarm.bpmn").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def alarm() -> Model:
    return load(PROCESSES / "care_alarm.bpmn")


@pytest.mark.parametrize("path", sorted(PROCESSES.glob("*.bpmn")), ids=lambda path: path.stem)
def test_the_shipped_processes_load_with_names_in_both_languages(path: Path) -> None:
    model = load(path)
    for shape in model.drawing.shapes:
        if shape.kind in ("task", "service", "start", "end") and shape.title["en"]:
            assert re.search(r"[一-鿿]", shape.title["zh"]), shape
    assert model.title["zh"] != model.title["en"]


PYTHON = [
    "__import__('os').system('true')",
    "().__class__.__bases__[0].__subclasses__()",
    "open('/etc/passwd')",
    "deed.upper() == 'X'",
    "[x for x in (1,)]",
    "(lambda: True)()",
    "f'{deed}' == 'x'",
    "(deed := 'close')",
    "deed if urgent else tier",
    "{'a': 1}",
    "tier[0]",
    "tier ** 999999999",
    "tier * 2 == 4",
    "deed in ('close',)",
    "deed is None",
    "os",
    "await deed",
    "yield",
    "import os",
    "True; False",
    "…",
    "",
    "   ",
    "(" * 300,
    "1" * 500,
    "b'x' == deed",
]


@pytest.mark.parametrize("code", PYTHON)
def test_a_condition_with_more_than_names_and_comparisons_is_refused_with_file_and_element(code: str) -> None:
    escaped = code.replace("&", "&amp;").replace("<", "&lt;")
    with pytest.raises(ProcessError) as caught:
        read(ALARM.replace("deed == 'visit'", escaped, 1), "bad.bpmn")
    assert "bad.bpmn" in str(caught.value)
    assert "taken_there" in str(caught.value)
    assert caught.value.mend


ELEMENTS = {
    "script task": '<bpmn:scriptTask id="evil"><bpmn:script>import os</bpmn:script></bpmn:scriptTask>',
    "business rule": '<bpmn:businessRuleTask id="evil" />',
    "call activity": '<bpmn:callActivity id="evil" calledElement="x" />',
    "subprocess": '<bpmn:subProcess id="evil" />',
    "send task": '<bpmn:sendTask id="evil" />',
    "data object": '<bpmn:dataObject id="evil" />',
    "cycle": '<bpmn:intermediateCatchEvent id="evil" />',
    "foreign": '<x:y xmlns:x="urn:x" id="evil" />',
}


@pytest.mark.parametrize("name", sorted(ELEMENTS))
def test_an_element_outside_the_list_is_refused(name: str) -> None:
    text = ALARM.replace('<bpmn:endEvent id="closed"', ELEMENTS[name] + '<bpmn:endEvent id="closed"', 1)
    with pytest.raises(ProcessError, match="is not allowed") as caught:
        read(text, "bad.bpmn")
    assert "evil" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('hucheng:do="call" hucheng:tier="1"', 'hucheng:do="shell" hucheng:tier="1"', "unknown service"),
        ('hucheng:tier="1"', 'hucheng:tier="__import__"', "tier"),
        ('hucheng:deeds="take"', 'hucheng:deeds="take rm"', "deeds"),
        ('hucheng:phase="called"', 'hucheng:phase="hacked"', "phase"),
        ("PT60S", "__import__('os')", "no fixed duration"),
        ("PT60S", "P", "no fixed duration"),
        ("PT60S", "PT0S", "no fixed duration"),
        ("PT60S", "R/PT60S", "no fixed duration"),
        ("PT60S", "2026-01-01", "no fixed duration"),
        ('hucheng:kind="care.alarm"', "", "names no kind"),
        (' default="to_way"', "", "no default flow"),
        ('bpmnElement="call_1">', 'bpmnElement="nothing">', "not drawn"),
        ('x="70"', 'x="nan"', "x"),
        ("<bpmn:definitions ", "<!DOCTYPE x [<!ENTITY e 'e'>]><bpmn:definitions ", "document type"),
        ("</bpmn:process>", "</bpmn:process><bpmn:process id='b' />", "2 processes"),
        ("</bpmn:process>", "</bpmn:process><bpmn:message id='b' />", "message is not allowed"),
        ("</bpmn:definitions>", "", "not XML"),
        ('targetRef="call_1"', 'targetRef="nowhere"', "not sound"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(old: str, new: str, said: str) -> None:
    assert old in ALARM
    with pytest.raises(ProcessError, match=said):
        read(ALARM.replace(old, new, 1), "bad.bpmn")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.bpmn").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProcessError, match=r"x\.bpmn"):
        load(tmp_path / "x.bpmn")


@settings(deadline=None)
@given(st.integers(0, 365), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_durations_are_read_exactly(days: int, hours: int, minutes: int, seconds: int) -> None:
    text = f"P{days}DT{hours}H{minutes}M{seconds}S"
    assert duration_s(text) == ((days * 24 + hours) * 60 + minutes) * 60 + seconds


LEAVES = st.sampled_from(
    ["deed", "tier", "urgent", "joined", "1", "2", "0", "'close'", "'go'", "True", "False", "None"]
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["==", "!=", "and", "or"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda text: f"(not {text})"),
    ),
    max_leaves=8,
)
VALUES = st.fixed_dictionaries(
    {
        "deed": st.sampled_from(["go", "close", None]),
        "tier": st.integers(0, 4),
        "urgent": st.booleans(),
        "joined": st.integers(0, 3),
    }
)


@settings(deadline=None)
@given(CONDITIONS, VALUES)
def test_our_evaluator_agrees_with_python(text: str, values: dict[str, Any]) -> None:
    ours = expressions.evaluate(expressions.check(text, "here"), values)
    assert bool(ours) == bool(eval(text, {"__builtins__": {}}, values))


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_either_refused_or_harmless(text: str) -> None:
    try:
        tree = expressions.check(text, "here")
    except ProcessError:
        return
    allowed = (
        ast.Constant, ast.Name, ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Compare, ast.Load,
        ast.boolop, ast.unaryop, ast.operator, ast.cmpop,
    )  # fmt: skip
    assert all(isinstance(node, allowed) for node in ast.walk(tree))


def test_the_engine_itself_runs_nothing_that_was_not_checked(alarm: Model) -> None:
    running, _ = Running.start(alarm, {})
    engine = running._workflow.script_engine
    with pytest.raises(ProcessError, match="not checked"):
        engine.environment.evaluate("__import__('os')", {})
    with pytest.raises(ProcessError, match="script"):
        engine.environment.execute("import os", {})
    with pytest.raises(ProcessError, match="service"):
        engine.environment.call_service({})


def test_the_state_is_plain_json_and_holds_no_code(alarm: Model) -> None:
    running, _ = Running.start(alarm, {"urgent": True})
    text = json.dumps(running.state())
    assert "spec" not in json.loads(text)
    again = Running.restore(alarm, json.loads(text))
    assert again.step == running.step
    again.complete("take")
    assert again.step is not None and again.step.phase == "taken"


@settings(deadline=None)
@given(st.lists(st.sampled_from(["take", "go", "visit", "close", "again", "timer"]), max_size=14))
def test_any_order_of_deeds_and_timers_keeps_one_place_and_survives_storage(alarm: Model, moves: list[str]) -> None:
    running, moved = Running.start(alarm, {"deed": "", "tier": 0})
    waiting = {timer.task for timer in moved.begun}
    for move in moves:
        step = running.step
        if step is None:
            break
        if move == "timer":
            if not waiting:
                continue
            fired = running.fire(sorted(waiting)[0])
            assert fired is not None
        elif move in step.deeds:
            fired = running.complete(move)
        else:
            with pytest.raises(Exception, match="does not fit"):
                running.complete(move)
            continue
        waiting = (waiting | {timer.task for timer in fired.begun}) - set(fired.gone)
        running = Running.restore(alarm, json.loads(json.dumps(running.state())))
        assert {timer.task for timer in running._timers()} == waiting
        if running.step is not None and running.step.phase == "called":
            assert len(waiting) == 1
    here = running.picture().here
    assert here == ([running.step.id] if running.step else [])


def test_the_picture_shows_where_it_stands_and_has_no_negative_corner(alarm: Model) -> None:
    running, moved = Running.start(alarm, {})
    running.fire(moved.begun[0].task)
    picture = running.picture()
    states = {shape.id: shape.state for shape in picture.shapes}
    assert states["answer_2"] == "here"
    assert states["call_1"] == states["call_2"] == states["wait_1"] == "done"
    assert states["taken"] == "ahead"
    assert all(shape.x >= 0 and shape.x + shape.width <= picture.width for shape in picture.shapes)
    assert all(0 <= x <= picture.width and 0 <= y <= picture.height for e in picture.edges for x, y in e.points)


def test_progress_does_not_claim_what_did_not_happen(alarm: Model) -> None:
    running, _ = Running.start(alarm, {})
    running.complete("take")
    running.complete("close")
    assert [(step.id, step.state) for step in running.progress()] == [
        ("called", "done"),
        ("taken", "done"),
        ("way", "ahead"),
        ("there", "ahead"),
        ("closed", "done"),
    ]
