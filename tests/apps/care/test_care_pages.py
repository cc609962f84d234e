"""What care's pages show of a rule is what the rule says."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from hucheng.apps.care import pages
from hucheng.apps.care.app import app
from hucheng.apps.care.scores import latest
from hucheng.apps.care.vitals import LEVELS
from hucheng.rules import Pack, load, loads
from hucheng.rules.texts import law


def test_the_lines_beside_the_readings_are_the_packs_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    text = Path(app.rules / "blood-pressure.yaml").read_text(encoding="utf-8")
    assert {metric: line[0] for metric, line in pages.limits(date(2026, 3, 1)).items()} == {
        "systolic_bp": 180,
        "diastolic_bp": 110,
    }
    other: Pack = loads(text.replace("{type: integer, value: 180", "{type: integer, value: 175"))
    monkeypatch.setattr(pages, "_pack", lambda name: other)
    value, called = pages.limits(date(2026, 3, 1))["systolic_bp"]
    assert value == 175 and "175" in called["zh"] and "175" in called["en"]


def test_no_threshold_of_a_pack_is_written_again_in_the_code() -> None:
    numbers = {str(one.value) for path in app.packs for one in load(path).version().parameters.values()}
    assert numbers and not [number for number in numbers if f"({number}," in Path(pages.__file__).read_text("utf-8")]


def test_a_score_says_its_points_and_what_is_not_known() -> None:
    made = {
        "pack": "news2",
        "observed_at": "2026-03-01T02:30:00+00:00",
        "outcome": {"respiration_points": 3, "pulse_points": 1, "oxygen_points": 0, "urgent": True},
    }
    found = latest([{**made, "pack": "bed-exit"}, made], load(app.rules / "news2.yaml"))
    assert found is not None
    assert (found.total, found.least) == (None, 4)
    assert [(title["en"], points) for title, points in found.signs][:2] == [
        ("points for respiration", 3),
        ("points for pulse", 1),
    ]
    assert {"points for temperature", "points for consciousness"} <= {title["en"] for title in found.missing}
    whole = latest([{**made, "outcome": {**made["outcome"], "score": 9}}], load(app.rules / "news2.yaml"))  # type: ignore[dict-item]
    assert whole is not None and whole.total == 9
    assert latest([], load(app.rules / "news2.yaml")) is None


def test_an_alarm_of_blood_pressure_says_its_thresholds_and_both_values() -> None:
    pack = load(app.rules / "blood-pressure.yaml")
    day = date(2026, 3, 1)
    told = pack.explain({"systolic": 186, "diastolic": 114}, day)["outcomes"]["crisis"]["text"]
    limits = [str(one.value) for one in pack.version(day).parameters.values()]
    for text in told.values():
        assert all(number in text for number in [*limits, "186", "114"])


def test_the_names_of_consciousness_stand_in_the_order_of_its_codes() -> None:
    version = load(app.rules / "news2.yaml").version(date(2026, 3, 1))
    assert list(version.facts["consciousness"].kind.values) == LEVELS.to_pylist()


def test_every_rule_tells_its_basis_in_both_languages() -> None:
    for path in app.packs:
        basis = str(load(path).basis)
        assert law(basis, "zh") != law(basis, "en"), path.stem
