"""Real people's blood pressure, over MQTT, to alarms a named human can take: exactly those in crisis, once each."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import nhanes
from tests.running import RunningNode, until

CRISIS = "bp_crisis"


@pytest.fixture(scope="module")
def replayed(node: RunningNode, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int], set[str]]:
    """The file, what became of it at its first replay, and who is in crisis by plain counting."""
    source = (
        Path(__file__).resolve().parents[3] / "shared" / "data" / "care" / "nhanes_bp" / "nhanes_2021_2023_bp.csv.gz"
    )
    if not source.exists():
        pytest.skip("real data not present: care/nhanes_bp (the same path is tested on synthetic people elsewhere)")
    file = tmp_path_factory.mktemp("nhanes") / "readings.csv"
    nhanes.write(source, file, datetime.now(UTC))
    done = node.run("replay", str(file), "--as", "home.blood_pressure", "--enrol", "--json")
    return file, json.loads(done.stdout), nhanes.in_crisis(source)


def crises(node: RunningNode) -> list[dict[str, Any]]:
    return [case for case in node.cases("--kind", "care.alarm") if case["rule"] == CRISIS]


def nhanes_crises(node: RunningNode) -> list[dict[str, Any]]:
    return [case for case in crises(node) if case["resident_id"].startswith("nhanes-")]


def test_exactly_those_in_crisis_have_one_alarm_each_with_reasons(
    node: RunningNode, replayed: tuple[Path, dict[str, int], set[str]]
) -> None:
    file, counts, expected = replayed
    rows = sum(1 for _ in file.open()) - 1
    assert counts["received"] == counts["accepted"] == rows
    assert counts["quarantined"] == counts["duplicate"] == 0
    assert len(expected) == 57
    found = until(lambda: (c := nhanes_crises(node)) and len(c) >= len(expected) and c, 60, "57 alarms")
    assert sorted(case["resident_id"] for case in found) == sorted(expected)
    for case in found:
        assert {"id", "kind", "rule", "resident_id", "opened_at", "state", "reasons"} <= case.keys()
        assert case["kind"] == "care.alarm"
        assert case["state"] != "closed"
        facts = {reason["fact"]: float(reason["value"]) for reason in case["reasons"]}
        assert facts.get("systolic", 0) >= 180 or facts.get("diastolic", 0) >= 110


def test_the_same_file_again_adds_no_row_and_no_alarm(
    node: RunningNode, replayed: tuple[Path, dict[str, int], set[str]]
) -> None:
    file, first, expected = replayed
    before = node.status()["readings"]
    done = node.run("replay", str(file), "--as", "home.blood_pressure", "--enrol", "--json")
    counts = json.loads(done.stdout)
    assert counts["duplicate"] == first["accepted"]
    assert counts["accepted"] == counts["quarantined"] == 0
    assert node.status()["readings"]["accepted"] == before["accepted"]
    assert len(nhanes_crises(node)) == len(expected)


def test_history_is_stored_and_alarms_nobody_unless_live(
    node: RunningNode, tmp_path: Path, write_readings: Callable[..., Path]
) -> None:
    old = "2026-01-05T08:00:00Z"
    file = write_readings(tmp_path / "old.csv", [("old-1", "cuff-old-1", "systolic_bp", old, 200, "mm[Hg]")])
    counts = json.loads(node.run("replay", str(file), "--as", "home.blood_pressure", "--enrol", "--json").stdout)
    assert counts["accepted"] == 1
    live = write_readings(tmp_path / "live.csv", [("old-2", "cuff-old-2", "systolic_bp", old, 201, "mm[Hg]")])
    node.run("replay", str(live), "--as", "home.blood_pressure", "--enrol", "--live")
    until(lambda: any(case["resident_id"] == "old-2" for case in crises(node)), 20, "the live alarm")
    assert not any(case["resident_id"] == "old-1" for case in crises(node))


def test_the_look_itself_is_in_the_journal_and_the_journal_is_whole(node: RunningNode) -> None:
    before = json.loads(node.run("journal", "verify", "--json").stdout)
    node.cases("--open")
    after = json.loads(node.run("journal", "verify", "--json").stdout)
    assert before["whole"] and after["whole"]
    assert after["count"] > before["count"]
    assert after["root"] != before["root"]
