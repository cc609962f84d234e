"""The register of devices as detection reads it: what the register says, and only changes after the first time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from hucheng.base.bitemporal import register
from hucheng.base.catalogue import Catalogue
from hucheng.base.contracts import shipped
from hucheng.base.deviceregister import LedgerDevices
from hucheng.base.keys import Keys, master_key
from hucheng.base.ledger import Ledger
from hucheng.base.registers import Registers

NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)


def device(name: str, resident: str = "r1", **more: Any) -> dict[str, Any]:
    return {
        "device_id": name, "resident_id": resident, "gateway_id": "gw-1", "dataset": "home.bed", "kind": "mattress",
        "simulated": True, "commissioned_at": NOON, **more,
    }  # fmt: skip


def test_it_follows_the_register(ledger: Ledger, tmp_path: Path) -> None:
    now = [NOON]
    registers = Registers(
        ledger, Keys(ledger, master_key(tmp_path / "key")), Catalogue(shipped()), clock=lambda: now[0]
    )
    found = LedgerDevices(ledger, lambda: now[0])
    assert found.version() == 0 and list(found.rows()) == []
    registers.put("city.devices", [device("d1"), device("d2"), device("d3", key_hash="secret")])
    first = found.version()
    assert first > 0 and {row.device_id for row in found.rows()} == {"d1", "d2", "d3"}
    now[0] += timedelta(seconds=1)
    registers.put("city.devices", [device("d1", resident="r2"), device("d4")])
    registers.end("city.devices", "d2")
    registers.put("city.devices", [device("d3", ended_at=now[0])])
    assert found.version() > first
    rows = {row.device_id: row.resident_id for row in found.rows()}
    assert rows == {"d1": "r2", "d4": "r1"}
    assert rows == {row.device_id: row.resident_id for row in LedgerDevices(ledger, lambda: now[0]).rows()}
    now[0] += timedelta(seconds=1)
    registers.put("city.devices", [device("d5", resident="r5")])
    assert len(list(found.rows())) == 3
    registers.erase("r2")
    assert {row.device_id for row in found.rows()} == {"d4", "d5"}


def test_it_says_since_when_whoever_wears_a_device_now_has_it(ledger: Ledger, tmp_path: Path) -> None:
    now = [NOON]
    registers = Registers(
        ledger, Keys(ledger, master_key(tmp_path / "key")), Catalogue(shipped()), clock=lambda: now[0]
    )
    found = LedgerDevices(ledger, lambda: now[0])

    def after_an_hour(**more: Any) -> int:
        now[0] += timedelta(hours=1)
        registers.put("city.devices", [device("d1", **more)])
        [row] = found.rows()
        assert [row] == list(LedgerDevices(ledger, lambda: now[0]).rows())
        return (row.since_us - int(NOON.timestamp() * 1e6)) // 3_600_000_000 if row.since_us else 0

    assert after_an_hour() == 0
    assert after_an_hour(gateway_id="gw-2") == 0  # another way, the same wearer
    assert after_an_hour(resident="r2") == 3
    assert after_an_hour(resident="r2", gateway_id="gw-2") == 3
    assert after_an_hour() == 5
    registers.erase("r2")
    assert [row.since_us for row in found.rows()] == [0]  # what the one between measured is gone as well


def test_one_row_that_cannot_be_read_leaves_the_other_devices_in_service(
    ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registers = Registers(ledger, Keys(ledger, master_key(tmp_path / "key")), Catalogue(shipped()), clock=lambda: NOON)
    registers.put("city.devices", [device("d1"), device("d2")])
    with ledger.begin() as conn:  # as an older version let it in
        broken = device("d1", commissioned_at=None, ended_at="3 March")
        conn.execute(update(register).where(register.c.key == "d1").values(data=broken))
    assert [row.device_id for row in LedgerDevices(ledger, lambda: NOON).rows()] == ["d2"]
    assert "a device is left out" in caplog.text and "d1" not in caplog.text
