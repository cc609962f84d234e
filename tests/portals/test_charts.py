"""Readings as people read them: yes or no as a strip, steps by their names, a line for each threshold."""

from __future__ import annotations

from datetime import timedelta

from hucheng.portals.charts import STRIP, figures
from hucheng.portals.words import Catalogues

from .conftest import made
from .fake import NOW

EN = Catalogues([], "Asia/Shanghai")["en"]


def rows(metric: str, *values: float) -> list[dict[str, object]]:
    """A value every ten minutes, the last one now."""
    last = len(values) - 1
    return [
        {"metric": metric, "value": value, "observed_at": NOW - timedelta(minutes=10 * (last - n)), "simulated": True}
        for n, value in enumerate(values)
    ]


def test_yes_and_no_is_a_strip_with_words_in_its_table() -> None:
    bed = made().shell.services.catalogue.get("home.bed")
    strip, pulse = figures([*rows("in_bed", 0, 1, 1, 0, 1), *rows("heart_rate", 60, 61)], bed, EN)
    assert strip.data == {} and [one.name for one in strip.strips] == ["In bed"]
    assert strip.strips[0].spans == [(STRIP // 4, STRIP // 2), (STRIP - 2, 2)] and strip.strips[0].newest == "yes"
    assert [values for _, values in strip.lines] == [["yes"], ["no"], ["yes"], ["yes"], ["no"]]
    assert pulse.strips == [] and pulse.data["series"][0]["name"] == "Heart rate"


def test_steps_are_named_and_stand_by_themselves() -> None:
    shell = made().shell
    vitals = shell.services.catalogue.get("home.vitals")
    found = figures([*rows("on_oxygen", 0, 1), *rows("consciousness", 0, 1)], vitals, EN, steps=shell.lexicon.steps)
    oxygen, consciousness = found
    assert (oxygen.head, consciousness.head) == (["On oxygen"], ["Consciousness"])
    assert [values for _, values in consciousness.lines] == [["new confusion"], ["alert"]]
    assert consciousness.data == {} and consciousness.strips == []
