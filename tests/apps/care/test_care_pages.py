"""What care's pages show of a rule is what the rule says."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from hucheng.apps.care import pages
from hucheng.apps.care.app import app
from hucheng.rules import Pack, load, loads


def test_the_lines_beside_the_readings_are_the_packs_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    text = Path(app.rules / "blood-pressure.yaml").read_text(encoding="utf-8")
    assert {metric: line[0] for metric, line in pages.limits(date(2026, 3, 1)).items()} == {
        "systolic_bp": 180,
        "diastolic_bp": 110,
    }
    other: Pack = loads(text.replace("{type: integer, value: 180", "{type: integer, value: 175"))
    monkeypatch.setattr(pages, "_pack", lambda: other)
    value, called = pages.limits(date(2026, 3, 1))["systolic_bp"]
    assert value == 175 and "175" in called["zh"] and "175" in called["en"]


def test_no_threshold_of_a_pack_is_written_again_in_the_code() -> None:
    numbers = {str(one.value) for path in app.packs for one in load(path).version().parameters.values()}
    assert numbers and not [number for number in numbers if f"({number}," in Path(pages.__file__).read_text("utf-8")]
