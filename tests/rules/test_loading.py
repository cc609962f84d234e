# ruff: noqa: E501
"""A pack that says something it must not, or says it unclearly, is refused with file, line and what to change."""

from __future__ import annotations

import operator
from datetime import date
from pathlib import Path

import pytest

from hucheng.errors import RuleError
from hucheng.rules import load, loads

HEAD = """pack: trial
title: {zh: 试, en: trial}
basis: none
versions:
  - in_force: 2020-01-01
    facts:
      n: {type: integer, range: [0, 9]}
      m: {type: integer, range: [1, 9]}
      paid: {type: decimal, scale: 2, range: [0, 1000]}
      b: {type: boolean}
      k: {type: enum, values: [red, green]}
      born: {type: date, range: [1900-01-01, 2040-12-31]}
    outcomes:
"""
TEXT = HEAD + "      o: {type: boolean, value: b, text: {any: {zh: %s, en: x}}}\n"
LINE = HEAD.count("\n") + 1


def one(expression: str, kind: str = "boolean") -> str:
    return HEAD + f'      out: {{type: {kind}, value: "{expression}"}}\n'


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("__import__('os').system('id')", "not allowed"),
        ("__import__('os') = 1", "not allowed"),
        ("n IN (SELECT 1)", "not allowed"),
        ("EXISTS (SELECT 1)", "not allowed"),
        ("SELECT TRUE", "not allowed"),
        ("(SELECT TRUE)", "not allowed"),
        ("n / m > 1", "declared rounding"),
        ("n // m > 1", "declared rounding"),
        ("n % 2 = 0", "no remainder in a rule · trial.yaml:14 · write a - b * floor(a / b); allowed: comparisons"),
        ("n > 1e3", "floating-point"),
        ("CAST(n AS DOUBLE) > 1", "casts are not allowed"),
        ("n::double > 1", "casts are not allowed"),
        ("n IS NULL", "unknown is not"),
        ("n IS NOT NULL", "unknown is not"),
        ("b IS TRUE", "unknown is not"),
        ("n = NULL", "NULL"),
        ("coalesce(n, 1) = 1", "coalesce"),
        ("ifnull(n, 1) = 1", "not allowed"),
        ("n IS DISTINCT FROM 1", "not allowed"),
        ("born < current_date", "current_date"),
        ("born < now()", "not allowed"),
        ("random() < 1", "not allowed"),
        ("read_text('/etc/passwd') = ''", "not allowed"),
        ("k < 'red'", "no order"),
        ("k = 'Red'", "write 'red'"),
        ("k IN ('blue')", "not a value"),
        ("k = 1", "cannot be compared"),
        ("k LIKE 'r%'", "not allowed"),
        ("k || 'x' = 'redx'", "not allowed"),
        ("length(k) = 3", "not allowed"),
        ("nn > 1", "did you mean “n”"),
        ("out", "before it is defined"),
        ("t.n > 1", "not allowed"),
        ("n > 1; DROP TABLE x", "one expression"),
        ("n > ", "not an expression: it cannot be read near “>”, after “n”"),
        ("n > 1 AND 'x", "a quotation mark or a bracket is not closed"),
        ("n > ALL (m)", "not allowed"),
        ("n > $1", "not allowed"),
        ("n > ?", "not allowed"),
        ("n BETWEEN SYMMETRIC 1 AND 2", "not allowed"),
        ("CASE WHEN n > 1 THEN TRUE END", "without ELSE"),
        ("age(born) > 3", "not allowed"),
        ("age(born, n) > 3", "two dates"),
        ("born + 3 > born", "step with a unit"),
        ("born + INTERVAL 3 HOUR > born", "not allowed"),
        ("born + INTERVAL '1.5' DAY > born", "whole number"),
        ("n AND b", "a condition is needed"),
        ("round(n / n, 0) > 1", "zero or negative"),
        ("n", "but the outcome is boolean"),
        ("n = 0.1234567890123", "too many digits"),
        ("least(k, 'red') = 'red'", "no order"),
        ("(n, m) = (1, 2)", "not allowed"),
        ("n IN (m)", "plain values"),
        ("n > 1 OVER ()", ""),
        ("DATE '2026-02-30' = born", "not a date"),
        ("TRY_CAST('2026-01-01' AS DATE) = born", "not allowed"),
    ],
)
def test_an_expression_outside_the_grammar_is_refused(expression: str, reason: str) -> None:
    with pytest.raises(RuleError) as caught:
        loads(one(expression), "trial.yaml")
    assert caught.value.where == f"trial.yaml:{LINE}"
    assert reason in str(caught.value)


def test_an_amount_must_fit_its_declared_places() -> None:
    with pytest.raises(RuleError, match="round it"):
        loads(HEAD + '      out: {type: decimal, scale: 2, value: "paid * 0.333"}\n')
    loads(HEAD + '      out: {type: decimal, scale: 2, value: "round(paid * 0.333, 2)"}\n')
    loads(HEAD + '      out: {type: decimal, scale: 2, value: "round(paid / m, 2) + floor(n / 3) - ceil(paid / 7)"}\n')


def test_numbers_that_no_engine_can_carry_are_refused() -> None:
    big = " * ".join(["paid"] * 9)
    with pytest.raises(RuleError, match="36 digits"):
        loads(HEAD + f'      out: {{type: boolean, value: "{big} > 1"}}\n')


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("pack: a\npack: b\n", "there twice"),
        ("pack: a\ntitle: {zh: 试, en: t}\nbasis: x\nversion: 1\n", "did you mean “versions”"),
        ("pack: !!python/object:os.system a\n", "tag"),
        ("pack: &a [x]\ntitle: *a\n", "anchors and aliases"),
        ("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n", "anchors and aliases"),
        ("pack: {a: [1, 2\n", "not YAML"),
        ("", "empty"),
        ("- a\n", "mapping"),
        ("pack: trial\n---\npack: other\n", ""),
        ("[" * 100 + "]" * 100, "nested too deeply"),
        (HEAD.replace("range: [0, 9]", "range: [9, 0]") + "      out: {type: boolean, value: b}\n", "swap"),
        (HEAD.replace("{type: integer, range: [0, 9]}", "{type: integer}") + "      o: {type: boolean, value: b}\n", "range"),
        (HEAD.replace("      n:", "      case:") + "      o: {type: boolean, value: b}\n", "cannot be a name"),
        (HEAD.replace("      n:", "      b:") + "      o: {type: boolean, value: b}\n", "twice"),
        (HEAD + "      b: {type: boolean, value: n > 1}\n", "already taken"),
        (HEAD + "      o: {type: boolean}\n", "one of"),
        (HEAD + "      o: {type: enum, values: [x], value: \"'y'\"}\n", "not among its values"),
        (HEAD + "      o: {type: enum, values: [x], first_of: [{when: b, value: x}]}\n", "needs an else"),
        (HEAD + "      o: {type: enum, values: [x], one_of: [{when: b, value: x}], else: x}\n", "has no else"),
        (HEAD + "      o: {type: integer, value: 0.5}\n", "decimal places"),
        (HEAD + "      o: {type: integer, range: [0, 3], value: n + 5}\n", "always lies outside"),
        (HEAD + "      o: {type: boolean, value: later}\n      later: {type: boolean, value: o}\n", "before it is defined"),
        (HEAD.replace("2020-01-01", "2020-1-1") + "      o: {type: boolean, value: b}\n", "2026-01-31"),
        (HEAD.replace("scale: 2", "scale: 20") + "      o: {type: boolean, value: b}\n", "1 to 9"),
        (TEXT % "出生 {born}", 'needs quotes: "…{fact}…"'),
        (TEXT % "{born} 出生", "needs quotes"),
        (TEXT % "{born}", "{born} is read as a mapping here"),
        (HEAD + "      o: {type: boolean, value: b}\n  - in_force: 2020-01-01\n    amends: 2020-01-01\n", "the other is in line 5"),
        (HEAD.replace("trial", "../x", 1) + "      o: {type: boolean, value: b}\n", "no name"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_pack_is_refused(text: str, reason: str) -> None:
    with pytest.raises(RuleError) as caught:
        loads(text, "trial.yaml")
    assert str(caught.value.where).startswith("trial.yaml")
    assert reason in str(caught.value)


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "gbk.yaml"
    path.write_bytes(b"pack: trial\n" + "title: 试".encode("gbk"))
    with pytest.raises(RuleError, match="not UTF-8") as caught:
        load(path)
    assert caught.value.where == f"{path}:2"


def test_what_is_too_large_is_said() -> None:
    many = "".join(f"      f{i}: {{type: boolean}}\n" for i in range(401))
    with pytest.raises(RuleError, match="at most 400"):
        loads(HEAD.replace("    outcomes:\n", many + "    outcomes:\n") + "      o: {type: boolean, value: b}\n")
    branches = " ".join(f"WHEN n = {i} THEN TRUE" for i in range(2001))
    with pytest.raises(RuleError, match="2001 branches"):
        loads(one(f"CASE {branches} ELSE FALSE END"))
    with pytest.raises(RuleError, match="nested"):
        loads(one("(" * 300 + "b" + ")" * 300))


def test_a_pack_cannot_be_changed() -> None:
    pack = loads(one("b"))
    version = pack.versions[0]
    for change in (
        lambda: setattr(pack, "title", {}),
        lambda: setattr(version, "in_force", date(2026, 1, 1)),
        lambda: setattr(version.facts["n"], "unit", "m"),
        lambda: operator.setitem(pack.title, "en", "other"),  # type: ignore[arg-type]
        lambda: operator.setitem(version.facts, "n", version.facts["m"]),  # type: ignore[arg-type]
        lambda: operator.delitem(version.outcomes, "out"),  # type: ignore[arg-type]
    ):
        with pytest.raises((AttributeError, TypeError)):
            change()
    assert pack.version("2026-09-01") is version and pack.title["en"] == "trial"


def test_dates_and_folders_may_be_text(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(one("age(born, decision_date) >= 18"), "utf-8")
    for search in ([str(tmp_path)], [tmp_path], str(tmp_path), tmp_path):
        assert load("mine", search).id == "trial"
    pack = load("mine", [tmp_path])
    row = {"n": 1, "m": 1, "paid": 1, "b": True, "k": "red", "born": "2008-09-01"}
    asked = [pack.explain(row, on)["outcomes"]["out"]["value"] for on in ("2026-09-01", date(2026, 8, 31))]
    assert asked == [True, False]
    assert pack.questions({}, "2026-09-01")["ask"] == "born"
    assert pack.diff(pack, "2026-09-01", "2026-09-01") == [] and pack.days("2026-09-01").first == date(2020, 1, 1)
    for wrong in ("2026-9-1", "20260901", "tomorrow", 20260901):
        with pytest.raises(RuleError, match="write it as 2026-01-31"):
            pack.explain(row, wrong)  # type: ignore[arg-type]


def test_a_pack_of_400_facts_decides() -> None:
    many = "".join(f"      f{i}: {{type: boolean}}\n" for i in range(394))
    text = HEAD.replace("    outcomes:\n", many + "    outcomes:\n")
    any_ = " OR ".join(f"f{i}" for i in range(394))
    pack = loads(text + f'      o: {{type: boolean, value: "{any_}"}}\n')
    row = {f"f{i}": None for i in range(394)} | {"f200": True}
    assert pack.explain(row)["outcomes"]["o"]["reasons"] == [{"fact": "f200", "value": True}]


def test_the_hash_is_of_what_is_said_not_of_how_it_is_written() -> None:
    plain = one("n > 1")
    same = "# a comment\n" + plain.replace('"n > 1"', "n   >  1").replace(
        "{zh: 试, en: trial}", "{en: 'trial', zh: 试}"
    )
    assert loads(plain).hash == loads(same).hash
    assert loads(plain).hash != loads(one("n > 2")).hash


TWO = (
    one("n > 1")
    + HEAD[HEAD.index("  - in_force") :].replace("2020", "2025")
    + '      out: {type: boolean, value: "n > 5"}\n'
)


def test_the_date_picks_the_version() -> None:
    from datetime import date

    pack = loads(TWO)
    assert pack.explain({"n": 3}, date(2024, 12, 31))["outcomes"]["out"]["value"] is True
    assert pack.explain({"n": 3}, date(2025, 1, 1))["outcomes"]["out"]["value"] is False
    assert pack.version(date(2030, 1, 1)).label.startswith("2025-01-01+")
    with pytest.raises(RuleError, match="in force from 2020-01-01"):
        pack.version(date(2019, 12, 31))
    with pytest.raises(RuleError, match="not after"):
        loads(TWO.replace("2025", "2019"))


AMENDED = (
    HEAD
    + """      out: {type: boolean, value: "n < limit"}
  - in_force: 2021-01-01
    amends: 2020-01-01
    parameters:
      limit: {type: integer, value: 5, source: order of 2021}
"""
)
FIRST = AMENDED.replace(
    "    facts:\n", "    parameters:\n      limit: {type: integer, value: 3, source: order of 2020}\n    facts:\n", 1
)


def test_a_version_says_only_what_it_changes() -> None:
    added = "      more: {type: integer, value: 1, source: order of 2021}\n    outcomes:\n"
    pack = loads(FIRST + added + '      out: {type: boolean, value: "n < limit + more"}\n')
    old, new = pack.versions
    assert (old.parameters["limit"].value, new.parameters["limit"].value, list(new.parameters)) == (
        3,
        5,
        ["limit", "more"],
    )
    assert list(new.facts) == list(old.facts) and new.outcomes["out"].tree != old.outcomes["out"].tree
    second = FIRST.partition("  - in_force: 2020")[2].partition("  - in_force: 2021")[0]
    second = second.replace("value: 3, source: order of 2020", "value: 5, source: order of 2021")
    written_out = FIRST.partition("  - in_force: 2021")[0] + "  - in_force: 2021" + second
    assert loads(FIRST).versions[1].digest == loads(written_out).versions[1].digest, "amending is only a way to write"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (FIRST.replace("amends: 2020-01-01", "amends: 2019-01-01"), "known: 2020-01-01"),
        (FIRST.replace("  - in_force: 2020-01-01", "  - in_force: 2020-01-01\n    amends: 2020-01-01"), "first version is written"),
        (FIRST + "      n: {type: integer, value: 5, source: none}\n", "already taken"),
        (FIRST + "    examples:\n      - {facts: {n: 1}, outcomes: {in: true}}\n", "unknown key"),
        (FIRST.replace("limit: {type: integer, value: 5,", "limits: {type: integer, valu: 5,"), "valu"),
    ],
)  # fmt: skip
def test_an_amendment_that_cannot_be_is_refused(text: str, says: str) -> None:
    with pytest.raises(RuleError, match=says):
        loads(text)
