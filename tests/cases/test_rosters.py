"""Who is on duty at every hour, on nights that cross midnight, on holidays and made-up working days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hucheng.cases.calendar import Calendar, calendar
from hucheng.cases.rosters import TIERS, RosterLine, on_duty, scopes_of
from hucheng.errors import BadRequest

from .conftest import Town

SHANGHAI = ZoneInfo("Asia/Shanghai")
CITY = calendar("Asia/Shanghai")

LINES = [
    RosterLine("day", "c1", 1, "日班", shifts=("day",)),
    RosterLine("night", "c1", 1, "夜班", shifts=("night",)),
    RosterLine("holiday", "c1", 1, "假日", shifts=("holiday",)),
]


def names(at: datetime, lines: list[RosterLine] = LINES, tier: int = 1) -> list[str]:
    return [line.id for line in on_duty(lines, ["r1", "c1", "s1", "lj"], tier, at, CITY)]


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize("hour", range(24))
def test_every_hour_of_a_working_day_has_one_officer(hour: int) -> None:
    at = local(f"2026-03-03T{hour:02}:30")
    assert names(at) == (["day"] if 8 <= hour < 20 else ["night"])


@pytest.mark.parametrize(
    ("at", "who"),
    [
        ("2026-03-03T07:59:59.999999", "night"),
        ("2026-03-03T08:00", "day"),
        ("2026-03-03T19:59:59.999999", "day"),
        ("2026-03-03T20:00", "night"),
        ("2026-03-04T00:00", "night"),
        ("2026-03-07T12:00", "holiday"),  # Saturday
        ("2026-02-17T12:00", "holiday"),  # Spring Festival
        ("2026-02-17T23:00", "night"),
        ("2026-02-14T12:00", "day"),  # a Saturday that is worked
        ("2026-02-28T12:00", "day"),
        ("2026-10-01T12:00", "holiday"),
        ("2026-10-10T12:00", "day"),
        ("2026-12-31T23:59", "night"),
        ("2027-01-01T00:00", "night"),
    ],
)
def test_nights_holidays_and_worked_weekends(at: str, who: str) -> None:
    assert names(local(at)) == [who]


@settings(deadline=None)
@given(st.integers(0, 6 * 365 * 86_400_000_000))
def test_every_instant_lies_in_exactly_one_shift_that_holds_it(microseconds: int) -> None:
    instant = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    shift = CITY.shift(instant)
    assert shift.start <= instant < shift.end
    assert shift.end - shift.start == timedelta(hours=12)
    assert CITY.shift(shift.end).start == shift.end
    assert CITY.shift(shift.end - timedelta(microseconds=1)) == shift


def test_a_night_belongs_to_the_weekday_on_which_it_began() -> None:
    lines = [RosterLine("friday", "c1", 1, "x", shifts=("night",), weekdays=(4,))]
    assert names(local("2026-03-06T23:00"), lines) == ["friday"]
    assert names(local("2026-03-07T03:00"), lines) == ["friday"]
    assert names(local("2026-03-07T23:00"), lines) == []


def test_on_a_holiday_without_its_own_line_the_day_stands_in() -> None:
    assert names(local("2026-10-01T12:00"), LINES[:2]) == ["day"]


def test_a_mandate_that_ended_is_not_called() -> None:
    end = local("2026-03-03T12:00")
    lines = [RosterLine("d", "r1", 2, "女儿", who="carer", valid_from=end - timedelta(days=1), valid_to=end)]
    assert names(end - timedelta(seconds=1), lines, tier=2) == ["d"]
    assert names(end, lines, tier=2) == []
    assert names(end - timedelta(days=2), lines, tier=2) == []


def test_the_nearest_scope_with_somebody_wins_and_rank_orders() -> None:
    lines = [
        RosterLine("city", "lj", 3, "a"),
        RosterLine("b", "s1", 3, "b", rank=2),
        RosterLine("c", "s1", 3, "c", rank=1),
        RosterLine("own", "r1", 3, "d", shifts=("night",)),
    ]
    assert names(local("2026-03-03T12:00"), lines, tier=3) == ["c", "b"]
    assert names(local("2026-03-03T22:00"), lines, tier=3) == ["own"]


def test_scopes_run_from_the_resident_to_the_root() -> None:
    assert scopes_of("r", ("cn", "lj", "c1")) == ["r", "c1", "lj", "cn"]


def test_the_zone_decides_not_the_machine() -> None:
    assert names(datetime(2026, 3, 3, 0, 0, tzinfo=UTC)) == ["day"]
    assert names(datetime(2026, 3, 3, 12, 0, tzinfo=UTC)) == ["night"]


def test_a_zone_that_changes_its_clock_has_no_gap() -> None:
    berlin = Calendar(ZoneInfo("Europe/Berlin"))
    at = datetime(2026, 3, 28, 12, tzinfo=UTC)
    while at < datetime(2026, 3, 30, 12, tzinfo=UTC):
        shift = berlin.shift(at)
        assert shift.start <= at < shift.end
        at += timedelta(minutes=30)


def test_holidays_are_data() -> None:
    own = calendar("Asia/Shanghai", "2026: {holidays: [[2026-03-03, 2026-03-04]], working: [2026-03-07]}")
    assert own.rests(date(2026, 3, 4)) and not own.rests(date(2026, 3, 5)) and not own.rests(date(2026, 3, 7))


@pytest.mark.parametrize(
    "line",
    [
        RosterLine("x", "c1", 9, "x"),
        RosterLine("x", "c1", 1, "x", shifts=()),
        RosterLine("x", "c1", 1, "x", shifts=("noon",)),  # type: ignore[arg-type]
        RosterLine("x", "c1", 1, "x", weekdays=(7,)),
    ],
)
def test_a_line_that_says_nonsense_is_refused(town: Town, line: RosterLine) -> None:
    with pytest.raises(BadRequest), town.ledger.begin() as conn:
        town.rosters.put(conn, [line])


def test_who_is_on_duty_now_and_to_whom_a_case_can_go(town: Town) -> None:
    with town.ledger.read() as conn:
        assert [c.who for c in town.rosters.colleagues(conn, ["r1", "c1", "d1", "lj"], town.clock())] == [
            "officer-li",
            "carer-zhang",
            "officer-zhao",
            "officer-qian",
        ]
        assert town.rosters.duties(conn, "officer-li", town.clock())
        assert not town.rosters.duties(conn, "officer-wang", town.clock())
        assert not town.rosters.duties(conn, "nobody", town.clock())


def test_an_erased_resident_is_on_no_roster(town: Town) -> None:
    with town.ledger.begin() as conn:
        assert town.rosters.erase(conn, "r1") == 1
        assert town.rosters.called(conn, ["r1"], 2, town.clock()) == []


def test_the_tiers_are_those_of_the_reference() -> None:
    assert [TIERS[n]["en"] for n in sorted(TIERS)] == [
        "Duty officer",
        "Key holder or family",
        "Mobile responder",
        "Emergency desk",
    ]
