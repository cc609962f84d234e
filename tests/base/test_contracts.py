"""A contract says what it must, or is refused with file, field and how to mend it."""

from __future__ import annotations

import copy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from hucheng.base.catalogue import Catalogue
from hucheng.base.contracts import load_contract, load_folder, read_contract, shipped
from hucheng.errors import ContractError, UnknownDataset

HERE = Path(__file__).parent / "contracts"
PRESSURE = yaml.safe_load((HERE / "test.pressure.yaml").read_text(encoding="utf-8"))


def ours(raw: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    raw = copy.deepcopy(raw)
    for item in raw["customProperties"]:
        if item["property"] == f"hucheng.{name}":
            item["value"] = value
            return raw
    raw["customProperties"].append({"property": f"hucheng.{name}", "value": value})
    return raw


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
        ("metrics", {"x": {"unit": "1", "low": 2, "high": 1, "title": {}}}, "low"),
        ("device_rate", {"per_second": 0, "burst": 1}, "device_rate"),
    ],
)
def test_our_additions_are_checked(name: str, value: Any, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        read_contract(ours(PRESSURE, name, value), where="pressure.yaml")


def test_allowed_expressions_pass() -> None:
    uses = {
        "a.b": {
            "fields": ["resident_id", "value", "observed_at"],
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


def test_broken_yaml_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("a: [", encoding="utf-8")
    with pytest.raises(ContractError, match=r"bad\.yaml"):
        load_contract(tmp_path / "bad.yaml")
