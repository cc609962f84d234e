"""A node that does not look is never said to be ready: which detectors, by which name, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec

from hucheng.node.intake.process import Status as Told
from hucheng.node.intake.process import _said
from hucheng.node.running.health import NEEDED, put_together
from hucheng.node.steward.process import Status

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TITLE = {"zh": "夜间离床未归", "en": "Out of bed at night"}
PARTS = {name: {"state": "ready"} for name in NEEDED}


def status(blind: dict[str, str]) -> dict[str, Any]:
    desk: Any = SimpleNamespace(counts=dict)
    steward = Status(desk, lambda: NOW, list, {"bed_exit": TITLE})
    said = " · ".join(_said(blind)) or None
    steward.hear(msgspec.json.encode(Told(0, 0, 0, 0, 0, 0.0, 0, 0, said, NOW, blind=blind)))
    return put_together(steward.status(), PARTS)


def test_a_node_with_a_detector_that_does_not_run_is_degraded_and_says_which() -> None:
    told = status({"bed_exit": "the purpose was refused", "news2": "the purpose was refused"})
    assert told["status"] == "degraded"
    assert told["problems"] == ["intake 0: not looked for: bed_exit, news2 (the purpose was refused)"]
    assert [(one["detector"], one["title"].get("en")) for one in told["blind"]] == [
        ("bed_exit", "Out of bed at night"),
        ("news2", ""),
    ]


def test_a_node_that_looks_for_everything_is_ready() -> None:
    told = status({})
    assert (told["status"], told["problems"], told["blind"]) == ("ready", [], [])
