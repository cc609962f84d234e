"""A contract says what it must, or is refused with file, field and how to mend it."""

from __future__ import annotations

import copy
import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import hucheng.base.contracts
from hucheng.base.catalogue import Catalogue
from hucheng.base.contracts import load_contract, load_folder, read_contract, shipped
from hucheng.errors import ContractError, UnknownDataset

HERE = Path(__file__).parent / "contracts"
PRESSURE = yaml.safe_load((HERE / "test.pressure.yaml").read_text(encoding="utf-8"))

SHIPPED = Path(hucheng.base.contracts.__file__).with_name("contracts_data")
GOOD = [
    PRESSURE,
    yaml.safe_load((SHIPPED / "city.residents.yaml").read_text(encoding="utf-8")),
    yaml.safe_load((SHIPPED / "city.mandates.yaml").read_text(encoding="utf-8")),
]


def ours(raw: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    raw = copy.deepcopy(raw)
    for item in raw["customProperties"]:
        if item["property"] == f"hucheng.{name}":
            item["value"] = value
            return raw
    raw["customProperties"].append({"property": f"hucheng.{name}", "value": value})
    return raw


def dropped(raw: dict[str, Any], name: str) -> None:
    raw["customProperties"] = [one for one in raw["customProperties"] if one["property"] != f"hucheng.{name}"]


def test_the_base_ships_registers_whose_every_field_has_a_class() -> None:
    catalogue = Catalogue(shipped())
    assert {c.id for c in catalogue} == {"city.residents", "city.devices", "city.mandates"}
    assert all(c.kind == "register" and c.person == "resident_id" and c.retention for c in catalogue)
    assert catalogue.get("city.residents").field("address").classification == "sensitive"


def test_an_observation_is_read_whole() -> None:
    contract = load_contract(HERE / "test.pressure.yaml")
    assert contract.key == ("device_id", "metric", "observed_at")
    assert contract.freshness == timedelta(hours=2) and contract.hot == timedelta(days=3)
    assert contract.device_rate == (5, 1000)
    assert contract.metrics["systolic_bp"].high == 300 and contract.metrics["heart_rate"].integer
    assert Catalogue(load_folder(HERE)).metrics["systolic_bp"] == ("test.pressure", "test.second")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda raw: raw.pop("slaProperties"), "retention"),
        (lambda raw: raw.update(owners="x"), "owners"),
        (lambda raw: raw["schema"][0]["properties"][0].update(clasification="public"), "clasification"),
        (lambda raw: raw["schema"][0]["properties"].pop(), "simulated"),
        (lambda raw: raw["schema"][0]["properties"][0].update(classification="secret"), "secret"),
        (lambda raw: raw["schema"][0]["properties"][4].update(logicalType="float"), "float"),
        (lambda raw: raw.update(apiVersion="v2.0.0"), "ODCS 3"),
        (lambda raw: raw["slaProperties"][0].update(unit="weeks"), "time span"),
        (lambda raw: raw["slaProperties"][0].update(value=0), "time span"),
        (lambda raw: raw["slaProperties"][0].update(value=float("nan")), "time span"),
        (lambda raw: raw["slaProperties"][1].update(property="freshnes"), "freshnes"),
        (lambda raw: raw.update(id="../../x"), "no name"),
        (lambda raw: raw.update(id="Home.Pressure"), "no name"),
        (lambda raw: dropped(raw, "title"), "hucheng.title"),
        (lambda raw: dropped(raw, "person"), "about a person"),
        (lambda raw: raw["customProperties"][0].update(property="kind"), "unknown kind"),
        (
            lambda raw: raw["schema"][0].update(customProperties=[{"property": "hucheng.kind", "value": "event"}]),
            "kind",
        ),
        (
            lambda raw: raw["schema"][0]["properties"][0].update(
                customProperties=[{"property": "hucheng.titel", "value": {"zh": "甲", "en": "x"}}]
            ),
            "titel",
        ),
        (lambda raw: raw["schema"][0]["properties"][1].pop("primaryKeyPosition"), "order"),
        (lambda raw: raw["schema"][0]["properties"][1].pop("primaryKey"), "place in the key"),
    ],
)
def test_what_a_contract_lacks_or_misspells_is_named(change: Any, says: str) -> None:
    raw = copy.deepcopy(PRESSURE)
    change(raw)
    with pytest.raises(ContractError) as caught:
        read_contract(raw, where="pressure.yaml")
    assert says in str(caught.value) and "pressure.yaml" in str(caught.value) and caught.value.mend


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("uses", {"a.b": {"fields": ["resident_id", "nothing"]}}, "nothing"),
        ("uses", {"a.b": {"fields": ["value"], "where": "value > (SELECT 1)"}}, "not allowed"),
        ("uses", {"a.b": {"fields": ["value"], "where": "read_text('x') = 'y'"}}, "not allowed"),
        ("uses", {"a.b": {"fields": ["value"], "where": "other.value > 1"}}, "names a table"),
        ("uses", {"a.b": {"fields": ["value"], "where": "value >"}}, "not an expression"),
        ("uses", {"a.b": {"fields": ["value"], "coarsen": {"value": "random()"}}}, "not allowed"),
        ("uses", {"a.b": {"fields": ["value"], "smallest_group": 0}}, "smallest_group"),
        ("uses", {"a.b": {"fields": ["value"], "wher": "value > 1"}}, "wher"),
        ("person", "patient", "patient"),
        ("kind", "stream", "stream"),
        ("colour", "red", "colour"),
        ("metrics", {"x": {"unit": "1", "low": 2, "high": 1, "title": {"zh": "甲", "en": "x"}}}, "low"),
        ("device_rate", {"per_second": 0, "burst": 1}, "device_rate"),
        ("device_rate", {"per_second": 5}, "burst"),
        ("device_rate", {"per_second": 5, "burst": 9, "bursts": 9}, "bursts"),
        ("uses", [{"a.b": {"fields": ["value"]}}], "mapping"),
        ("uses", {"a.b": ["value"]}, "mapping"),
        ("uses", {"a.b": {"fields": ["value"], "purpose": "c.d"}}, "named once"),
        ("uses", {"a.b": {"fields": ["resident_id", "value"], "smallest_group": 5}}, "resident_id"),
        ("uses", {"a.b": {"fields": ["device_id", "value"], "smallest_group": 5}}, "device_id"),
        ("uses", {"a.b": {"fields": ["observed_at", "value"], "smallest_group": 5}}, "observed_at"),
        ("uses", {"a.b": {"fields": ["metric"], "coarsen": {"value": "floor(value)"}}}, "not granted"),
        ("metrics", [{"unit": "1", "low": 1, "high": 2}], "mapping"),
        ("metrics", {"x": {"unit": "1", "low": 1, "high": 2, "titel": {}}}, "titel"),
        ("metrics", {"x": {"unit": "1", "low": 1, "high": 2}}, "title"),
        ("metrics", {"../x": {"unit": "1", "low": 1, "high": 2, "title": {"zh": "甲", "en": "x"}}}, "no name"),
        ("metrics", {"x": {"unit": "1", "low": -math.inf, "high": 2, "title": {"zh": "甲", "en": "x"}}}, "low"),
        ("hot", {"value": 0, "unit": "d"}, "time span"),
        ("hot", {}, "time span"),
        ("title", {"en": "Pressure"}, "both languages"),
        ("store", "cellar", "store 'cellar'"),
        ("person", None, "says nothing"),
        ("person", "device_id", "about a person"),
    ],
)
def test_our_additions_are_checked(name: str, value: Any, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        read_contract(ours(PRESSURE, name, value), where="pressure.yaml")


def test_allowed_expressions_pass() -> None:
    uses = {
        "a.b": {
            "fields": ["metric", "value", "observed_at"],
            "where": "metric IN ('systolic_bp') AND value BETWEEN 40 AND 300 AND NOT simulated",
            "coarsen": {"observed_at": "date_trunc('hour', observed_at)", "value": "floor(value)"},
            "smallest_group": 5,
        }
    }
    assert read_contract(ours(PRESSURE, "uses", uses), where="x").uses["a.b"].smallest_group == 5


def test_an_unknown_dataset_and_a_double_one_are_refused() -> None:
    catalogue = Catalogue(shipped())
    with pytest.raises(UnknownDataset, match=r"city\.devices"):
        catalogue.get("city.nothing")
    with pytest.raises(ContractError, match="twice"):
        Catalogue([*shipped(), *shipped()])


SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.text(max_size=8),
    st.sampled_from(["../../x", "resident_id", "sensitive", "1", "value >"]),
    st.sampled_from([[], {}, [1], {"a": 1}, [[]], {"value": 1, "unit": "d"}]).map(copy.deepcopy),
)  # fmt: skip


def spots(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a tree, the root left out."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [found for key, value in inner for found in [(*path, key), *spots(value, (*path, key))]]


@given(st.data())
@settings(deadline=None, max_examples=400)
def test_whatever_becomes_of_a_good_contract_it_loads_or_is_refused_by_name(data: st.DataObject) -> None:
    raw = copy.deepcopy(data.draw(st.sampled_from(GOOD)))
    for _ in range(data.draw(st.integers(1, 2))):
        *path, key = data.draw(st.sampled_from(spots(raw)))
        node = raw
        for step in path:
            node = node[step]
        change = data.draw(st.sampled_from(["drop", "rename", "type", "scalar"]))
        if change == "drop":
            del node[key]
        elif change == "rename" and isinstance(node, dict):
            node[data.draw(st.sampled_from([f"{key}s", f"x{key}", 1, "", None]))] = node.pop(key)
        elif change == "type":
            node[key] = [node[key]] if data.draw(st.booleans()) else {"value": node[key]}
        else:
            node[key] = data.draw(SCALARS)
    try:
        contract = read_contract(raw, where="changed.yaml")
    except ContractError as error:
        assert "changed.yaml" in str(error) and error.mend
    else:
        assert contract.retention > timedelta(0) and contract.key and "/" not in contract.id


@pytest.mark.parametrize("good", range(3))
def test_no_property_of_ours_can_be_misspelt_unseen(good: int) -> None:
    for path in spots(GOOD[good]):
        raw = copy.deepcopy(GOOD[good])
        node = raw
        for step in path[:-1]:
            node = node[step]
        if path[-1] != "property":
            continue
        node["property"] += "s"
        with pytest.raises(ContractError):
            read_contract(raw, where="changed.yaml")


def test_broken_yaml_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("a: [", encoding="utf-8")
    with pytest.raises(ContractError, match=r"bad\.yaml"):
        load_contract(tmp_path / "bad.yaml")
