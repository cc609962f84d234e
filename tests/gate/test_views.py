"""Views: only what the use grants, joined inside, coarsened, in groups that are large enough; the rest stops."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import ibis
import pyarrow.parquet as pq
import pytest
from msgspec import structs

from gate.gatekit import NOW, PEOPLE, PULSE, City, readings, resident
from hucheng.base.contracts import Use, telling
from hucheng.errors import BadRequest, Refused
from hucheng.gate import Read, View

RESIDENTS = "city.residents"


def view(town: City, why: str, *datasets: str, name: str = "li") -> View:
    return town.gate.open(town.who(name), why, datasets)


def refused(act: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        act()
    return caught.value


def test_a_bulk_view_shows_the_granted_columns_coarsened_and_all_who_meet_the_condition(town: City) -> None:
    seen = view(town, "test.rows", PULSE)
    assert list(seen.table.columns) == ["resident_id", "observed_at", "value"]
    result = seen.fetch(seen.table).to_pylist()
    expected = [r for r in readings().to_pylist() if r["value"] < 200]
    assert len(result) == len(expected)
    assert {r["observed_at"].minute for r in result} == {0}
    assert sum(r["value"] for r in result) == pytest.approx(sum(r["value"] for r in expected))


def test_everybody_in_a_bulk_use_finds_it_in_her_journal_and_nobody_else(city: City) -> None:
    seen = view(city, "test.rows", PULSE)
    t = seen.table
    few = seen.fetch(t.filter(t.resident_id.isin(["R1", "R3"])).select("resident_id", "value"))
    assert few.num_rows == 20
    assert [(line.kind, line.counts["people"]) for line in city.lines("chen")] == [("bulk", 2)]
    assert city.lines("zhang") == []
    seen.fetch(t.aggregate(mean=t.value.mean()))
    assert [line.counts["people"] for line in city.lines("chen")] == [PEOPLE, 2]
    assert [line.counts["people"] for line in city.lines("zhang")] == [PEOPLE]


def test_datasets_are_joined_inside_and_the_same_as_by_hand(town: City) -> None:
    seen = view(town, "test.rows", PULSE, RESIDENTS)
    assert set(seen.table.columns) == {"resident_id", "observed_at", "value", "community", "born"}
    t = seen.table
    result = seen.fetch(t.group_by("community").aggregate(top=t.value.max(), n=t.count())).to_pylist()
    by_hand: dict[str, list[float]] = defaultdict(list)
    for row in readings().to_pylist():
        if row["value"] < 200:
            by_hand[resident(int(row["resident_id"][1:]))["community"]].append(row["value"])
    assert {r["community"]: (r["top"], r["n"]) for r in result} == {c: (max(v), len(v)) for c, v in by_hand.items()}
    born = {r["born"] for r in seen.fetch(t.select("born").distinct()).to_pylist()}
    assert born == {date(year, 1, 1) for year in range(1940, 1944)}


def test_the_person_is_joined_by_but_not_shown_unless_every_use_grants_it(town: City) -> None:
    seen = view(town, "test.groups", PULSE, RESIDENTS)
    result = seen.aggregate(
        ["community"], {"n": ("count", None), "people": ("people", None), "mean": ("mean", "value")}
    )
    assert sorted(result.column_names) == ["community", "mean", "n", "people"]
    assert {r["community"]: r["people"] for r in result.to_pylist()} == {"east": 20, "west": 20}
    assert {r["community"]: r["n"] for r in result.to_pylist()} == {"east": 200, "west": 200}
    error = refused(lambda: seen.aggregate(["resident_id"], {"n": ("count", None)}))
    assert error.details["policy"] == "contract.fields"


def test_groups_that_are_too_small_are_left_out_and_a_lone_one_takes_the_next_with_it(town: City) -> None:
    seen = view(town, "test.groups", RESIDENTS)
    town.registers.put(RESIDENTS, [resident(n) | {"community": "north"} for n in range(1, 4)])
    town.registers.put(RESIDENTS, [resident(n) | {"community": "south"} for n in range(4, 7)])
    seen = view(town, "test.groups", RESIDENTS)
    result = seen.aggregate(["community"], {"n": ("people", None)}).to_pylist()
    assert {r["community"]: r["n"] for r in result} == {"east": 17, "west": 17}  # two of three people are left out
    town.registers.put(RESIDENTS, [resident(n) for n in range(4, 7)])
    seen = view(town, "test.groups", RESIDENTS)
    result = seen.aggregate(["community"], {"n": ("people", None)}).to_pylist()
    assert [r["community"] for r in result] == ["west"]  # east goes with north, else the total would tell


def test_two_groups_too_small_together_take_the_next_with_them(town: City) -> None:
    town.registers.put(RESIDENTS, [resident(1) | {"community": "north"}, resident(2) | {"community": "south"}])
    seen = view(town, "test.groups", RESIDENTS)
    assert seen.aggregate([], {"n": ("people", None)}).to_pylist() == [{"n": 40}]
    result = seen.aggregate(["community"], {"n": ("people", None)}).to_pylist()
    assert len(result) == 1  # else the total less east and west would be two people
    assert seen.aggregate(["community", "sex"], {"n": ("people", None)}).num_rows <= 1


def test_in_groups_nobody_can_be_chosen_by_person_or_key(town: City) -> None:
    for contract in town.catalogue:
        for use in contract.uses.values():
            assert use.smallest_group == 1 or not telling(contract, use)
    contract = town.catalogue.get(PULSE)
    contract.uses["test.groups"] = Use("test.groups", contract.field_names, smallest_group=5)  # as if it could load
    town.purposes._digests.clear()
    town.purposes.enrol()
    town.purposes.accept("purpose", "test.groups", by="boss", assessment="It could not be loaded, and yet it is here.")
    seen = view(town, "test.groups", PULSE)
    for name in ("resident_id", "device_id", "observed_at"):
        for act in (
            lambda name=name: seen.aggregate([name], {"n": ("people", None)}),
            lambda name=name: seen.aggregate([], {"n": ("people", None)}, {name: ["x"]}),
        ):
            assert refused(act).details["policy"] == "contract.fields"


def test_where_groups_are_all_one_gets_no_single_rows_in_any_way(town: City) -> None:
    seen = view(town, "test.groups", PULSE)
    for act in (
        lambda: seen.table,
        lambda: seen.fetch(ibis.table({"value": "float64"}, name="view")),
        lambda: seen.rows(Read(PULSE, "recent", {"resident_id": "R1"})),
        lambda: seen.aggregate(["metric"], {"top": ("max", "value")}),
    ):
        assert refused(act).details["policy"] in ("contract.smallest-group", "view.datasets")
    by_values = seen.aggregate(["value"], {"n": ("count", None)}, {"metric": "pulse"}).to_pylist()
    people: dict[float, set[str]] = defaultdict(set)
    for row in readings().to_pylist():
        people[row["value"]].add(row["resident_id"])
    small = [value for value, of in people.items() if len(of) < 5]
    assert len(by_values) == len(people) - len(small)
    assert not {r["value"] for r in by_values} & set(small)


def test_an_expression_that_reaches_beyond_the_view_is_refused(town: City) -> None:
    seen = view(town, "test.rows", PULSE)
    t = seen.table
    other = ibis.table({"resident_id": "string", "phone": "string"}, name="phones")
    inside = ibis.memtable({"resident_id": ["R1"]})
    forged = ibis.table({"resident_id": "string", "unit": "string"}, name="view")

    @ibis.udf.scalar.builtin
    def read_text(path: str) -> str: ...

    for expr in (
        t.join(other, "resident_id"),
        t.join(inside, "resident_id"),
        forged,
        t.mutate(stolen=read_text("/etc/passwd")),
        other,
    ):
        assert refused(lambda e=expr: seen.fetch(e)).details["policy"] == "view.inside"
    assert town.lines("chen") == []


def test_values_in_a_filter_are_values(town: City) -> None:
    seen = view(town, "test.groups", PULSE)
    for value in ("pulse' OR '1'='1", "x'); DROP TABLE view; --", ["a", "b'"]):
        assert seen.aggregate(["metric"], {"n": ("count", None)}, {"metric": value}).num_rows == 0
    error = refused(lambda: seen.aggregate(["metric"], {"n": ("count", None)}, {"1=1 --": 1}))
    assert error.details["policy"] == "contract.fields"
    with pytest.raises(BadRequest):
        seen.aggregate([], {"n": ("sum", None)})


def test_the_engine_reaches_no_file_outside_the_lake(town: City) -> None:
    view(town, "test.groups", PULSE).aggregate([], {"n": ("count", None)})
    engine = town.gate._engine
    assert engine is not None
    secret = town.home / "secret.csv"
    secret.write_text("a\n1\n")
    for sql in (f"SELECT * FROM read_csv('{secret}')", "SET enable_external_access=true", "INSTALL httpfs"):
        with pytest.raises(BadRequest):
            engine.run(sql)


def test_a_register_in_bulk_shows_no_sealed_field(town: City) -> None:
    error = refused(lambda: view(town, "test.careful", RESIDENTS).fetch(None))
    assert error.details["policy"] == "bulk.unsealed"


@pytest.mark.parametrize(
    "broken",
    [
        {"where": "value > (SELECT 1)"},
        {"where": "no_such_column = 1"},
        {"where": "value >"},
        {"where": "value = 'high'"},
        {"coarsen": {"observed_at": "read_text('/etc/passwd')"}},
        {"fields": ("resident_id", "no_such_column")},
    ],
)
def test_a_control_that_cannot_be_applied_stops_the_read_and_says_so(town: City, broken: dict[str, Any]) -> None:
    contract = town.catalogue.get(PULSE)
    use = Use(**{"purpose": "test.careful", "fields": ("resident_id", "observed_at", "value"), **broken})
    contract.uses["test.careful"] = use  # past the contract's own check, as a fault would bring it in
    town.purposes._digests.clear()
    town.purposes.enrol()
    boss = "Looked at again by the bureau after the contract changed."
    town.purposes.accept("purpose", "test.careful", by="boss", assessment=boss)
    ways = [
        lambda: town.gate.look(town.who("li"), "test.careful", [Read(PULSE, "recent", {"resident_id": "R1"})]),
        lambda: view(town, "test.careful", PULSE).fetch(view(town, "test.careful", PULSE).table),
    ]
    for way in ways:
        with pytest.raises((Refused, BadRequest)) as caught:
            way()
        assert caught.value.what
    assert [line.result for line in town.lines("chen") if line.result == "given"] == []


def test_a_changed_use_closes_the_purpose_until_it_is_accepted_again(town: City) -> None:
    contract = town.catalogue.get(PULSE)
    contract.uses["test.rows"] = structs.replace(contract.uses["test.rows"], where=None)
    town.purposes._digests.clear()  # as after a start with the new contract
    assert refused(lambda: view(town, "test.rows", PULSE)).details["policy"] == "purpose.accepted"


def test_row_condition_and_coarsening_hold_for_one_person_too(town: City) -> None:
    (rows,) = town.gate.look(town.who("li"), "test.careful", [Read(PULSE, "recent", {"resident_id": "R15"})])
    expected = sorted((50.0 + 15 + hour for hour in range(10)), reverse=False)
    assert [r["value"] for r in rows] == expected
    (rows,) = town.gate.look(town.who("li"), "test.careful", [Read(PULSE, "recent", {"resident_id": "R10"})])
    assert rows == []  # simulated, and the condition says no


def test_readings_of_one_resident_newest_first_and_the_last_of_each_metric(town: City) -> None:
    chen = town.who("chen")
    (rows,) = town.gate.look(chen, "self.access", [Read(PULSE, "recent", since=NOW - timedelta(hours=3))])
    assert [r["value"] for r in rows] == [51.0, 52.0, 53.0]
    (rows,) = town.gate.look(chen, "self.access", [Read(PULSE, "last")])
    assert [(r["value"], r["observed_at"]) for r in rows] == [(51.0, NOW - timedelta(minutes=1))]
    (rows,) = town.gate.look(chen, "self.access", [Read(PULSE, "recent", limit=2, offset=1)])
    assert [r["value"] for r in rows] == [52.0, 53.0]
    (rows,) = town.gate.look(chen, "self.access", [Read(PULSE, "recent", {"device_id": "d2"})])
    assert rows == []
    with pytest.raises(BadRequest):
        town.gate.look(chen, "self.access", [Read(PULSE, "recent", {"value": 51.0})])
    assert town.lines("chen")[0].detail["reads"][0]["where"] == {"device_id": "d2"}


def test_two_series_are_not_joined(town: City) -> None:
    contract = town.catalogue.get(PULSE)
    town.catalogue._contracts["test.other"] = structs.replace(contract, id="test.other")
    town.purposes._digests.clear()
    town.purposes.enrol()
    town.purposes.accept("purpose", "test.rows", by="boss", assessment="Two series, to see that they stay apart.")
    seen = view(town, "test.rows", PULSE, "test.other")
    assert refused(lambda: seen.table).details["policy"] == "bulk.join"


def test_a_lake_without_rows_gives_an_empty_answer(town: City) -> None:
    town.lake.take_out(PULSE, "metric = 'pulse'")
    seen = view(town, "test.groups", PULSE)
    assert seen.aggregate(["metric"], {"n": ("count", None)}).num_rows == 0


def test_a_field_that_becomes_sensitive_is_gone_from_the_lake_at_the_next_start(town: City) -> None:
    view(town, "test.rows", RESIDENTS).fetch(view(town, "test.rows", RESIDENTS).table)
    folder = town.home / "lake" / RESIDENTS
    assert "name" in town.lake.columns(RESIDENTS)
    contract = town.catalogue.get(RESIDENTS)
    sealed = [structs.replace(f, classification="sensitive") if f.name == "name" else f for f in contract.fields]
    catalogue = town.catalogue.replaced(structs.replace(contract, fields=tuple(sealed)))
    gate = town.gate_with(catalogue=catalogue)
    gate.reshape_copies()
    assert "name" not in town.lake.columns(RESIDENTS)
    held = [pq.read_schema(path).names for path in folder.glob("*.parquet")]
    assert held and all("name" not in names and "community" in names for names in held)
    town.gate.reshape_copies()  # and back again, though the register has not changed
    assert "name" in town.lake.columns(RESIDENTS)
