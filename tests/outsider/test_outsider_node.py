"""The same on a running node, as a data bureau would do it: install, see that nothing opens, accept, be warned."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.running import RunningNode, until

ASSESSMENT = "Temperature of the room only, of people who agreed; read by the officer of the open case."
JANUARY = datetime(datetime.now(UTC).year, 1, 10, 4, 0, tzinfo=UTC) - timedelta(days=365)


@pytest.fixture(scope="module")
def node(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """A demo city started where the package is installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(installed))
        running = RunningNode(tmp_path_factory.mktemp("home"), "--port", "0", "--residents", "60", "--no-feed")
        try:
            yield running.start()
        finally:
            running.stop()


def cold(node: RunningNode, folder: Path, minute: int) -> list[str]:
    """Send one reading of 12.5 °C, of the given minute of a January day; give whose rooms are alarmed."""
    file = folder / f"cold-{minute}.csv"
    at = (JANUARY + timedelta(minutes=minute)).isoformat()
    file.write_text(
        f"resident_id,device_id,metric,observed_at,value,unit\ncold-1,thermo-1,room_temperature,{at},12.5,Cel\n"
    )
    node.run("replay", str(file), "--as", "home.climate", "--enrol", "--live")
    return [case["resident_id"] for case in node.cases("--kind", "warmth.alarm") if case["rule"] == "cold_home"]


def requests(node: RunningNode) -> dict[str, str]:
    """State of what the app asks for."""
    listed = json.loads(node.run("apps", "list", "--json").stdout)
    return {f"{one['kind']} {one['id']}": one["state"] for one in listed if one["app"] == "warmth"}


def test_install_nothing_accept_alarm(node: RunningNode, tmp_path: Path) -> None:
    assert set(requests(node).values()) == {"requested"}
    assert cold(node, tmp_path, 0) == []
    before = node.parts()["intake"]["pid"]
    asked = ("policies", "warmth"), ("uses", "warmth"), ("purpose", "warmth.respond"), ("purpose", "warmth.detect")
    for kind, name in asked:
        node.run("apps", "accept", kind, name, "--assessment", ASSESSMENT)
    assert set(requests(node).values()) == {"accepted"}
    node.back("intake", before)
    minutes = iter(range(1, 1_000))
    assert until(lambda: cold(node, tmp_path, next(minutes)), 90, "the alarm of a cold room") == ["cold-1"]
    case = next(one["id"] for one in node.cases("--kind", "warmth.alarm"))
    assert node.run("warmth", "room", case, "--as", "li-min").stdout == "12.5 Cel\n"
    refused = node.run("warmth", "room", case, check=False)
    assert refused.returncode != 0 and "not for a operator" in refused.stderr + refused.stdout
    assert "No such command" in node.run("damp", check=False).stderr
    node.run(
        "apps", "refuse", "purpose", "warmth.detect", "--reason", "The contract with the housing office has ended."
    )
    assert requests(node)["purpose warmth.detect"] == "refused"
    until(lambda: [one["why"] for one in node.status()["blind"]], 60, "a node that says what it does not look for")
