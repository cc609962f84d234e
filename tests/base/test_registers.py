"""Registers: what was so when, what we knew when; checked against a list that is searched by brute force."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from hucheng.base.bitemporal import register
from hucheng.base.catalogue import Catalogue
from hucheng.base.contracts import shipped
from hucheng.base.keys import Keys
from hucheng.base.ledger import Ledger
from hucheng.base.registerreader import Row
from hucheng.base.registers import Registers
from hucheng.errors import BadRequest, KeyMissing, LedgerError, UnknownDataset

START = datetime(2026, 1, 1, tzinfo=UTC)
RESIDENTS = "city.residents"
MANDATES = "city.mandates"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registers(ledger: Ledger, clock: Clock) -> Registers:
    return Registers(ledger, Keys(ledger, bytes(32)), Catalogue(shipped()), clock=clock)


def resident(rid: str = "R1", **more: Any) -> dict[str, Any]:
    return {
        "resident_id": rid,
        "name": "陈桂兰",
        "sex": "female",
        "born": date(1947, 4, 12),
        "community": "c1",
        "grid": "g1",
        "address": "柳树路 1 号",
        "phone": "0000",
        **more,
    }


def day(n: int) -> datetime:
    return START + timedelta(days=n)


def as_of(registers: Registers, rid: str, valid: datetime, known: datetime) -> list[Row]:
    """What was believed at ``known`` to hold at ``valid``."""
    return [
        row
        for row in registers.history(RESIDENTS, rid)
        if row.valid_from <= valid
        and (row.valid_to is None or valid < row.valid_to)
        and row.known_from <= known
        and (row.known_to is None or known < row.known_to)
    ]


Step = tuple[int, int, int | None, str]
steps = st.lists(
    st.tuples(
        st.integers(0, 3),  # days that pass before it
        st.integers(-10, 10),  # valid from
        st.one_of(st.none(), st.integers(-9, 14)),  # valid to
        st.sampled_from("abc"),
    ).filter(lambda s: s[2] is None or s[2] > s[1]),
    max_size=7,
)


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Registers, Clock]]:
    ledger, clock = Ledger("sqlite://"), Clock()
    yield Registers(ledger, Keys(ledger, bytes(32)), Catalogue(shipped()), clock=clock), clock
    ledger.close()


_runs = iter(range(10**9))


@given(steps, st.integers(-11, 15), st.integers(-1, 22))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_was_believed_is_what_was_said_last_by_then(
    shared: tuple[Registers, Clock], said: list[Step], valid: int, known: int
) -> None:
    registers, clock = shared
    run = next(_runs)  # each run has years of its own: what is known never runs backwards
    rid, origin = f"R{run}", START + timedelta(days=100 * run)

    def day(n: int) -> datetime:
        return origin + timedelta(days=n)

    clock.now = origin
    told: list[tuple[int, int, int | None, str]] = []
    now = 0
    for wait, begin, end, grid in said:
        now += wait
        clock.now = max(day(now), clock.now)
        registers.put(
            RESIDENTS, [resident(rid, grid=grid)], valid_from=day(begin), valid_to=day(end) if end is not None else None
        )
        told.append((now, begin, end, grid))
    expected = None
    for at, begin, end, grid in told:  # the last that was said by then and covers the day
        if at <= known and begin <= valid and (end is None or valid < end):
            expected = grid
    found = as_of(registers, rid, day(valid), day(known))
    assert [row.data["grid"] for row in found] == ([expected] if expected else [])


def test_a_correction_overwrites_nothing(registers: Registers, clock: Clock) -> None:
    registers.put(RESIDENTS, [resident()])
    clock.now = day(5)
    registers.put(RESIDENTS, [resident(phone="1111")], valid_from=day(2))
    assert registers.live(RESIDENTS, "R1", at=day(3)) == resident(phone="1111")
    assert registers.live(RESIDENTS, "R1", at=day(1)) == resident()
    before = as_of(registers, "R1", day(3), day(4))
    assert [row.data["phone"] for row in before] == ["0000"]
    assert len(registers.history(RESIDENTS, "R1")) == 3


def test_the_same_again_changes_nothing(registers: Registers) -> None:
    assert registers.version(RESIDENTS) == 0
    assert registers.put(RESIDENTS, [resident(), resident("R2")]) == 2
    assert registers.version(RESIDENTS) == 1
    assert registers.put(RESIDENTS, [resident(), resident("R2", phone="1")]) == 1
    assert registers.put(RESIDENTS, [resident()]) == 0
    assert registers.version(RESIDENTS) == 2


def test_time_runs_backwards_nowhere_in_a_register(registers: Registers, clock: Clock) -> None:
    clock.now = day(5)
    registers.put(RESIDENTS, [resident()], valid_from=day(0))
    clock.now = day(1)  # somebody set the machine's clock back
    registers.put(RESIDENTS, [resident(phone="1")], valid_from=day(0))
    assert [row.data["phone"] for row in as_of(registers, "R1", day(2), day(6))] == ["1"]
    assert [row.known_to for row in registers.history(RESIDENTS, "R1")] == [day(5), None]


def test_what_ended_holds_no_longer_but_is_still_known(registers: Registers, clock: Clock) -> None:
    registers.put(RESIDENTS, [resident()])
    assert registers.end(RESIDENTS, "R1", day(3)) == 1
    assert registers.live(RESIDENTS, "R1", at=day(2)) is not None
    assert registers.live(RESIDENTS, "R1", at=day(3)) is None
    assert [row.valid_to for row in registers.known_of_person(RESIDENTS, "R1")] == [day(3)]
    assert registers.end(RESIDENTS, "nobody") == 0


def test_sensitive_fields_lie_sealed_and_close_with_the_key(registers: Registers, ledger: Ledger) -> None:
    registers.put(RESIDENTS, [resident(), resident("R2")])
    with ledger.read() as conn:
        row = conn.execute(select(register).where(register.c.key == "R1")).one()
    assert "address" not in row.data
    assert "柳树路".encode() not in bytes(row.sealed)
    assert registers.live(RESIDENTS, "R1", sealed=False) == resident(address=None, phone=None)
    registers._keys.destroy("R1")
    with pytest.raises(KeyMissing):
        registers.live(RESIDENTS, "R1")
    assert registers.live(RESIDENTS, "R2") == resident("R2")


def test_a_person_is_erased_with_all_her_past(registers: Registers, ledger: Ledger, clock: Clock) -> None:
    registers.put(RESIDENTS, [resident(), resident("R2")])
    clock.now = day(1)
    registers.put(RESIDENTS, [resident(phone="1")])
    version = registers.version(RESIDENTS)
    assert registers.erase("R1") == 3
    assert registers.live(RESIDENTS, "R1") is None
    assert registers.history(RESIDENTS, "R1") == []
    assert registers.version(RESIDENTS) == version + 1
    assert registers.live(RESIDENTS, "R2") is not None


def test_rows_are_found_by_values_and_a_value_is_only_a_value(registers: Registers) -> None:
    registers.put(RESIDENTS, [resident(f"R{n}", community=f"c{n % 3}", name=f"王{n}") for n in range(30)])
    assert len(registers.find(RESIDENTS, {"community": "c1"})) == 10
    assert len(registers.find(RESIDENTS, {"community": ["c1", "c2"], "born": date(1947, 4, 12)})) == 20
    assert registers.find(RESIDENTS, {"community": "c1' OR '1'='1"}) == []
    assert registers.find(RESIDENTS, {"name": '"; DROP TABLE register; --'}) == []
    assert len(registers.all(RESIDENTS)) == 30
    with pytest.raises(BadRequest, match="sealed"):
        registers.find(RESIDENTS, {"phone": "0000"})
    with pytest.raises(BadRequest, match="not in the contract"):
        registers.find(RESIDENTS, {"1=1 OR name": "x"})


def test_of_person_follows_every_change(registers: Registers, clock: Clock) -> None:
    row = {
        "mandate_id": "m1",
        "carer": "w",
        "resident_id": "R1",
        "scopes": ["a"],
        "valid_from": START,
        "valid_to": None,
    }
    assert registers.of_person(MANDATES, "R1") == []
    registers.put(MANDATES, [row])
    assert registers.of_person(MANDATES, "R1")[0]["scopes"] == ["a"]
    clock.now = day(1)
    registers.put(MANDATES, [{**row, "scopes": ["a", "b"]}])
    assert registers.of_person(MANDATES, "R1")[0]["scopes"] == ["a", "b"]
    registers.put(MANDATES, [{**row, "resident_id": "R2"}])
    assert registers.of_person(MANDATES, "R1") == []
    assert [one["carer"] for one in registers.of_person(MANDATES, "R2")] == ["w"]


def test_what_is_in_memory_is_what_is_in_the_ledger(registers: Registers, clock: Clock) -> None:
    registers.put(RESIDENTS, [resident(f"R{n}") for n in range(20)])
    assert registers.warm(RESIDENTS) == 20
    registers.put(RESIDENTS, [resident("R3", phone="3"), resident("R20")])
    registers.end(RESIDENTS, "R4")
    registers.erase("R5")
    clock.now = day(1)
    for rid in ("R1", "R3", "R4", "R5", "R20"):
        fresh = Registers(registers._ledger, registers._keys, registers._catalogue, clock=clock)
        assert registers.live(RESIDENTS, rid) == fresh.live(RESIDENTS, rid)
        assert registers.of_person(RESIDENTS, rid) == fresh.of_person(RESIDENTS, rid)
    assert registers.live(RESIDENTS, "R3") == resident("R3", phone="3")
    assert registers.live(RESIDENTS, "R4") is registers.live(RESIDENTS, "R5") is None


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([{"resident_id": "R1"}], "missing"),
        ([resident(hair="grey")], "not in the contract"),
        ([resident(), resident()], "twice"),
    ],
)
def test_rows_that_break_the_contract_are_refused(registers: Registers, rows: list[Any], what: str) -> None:
    with pytest.raises(BadRequest, match=what):
        registers.put(RESIDENTS, rows)
    assert registers.version(RESIDENTS) == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("born", "3 Feb 1950"),
        ("born", 1951),
        ("born", START),
        ("name", 5),
        ("name", ["陈桂兰"]),
        ("phone", 13800000000),
        ("name", "nu\0l"),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_row_and_field(
    registers: Registers, field: str, value: Any
) -> None:
    with pytest.raises(BadRequest, match=rf"field '{field}' is no .* · {RESIDENTS} row 2 · ") as refused:
        registers.put(RESIDENTS, [resident(), resident("R2", **{field: value})])
    assert str(value) not in str(refused.value)  # the message goes into logs
    assert registers.all(RESIDENTS) == []


def test_a_text_that_means_a_date_is_one(registers: Registers) -> None:
    registers.put(RESIDENTS, [resident(born="1947-04-12")])
    assert registers.live(RESIDENTS, "R1") == resident()
    assert registers.put(RESIDENTS, [resident()]) == 0
    row = {"mandate_id": "m1", "carer": "w", "resident_id": "R1", "scopes": ["a"], "valid_from": "2026-01-01T08:00:00"}
    with pytest.raises(BadRequest, match=r"valid_from.* offset"):
        registers.put(MANDATES, [row])
    registers.put(MANDATES, [row | {"valid_from": "2026-01-01T08:00:00+08:00"}])
    assert registers.of_person(MANDATES, "R1")[0]["valid_from"] == START


def test_one_stored_row_that_cannot_be_read_does_not_hide_the_others(
    registers: Registers, ledger: Ledger, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    registers.put(RESIDENTS, [resident(f"R{n}") for n in range(3)])
    with ledger.begin() as conn:  # as an older version let it in
        row = conn.execute(select(register).where(register.c.key == "R1")).one()
        changed = update(register).where(register.c.id == row.id)
        conn.execute(changed.values(data=row.data | {"born": "3 Feb 1950"}))
    for found in (registers.all(RESIDENTS), registers.all(RESIDENTS, sealed=False), registers.find(RESIDENTS, {})):
        assert [one["resident_id"] for one in found] == ["R0", "R2"]
    assert registers.of_person(RESIDENTS, "R1") == registers.known_of_person(RESIDENTS, "R1") == []
    told = str(caplog.records[0].__dict__["fields"])
    assert "'born' holds no date" in told and f"{RESIDENTS}, row {row.id}" in told and "R1" not in told
    with pytest.raises(LedgerError, match="'born' holds no date"):
        registers.live(RESIDENTS, "R1")
    clock.now = day(1)
    assert registers.put(RESIDENTS, [resident("R1")], valid_from=START) == 1  # as the message says
    assert len(registers.all(RESIDENTS)) == 3


def test_what_is_no_register_is_named(registers: Registers) -> None:
    with pytest.raises(UnknownDataset):
        registers.live("city.dragons", "R1")
    with pytest.raises(BadRequest, match="valid_to"):
        registers.put(RESIDENTS, [resident()], valid_from=day(2), valid_to=day(1))


def test_a_whole_city_is_entered_and_corrected(registers: Registers, clock: Clock) -> None:
    rows = [resident(f"R{n}") for n in range(6_000)]
    assert registers.put(RESIDENTS, rows) == 6_000
    clock.now = day(1)
    assert registers.put(RESIDENTS, [row | {"grid": "g2"} if row["resident_id"] > "R5" else row for row in rows]) > 1000
    assert registers.put(RESIDENTS, [resident("R17", grid="g1")]) == 0
    assert len(registers.all(RESIDENTS, sealed=False)) == 6_000


def gone(registers: Registers, ledger: Ledger, before: datetime, dataset: str = RESIDENTS) -> int:
    """How many past rows went, by the two steps: looked for, then dropped."""
    with ledger.read() as conn:
        found = registers.past(conn, dataset, before, 1_000)
        every = list(conn.execute(select(register.c.id)).scalars())
    with ledger.begin() as conn:
        count = registers.drop(conn, dataset, every, before)
    assert count == len(found)
    return count


def test_what_no_longer_holds_goes_in_both_directions_of_time(
    registers: Registers, ledger: Ledger, clock: Clock
) -> None:
    registers.put(RESIDENTS, [resident()], valid_to=day(10))
    registers.put(RESIDENTS, [resident(phone="1111")], valid_from=day(10), valid_to=day(20))
    registers.put(RESIDENTS, [resident(phone="2222")], valid_from=day(20), valid_to=day(900))
    registers.put(RESIDENTS, [resident(phone="3333")], valid_from=day(900))
    registers.put(RESIDENTS, [resident("R2")])
    clock.now = day(5)
    registers.put(RESIDENTS, [resident("R2", phone="4444")])  # a correction: what was known before is superseded
    clock.now = day(30)
    version = registers.version(RESIDENTS)
    assert [row.data["phone"] for row in registers.known_of_person(RESIDENTS, "R1")] == ["0000", "1111", "2222", "3333"]
    assert gone(registers, ledger, day(4)) == 0 and registers.version(RESIDENTS) == version
    assert (
        gone(registers, ledger, day(10)) == 3
    )  # R1's first ten days, R2's first five, what we thought of R2 till then
    assert registers.version(RESIDENTS) == version + 1
    assert [row.data["phone"] for row in registers.known_of_person(RESIDENTS, "R1")] == ["1111", "2222", "3333"]
    assert [row.data["phone"] for row in registers.history(RESIDENTS, "R2")] == ["4444"]
    assert gone(registers, ledger, day(5_000)) == 1  # never what holds now or later, whatever is asked for
    assert registers.live(RESIDENTS, "R1") == resident(phone="2222")
    assert registers.live(RESIDENTS, "R1", at=day(901)) == resident(phone="3333")
    assert registers.live(RESIDENTS, "R2") == resident("R2", phone="4444")
    assert registers.live(RESIDENTS, "R1", at=day(15)) is None


def test_another_register_s_rows_stay(registers: Registers, ledger: Ledger, clock: Clock) -> None:
    registers.put(RESIDENTS, [resident()], valid_to=day(1))
    clock.now = day(9)
    assert gone(registers, ledger, day(5), MANDATES) == 0
    assert gone(registers, ledger, day(5)) == 1 and registers.history(RESIDENTS, "R1") == []


@given(steps, st.integers(-11, 15), st.integers(-1, 22), st.integers(-11, 22))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_past_its_retention_changes_no_belief_since_then(
    shared: tuple[Registers, Clock], said: list[Step], valid: int, known: int, before: int
) -> None:
    registers, clock = shared
    rid, origin = f"R{(run := next(_runs))}", START + timedelta(days=100 * run)

    def day(n: int) -> datetime:
        return origin + timedelta(days=n)

    clock.now, now = origin, 0
    for wait, begin, end, grid in said:
        now += wait
        clock.now = max(day(now), clock.now)
        span = {"valid_from": day(begin), "valid_to": day(end) if end is not None else None}
        registers.put(RESIDENTS, [resident(rid, grid=grid)], **span)
    clock.now = max(day(22), clock.now)
    told = as_of(registers, rid, day(max(valid, before)), day(max(known, before)))
    with registers._ledger.begin() as conn:
        mine = conn.execute(select(register.c.id).where(register.c.key == rid)).scalars()
        registers.drop(conn, RESIDENTS, list(mine), day(before))
    assert as_of(registers, rid, day(max(valid, before)), day(max(known, before))) == told
    for row in registers.history(RESIDENTS, rid):
        assert all(end is None or end > day(before) for end in (row.valid_to, row.known_to))
