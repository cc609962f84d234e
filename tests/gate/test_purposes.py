"""Purposes: what was refused is closed at once, and an end is a day of the city."""

from __future__ import annotations

from typing import Any

import pytest

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
