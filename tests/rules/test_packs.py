# ruff: noqa: E501
"""The packs that ship: their worked examples hold by every road, and what they promise in words is so."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hucheng.rules import load, names
from hucheng.rules.kinds import plain
from hucheng.rules.model import FactDeclared
from hucheng.rules.strict import Layers

SHIPPED = sorted(names())
EXAMPLES = [
    (name, number, place)
    for name in SHIPPED
    for number, version in enumerate(load(name).versions)
    for place in range(len(version.examples))
]


def arrow_type(fact: FactDeclared) -> pa.DataType:
    kinds = {"boolean": pa.bool_(), "enum": pa.string(), "date": pa.date32(), "number": pa.float64()}
    return kinds[fact.kind.name]


@pytest.mark.parametrize(("name", "number", "place"), EXAMPLES)
def test_a_worked_example_holds(name: str, number: int, place: int) -> None:
    pack = load(name)
    version = pack.versions[number]
    example = version.examples[place]
    facts = {fact: plain(version.facts[fact].kind, value) for fact, value in example.facts.items()}
    wanted = {out: plain(version.outcomes[out].kind, value) for out, value in example.outcomes.items()}
    explained = pack.explain(facts, example.on)["outcomes"]
    assert {out: explained[out]["value"] for out in wanted} == wanted
    arrays = {
        fact: pa.array([float(v) if declared.kind.name == "number" and v is not None else v], arrow_type(declared))
        for fact, declared in version.facts.items()
        for v in [facts.get(fact)]
    }
    row = pack.decide(pa.table(arrays), example.on).to_pylist()[0]
    assert {out: row[out] for out in wanted} == wanted and row["_problem"] is None


@pytest.mark.parametrize("name", SHIPPED)
def test_every_pack_has_words_in_both_languages_and_worked_examples(name: str) -> None:
    pack = load(name)
    assert pack.basis and set(pack.title) == {"zh", "en"}
    for version in pack.versions:
        assert version.examples
        assert all(set(o.title) == {"zh", "en"} and o.title["zh"] != o.name for o in version.outcomes.values())
        Layers(version, date(2026, 3, 1))


def news(**facts: Any) -> dict[str, Any]:
    base = {
        "born": date(1950, 1, 1), "pregnant": False, "hypercapnic": False, "consciousness": "alert", "oxygen": False,
        "oxygen_saturation": 97, "respiratory_rate": 16, "systolic": 120, "pulse": 70, "temperature": 37.0,
    }  # fmt: skip
    found = load("news2").explain(base | facts, date(2026, 3, 1))["outcomes"]
    return {name: each["value"] for name, each in found.items()}


@pytest.mark.parametrize(
    ("facts", "points"),
    [
        *[({"respiratory_rate": r}, p) for r, p in [(8, 3), (9, 1), (11, 1), (12, 0), (20, 0), (21, 2), (24, 2), (25, 3)]],
        *[({"oxygen_saturation": s}, p) for s, p in [(91, 3), (92, 2), (93, 2), (94, 1), (95, 1), (96, 0)]],
        *[({"systolic": s}, p) for s, p in [(90, 3), (91, 2), (100, 2), (101, 1), (110, 1), (111, 0), (219, 0), (220, 3)]],
        *[({"pulse": s}, p) for s, p in [(40, 3), (41, 1), (50, 1), (51, 0), (90, 0), (91, 1), (110, 1), (111, 2), (130, 2), (131, 3)]],
        *[({"temperature": t}, p) for t, p in [(35.0, 3), (35.1, 1), (36.0, 1), (36.1, 0), (38.0, 0), (38.1, 1), (39.0, 1), (39.1, 2)]],
        *[({"consciousness": c}, 3) for c in ("new_confusion", "voice", "pain", "unresponsive")],
        ({"oxygen": True}, 2),
        *[({"hypercapnic": True, "oxygen_saturation": s}, p) for s, p in [(83, 3), (84, 2), (85, 2), (86, 1), (87, 1), (88, 0), (92, 0), (93, 0), (100, 0)]],
        *[({"hypercapnic": True, "oxygen": True, "oxygen_saturation": s}, 2 + p) for s, p in [(92, 0), (93, 1), (94, 1), (95, 2), (96, 2), (97, 3)]],
    ],
)  # fmt: skip
def test_news2_gives_the_points_of_the_table(facts: dict[str, Any], points: int) -> None:
    """Royal College of Physicians 2017, chart 1."""
    assert news(**facts)["score"] == points


def test_news2_rounds_as_it_says() -> None:
    assert news(temperature=38.05)["temperature_points"] == 1  # 38.1
    assert news(temperature=38.04)["temperature_points"] == 0
    assert news(respiratory_rate=20.5)["respiration_points"] == 2  # 21
    assert news(respiratory_rate=20.49)["respiration_points"] == 0
    row = {"temperature": [38.05], "respiratory_rate": [20.5], "born": [date(1950, 1, 1)], "consciousness": ["alert"]}
    row |= {"pregnant": [False], "hypercapnic": [False], "oxygen": [False]}
    row |= {"oxygen_saturation": [97], "systolic": [120], "pulse": [70]}
    assert load("news2").decide(pa.table(row), date(2026, 3, 1)).column("score").to_pylist() == [3]


@pytest.mark.parametrize(("born", "applies"), [(date(2010, 3, 1), True), (date(2010, 3, 2), False)])
def test_news2_is_not_for_children_nor_in_pregnancy(born: date, applies: bool) -> None:
    assert news(born=born, consciousness="pain", oxygen=True, pulse=140)["emergency"] is applies
    assert news(pregnant=True, consciousness="pain", oxygen=True, pulse=140)["emergency"] is False
    assert news(pregnant=None, consciousness="pain", oxygen=True, pulse=140)["emergency"] is None


def test_a_crisis_needs_only_the_half_that_shows_it() -> None:
    pack = load("blood-pressure")
    for row, wanted in [
        ({"systolic": 180}, True), ({"diastolic": 110}, True), ({"systolic": 179, "diastolic": 109}, False),
        ({"systolic": 179}, None), ({"diastolic": 109}, None), ({}, None),
    ]:  # fmt: skip
        found = pack.explain(row)["outcomes"]["crisis"]
        assert found["value"] is wanted
        assert bool(found["reasons"]) is (wanted is not None)
        assert "{" not in found["text"]["zh"] + found["text"]["en"]


def test_a_pack_is_found_by_name_path_or_folder(tmp_path: Path) -> None:
    copy = tmp_path / "mine.yaml"
    copy.write_text(Path(load("help-request").file).read_text("utf-8"), "utf-8")
    assert load(copy).hash == load(str(copy)).hash == load("mine", [tmp_path]).hash == load("help-request").hash


def test_a_pack_may_be_shared_between_threads() -> None:
    """Sixteen threads at once get what one gets alone, on the array road, the SQL road, and by the solver."""
    on, pressure, silent = date(2026, 3, 1), load("blood-pressure"), load("device-silence")
    readings = pa.table({"systolic": pa.array([185, None, 120] * 50), "diastolic": pa.array([None, 112, 70] * 50)})
    exact = readings.set_column(0, "systolic", readings.column("systolic").cast(pa.decimal128(20, 0)))
    quiet = pa.table({"minutes_silent": pa.array([525601, 20, None]), "allowed_minutes": pa.array([None, None, 5])})

    def work(place: int) -> list[Any]:
        known = {"systolic": 100 + place}
        return [
            pressure.decide(readings).to_pydict(),
            pressure.decide(exact).to_pydict(),
            silent.decide(quiet).to_pydict(),
            silent.explain({"minutes_silent": 100 + place, "allowed_minutes": 50}),
            pressure.questions(known, on),
            news(pulse=place + 60),
        ]

    alone = [work(place) for place in range(16)]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(work, range(16))) == alone
