"""The vault: identity numbers are checked, unique, and known to nobody but the vault."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from hucheng.base import identity
from hucheng.base.identity import Vault, born, check_digit, checked, sex
from hucheng.base.keys import Keys
from hucheng.base.ledger import Ledger
from hucheng.errors import IdentityError, KeyMissing

TODAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
PUBLISHED = "11010519491231002X"
"""The example of GB 11643-1999, appendix."""


def number(day: date, sequence: int, area: str = "999999") -> str:
    first = f"{area}{day:%Y%m%d}{sequence:03d}"
    return first + check_digit(first)


numbers = st.builds(
    number, st.dates(date(1900, 1, 1), TODAY), st.integers(0, 999), st.integers(0, 999999).map("{:06d}".format)
)


@pytest.fixture
def vault(ledger: Ledger) -> Vault:
    return Vault(ledger, Keys(ledger, bytes(32)), clock=lambda: NOW)


def test_the_published_example_is_valid_and_small_x_is_the_same() -> None:
    assert checked(PUBLISHED, today=TODAY) == PUBLISHED
    assert checked(" " + PUBLISHED.lower(), today=TODAY) == PUBLISHED
    assert born(PUBLISHED) == date(1949, 12, 31)
    assert sex(PUBLISHED) == "female"


@settings(deadline=None)
@given(numbers, st.integers(0, 17), st.sampled_from("0123456789X"))
def test_every_single_wrong_character_is_found(good: str, place: int, other: str) -> None:
    assume(good[place] != other)
    with pytest.raises(IdentityError):
        checked(good[:place] + other + good[place + 1 :], today=date(2999, 1, 1))


@settings(deadline=None)
@given(numbers, st.integers(0, 16))
def test_every_swap_of_neighbours_is_found(good: str, place: int) -> None:
    assume(good[place] != good[place + 1])
    with pytest.raises(IdentityError):
        checked(good[:place] + good[place + 1] + good[place] + good[place + 2 :], today=date(2999, 1, 1))


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ("", "18 characters"),
        ("1101051949123100", "18 characters"),
        ("1101051949123100AX", "17 digits"),
        ("１１０１０５１９４９１２３１００２Ｘ", "17 digits"),
        (number(date(2026, 3, 2), 2), "cannot be"),
        ("999999199902300021", "no date"),
        ("999999184912310021", "cannot be"),
        (PUBLISHED[:-1] + "1", "check character"),
        ("'; DROP TABLE --xx", "17 digits"),
    ],
)
def test_what_is_wrong_is_named(wrong: str, what: str) -> None:
    with pytest.raises(IdentityError, match=what):
        checked(wrong, today=TODAY)


def test_one_number_is_one_resident_and_nothing_of_it_lies_open(vault: Vault, ledger: Ledger) -> None:
    rid = vault.enter(PUBLISHED)
    assert vault.enter(PUBLISHED.lower()) == rid
    assert vault.find(PUBLISHED) == rid
    assert vault.open(rid) == PUBLISHED
    assert rid not in PUBLISHED
    assert vault.find(number(date(1950, 1, 1), 2)) is None
    with ledger.read() as conn:
        row = conn.execute(select(identity.identity)).one()
    assert PUBLISHED.encode() not in bytes(row.sealed) + bytes(row.digest)


def test_numbers_and_residents_are_not_shared(vault: Vault) -> None:
    other = number(date(1950, 1, 1), 2)
    vault.enter(PUBLISHED, resident_id="R1")
    with pytest.raises(IdentityError, match="another resident"):
        vault.enter(PUBLISHED, resident_id="R2")
    with pytest.raises(IdentityError, match="another number"):
        vault.enter(other, resident_id="R1")
    assert vault.find(other) is None


def test_many_at_once_are_entered_whole_or_not_at_all(vault: Vault) -> None:
    many = {number(date(1940, 1, 1) + timedelta(days=n), n % 1000): f"R{n}" for n in range(300)}
    assert vault.enter_all(dict(many)) == many
    wrong = number(date(1990, 1, 1), 5)
    with pytest.raises(IdentityError):
        vault.enter_all({wrong: None, "bad": None})
    assert vault.find(wrong) is None


def test_an_erased_resident_has_no_number(vault: Vault, ledger: Ledger) -> None:
    rid = vault.enter(PUBLISHED)
    assert vault.erase(rid)
    assert not vault.erase(rid)
    assert vault.find(PUBLISHED) is None
    with pytest.raises(IdentityError):
        vault.open(rid)


def test_a_destroyed_key_closes_the_number(ledger: Ledger) -> None:
    keys = Keys(ledger, bytes(32))
    vault = Vault(ledger, keys, clock=lambda: NOW)
    rid = vault.enter(PUBLISHED)
    keys.destroy(rid)
    with pytest.raises(KeyMissing):
        vault.open(rid)


def test_who_is_born_today_in_the_city_can_be_entered_before_the_day_begins_in_greenwich(ledger: Ledger) -> None:
    seven = datetime(2026, 3, 31, 23, tzinfo=UTC)  # 07:00 on 1 April in Shanghai
    vault = Vault(ledger, Keys(ledger, bytes(32)), clock=lambda: seven, zone=ZoneInfo("Asia/Shanghai"))
    entered = vault.enter(number(date(2026, 4, 1), 7))
    assert vault.find(number(date(2026, 4, 1), 7)) == entered
    with pytest.raises(IdentityError):
        vault.enter(number(date(2026, 4, 2), 7))
