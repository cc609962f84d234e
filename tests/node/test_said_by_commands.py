"""What commands say is in words: of a case what it is about, of a file what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from hucheng.cli import front
from hucheng.cli.words import CaseWords
from hucheng.node.home.people import LOCAL

from .house import House


def test_a_case_whose_title_the_purpose_hides_says_its_rule_and_its_reasons(house: House) -> None:
    house.open_case()
    [row] = house.desk.queue(house.who(LOCAL)).cases
    assert row.title == {} and row.text == {}
    said = CaseWords(house.steward.settings)
    assert said.title(row)["zh"] == "血压危急" and said.title(row)["en"]
    assert said.text(row) == {"zh": "收缩压 184 mmHg", "en": "Systolic pressure 184 mmHg"}
    [shown] = house.desk.queue(house.who("li-min")).cases
    assert (said.title(shown), said.text(shown)) == (shown.title, shown.text)


@pytest.mark.parametrize("speed", ["nan", "inf", "-inf", "0", "-1", "fast"])
def test_a_speed_that_is_none_is_refused(tmp_path: Path, speed: str) -> None:
    told = CliRunner().invoke(
        front, ["replay", "x.csv", "--as", "home.bed", f"--speed={speed}", "--home", str(tmp_path)]
    )
    assert told.exit_code == 2 and "is no speed" in told.output
