# ruff: noqa: E501
"""Nothing that a pack says is passed over in silence: numbers, acknowledgements, slots and words that mean nothing."""

from __future__ import annotations

import pytest

from hucheng.errors import RuleError
from hucheng.rules import loads
from hucheng.rules.findings import Finding

TEXT = """pack: trial
title: {zh: 试, en: trial}
basis: none
versions:
  - in_force: 2020-01-01
    parameters:
      limit: {type: decimal, scale: 2, value: 800.00, source: order}
    facts:
      income: {type: decimal, scale: 2, range: [0, 9000], unit: CNY/month}
      side: {type: enum, values: [whole, half]}
    outcomes:
      monthly:
        type: decimal
        scale: 2
        unit: CNY/month
        text: {any: {zh: "{income} 的人得 {value}", en: "who has {income} gets {value}"}}
        first_of:
          - {when: "income <= limit", value: 900.00}
        else: 0.00
      part: {type: enum, values: [whole, half], first_of: [{when: "side = 'half'", value: half}], else: whole}
    acknowledge:
      cliff.monthly.income: the order says so
  - in_force: 2021-01-01
    amends: 2020-01-01
    parameters:
      limit: {type: decimal, scale: 2, value: 850.00, source: order}
"""


def found(text: str) -> list[Finding]:
    return loads(text, "trial.yaml").check()


def test_the_pack_as_it_is_has_no_findings() -> None:
    assert found(TEXT) == []


def test_a_misspelt_name_in_an_amendment_is_refused() -> None:
    head, _, tail = TEXT.rpartition("      limit")
    with pytest.raises(RuleError) as error:
        loads(head + "      limitt" + tail, "trial.yaml")
    assert error.value.where == "trial.yaml:26" and error.value.mend == "did you mean “limit”?"
    assert "limitt" in error.value.what and "2020-01-01" in error.value.what


def test_a_number_that_nothing_uses_is_an_error_where_it_is_said() -> None:
    more = "    parameters:\n      spare: {type: integer, value: 3, source: order}\n"
    (finding,) = found(TEXT.replace("    parameters:\n", more, 1))
    assert (finding.kind, finding.severity, finding.where) == ("unused", "error", "trial.yaml:7")
    assert finding.message.startswith("spare: ") and "remove it" in finding.message


def test_a_number_that_an_amendment_uses_no_more_is_a_warning() -> None:
    text = TEXT.rpartition("    parameters:")[0] + (
        '    outcomes:\n      monthly: {type: decimal, scale: 2, unit: CNY/month, value: "CASE WHEN income <= 700.00 THEN 900.00 ELSE 0.00 END"}\n'
    )
    (finding,) = found(text)
    assert (finding.kind, finding.severity, finding.where) == ("unused", "warning", "trial.yaml:7")
    assert [day.year for day in finding.versions] == [2021]


def test_an_acknowledgement_of_nothing_is_reported() -> None:
    (cliff, wrong) = sorted(found(TEXT.replace("cliff.monthly.income", "cliff.monthly.incme")), key=lambda f: f.kind)[
        ::-1
    ]
    assert (wrong.kind, wrong.severity) == (
        "acknowledge",
        "error",
    ) and "did you mean “cliff.monthly.income”?" in wrong.message
    assert wrong.where == "trial.yaml:22" and cliff.kind == "cliff" and len(cliff.versions) == 2
    flat = TEXT.replace("value: 900.00}", "value: 0.01}")
    stale = [f for f in found(flat) if f.kind == "acknowledge"]
    assert [(f.severity, f.where, len(f.versions)) for f in stale] == [("warning", "trial.yaml:22", 1)]
    assert "remove" in stale[0].message


@pytest.mark.parametrize(
    ("old", "new", "line", "mend"),
    [
        ("who has {income}", "who has {incme}", 16, "did you mean “{income}”?"),
        ("gets {value}", "gets {valu}", 16, "did you mean “{value}”?"),
        ("gets {value}", "gets {Value", 16, "{value}"),
        ("gets {value}", "gets {q}", 16, "known: value, income, side"),
        ("value: half}", "value: Half}", 20, "did you mean “half”?"),
        ("else: whole", "else: hole", 20, "did you mean “whole”?"),
    ],
)
def test_a_word_that_means_nothing_is_refused_with_what_was_meant(old: str, new: str, line: int, mend: str) -> None:
    with pytest.raises(RuleError) as error:
        loads(TEXT.replace(old, new, 1), "trial.yaml")
    assert error.value.where == f"trial.yaml:{line}" and mend in (error.value.mend or ""), error.value


def test_an_example_for_a_day_of_another_version_is_reported() -> None:
    example = "    examples:\n      - {on: 2021-06-01, facts: {income: 800.00, side: half}, outcomes: {monthly: 900.00}}\n    acknowledge:\n"
    (finding,) = found(TEXT.replace("    acknowledge:\n", example, 1))
    assert finding.kind == "example" and "holds until 2020-12-31" in finding.message
