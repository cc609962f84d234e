"""Purposes: what was refused is closed at once, and an end is a day of the city."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gate.gatekit import purpose
from hucheng.base.catalogue import Catalogue
from hucheng.base.contracts import shipped
from hucheng.base.ledger import Ledger
from hucheng.errors import Refused
from hucheng.gate.purposes import Purposes


def test_a_purpose_refused_while_its_state_is_read_does_not_stay_accepted(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    purposes = Purposes(ledger, Catalogue(shipped()))
    purposes.enrol()
    loaded = purposes._load

    def refusing(conn: Any) -> Any:
        monkeypatch.setattr(purposes, "_load", loaded)
        before = loaded(conn)
        purposes.refuse("purpose", "cases.work", by="sun", reason="on trial")
        return before

    monkeypatch.setattr(purposes, "_load", refusing)
    purposes.get("cases.work")
    with pytest.raises(Refused, match="was refused"):
        purposes.get("cases.work")


@pytest.mark.parametrize(
    ("at", "open_"),
    [
        (datetime(2026, 3, 31, 15, 59, tzinfo=UTC), True),  # 23:59 on the 31st in the city
        (datetime(2026, 3, 31, 16, 0, tzinfo=UTC), False),
        (datetime(2026, 3, 31, 23, 0, tzinfo=UTC), False),  # 07:00 on the 1st
    ],
)
def test_a_purpose_ends_with_its_last_day_in_the_city(ledger: Ledger, at: datetime, open_: bool) -> None:
    purposes = Purposes(ledger, Catalogue(shipped()), clock=lambda: at, zone=ZoneInfo("Asia/Shanghai"))
    purposes.declare("flood", [purpose("flood.help", "officer", ends=date(2026, 3, 31))])
    purposes.enrol()
    purposes.accept("purpose", "flood.help", by="sun", assessment="Little data, for one flood, nobody is worse off.")
    if open_:
        assert purposes.get("flood.help").ends == date(2026, 3, 31)
    else:
        with pytest.raises(Refused, match="ended on 2026-03-31"):
            purposes.get("flood.help")
