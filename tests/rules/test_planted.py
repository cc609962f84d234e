"""Faults put into copies of the packs that ship are all found; the packs themselves have none."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from hucheng.rules import load, loads, names

SHIPPED = sorted(names())


def split(name: str, fact: dict[str, Any]) -> str:
    """A condition on one fact that some meet and some do not."""
    kind = fact["type"]
    if kind == "boolean":
        return name
    if kind == "enum":
        return f"{name} = '{fact['values'][0]}'"
    low, high = fact["range"]
    if kind == "date":
        return f"{name} <= DATE '{low.replace(year=(low.year + high.year) // 2)}'"
    return f"{name} <= {int((low + high) / 2)}"


def planted(text: str) -> tuple[str, set[tuple[str, str]]]:
    """A copy with one fault of each kind, and what must be found: kind and the outcome or fact it is in."""
    body = yaml.safe_load(text)
    version = body["versions"][0]  # later ones may amend it
    body["versions"] = [version]
    version.pop("examples", None)
    facts, outcomes = version["facts"], version["outcomes"]
    name, fact = next(iter(facts.items()))
    half = split(name, fact)
    facts["planted_needless"] = {"type": "boolean"}
    more = {
        "planted_gap": {"type": "integer", "one_of": [{"when": half, "value": 1}]},
        "planted_overlap": {
            "type": "integer",
            "one_of": [{"when": half, "value": 1}, {"when": f"NOT ({half})", "value": 2}, {"when": half, "value": 3}],
        },
        "planted_unreachable": {
            "type": "integer", "first_of": [{"when": half, "value": 1}, {"when": half, "value": 2}], "else": 3,
        },
        "planted_constant": {"type": "boolean", "value": f"({half}) OR NOT ({half})"},
        "planted_domain": {
            "type": "integer", "range": [0, 1], "first_of": [{"when": half, "value": 0}], "else": 2,
        },
    }  # fmt: skip
    wanted = {("useless", "planted_needless")}
    wanted |= {(each.removeprefix("planted_"), each) for each in more}
    amounts = [(n, f) for n, f in facts.items() if f["type"] == "decimal"]
    if amounts:
        amount, declared = amounts[0]
        more["planted_cliff"] = {
            "type": "decimal", "scale": declared["scale"], "unit": declared.get("unit", ""),
            "first_of": [{"when": split(amount, declared), "value": 1000}], "else": 0,
        }  # fmt: skip
        wanted.add(("cliff", "planted_cliff"))
    outcomes |= {each: {key: value for key, value in given.items() if value != ""} for each, given in more.items()}
    return yaml.safe_dump(body, allow_unicode=True, sort_keys=False), wanted


@pytest.mark.parametrize("name", SHIPPED)
def test_the_pack_as_it_ships_has_no_fault(name: str) -> None:
    pack = load(name)
    for version in pack.versions:
        assert [finding.as_dict() for finding in pack.check(version.in_force)] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_every_planted_fault_is_found(name: str) -> None:
    text, wanted = planted(names()[name].read_text("utf-8"))
    pack = loads(text, "planted.yaml")
    found = [finding.as_dict() for finding in pack.check(pack.versions[0].in_force)]
    said = {
        (each["kind"], word) for each in found for word in each["message"].replace("“", " ").replace("”", " ").split()
    }
    missing = {(kind, where) for kind, where in wanted if not any(k == kind and where in w for k, w in said)}
    assert not missing, found
    assert all(each["severity"] == "error" for each in found if each["kind"] in ("gap", "overlap", "domain"))
