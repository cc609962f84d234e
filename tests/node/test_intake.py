"""From MQTT to the lake and to the findings, through real processes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from hucheng.base import broker
from hucheng.base.contracts import load_contract
from hucheng.base.credentials import Credentials
from hucheng.base.devices import DeviceRow
from hucheng.base.partition import partition_of
from hucheng.base.quarantine import Quarantine
from hucheng.base.sources.mqtt import Publisher
from hucheng.errors import BadRequest
from hucheng.node.replay import replay
from tests.base.nodekit import FileDevices, committed, findings, running, stored, until

CONTRACT = load_contract(Path(__file__).parents[1] / "base" / "contracts" / "test.pressure.yaml")


def rows(gateways: list[str], each: int) -> list[DeviceRow]:
    return [DeviceRow(f"{g}-d{i}", f"r-{g}-{i}", g, "test.pressure", True) for g in gateways for i in range(each)]


def publisher(here: Any, gateway: str, **more: Any) -> Publisher:
    return Publisher(Credentials(broker.folder(here)).get(gateway), broker.ports(here).mqtt, **more)


def body(device: str, at: int, value: float) -> bytes:
    return json.dumps(
        {"device_id": device, "metric": "systolic_bp", "observed_at": at, "value": value, "unit": "mm[Hg]"}
    ).encode()


def now_us() -> int:
    return time.time_ns() // 1000


def test_a_reading_over_mqtt_is_stored_and_a_crisis_becomes_one_finding(tmp_path: Path) -> None:
    with running(tmp_path, ["gw-1"], rows(["gw-1"], 2)) as (here, _, intakes):
        gateway = publisher(here, "gw-1")
        at = now_us()
        for value in (120, 185, 185):
            gateway.publish("readings/gw-1/gw-1-d0", body("gw-1-d0", at + value, value))
        gateway.publish("readings/gw-1/batch", b'{"nonsense"')
        gateway.publish("readings/gw-1/nobody", body("nobody", at, 120))
        assert gateway.wait(10)
        until(lambda: committed(here) == 5)
        found = findings(here)
        assert [(f["rule"], f["resident_id"], f["outcome"]) for f in found] == [
            ("crisis", "r-gw-1-0", {"crisis": True})
        ]
        assert found[0]["reasons"] == [{"fact": "systolic", "value": 185}] and found[0]["simulated"]
        assert Quarantine(tmp_path / "lake").counts() == {"malformed": 1, "unknown_device": 1}
        FileDevices(tmp_path).put([*rows(["gw-1"], 2), DeviceRow("nobody", "r9", "gw-1", "test.pressure")])
        for one in Quarantine(tmp_path / "lake").waiting("unknown_device"):
            gateway.publish(f"readings/{one.gateway}/batch", one.raw.encode())
        until(lambda: committed(here) == 6)
        gateway.close()
        assert intakes[0].stop() == 0
        assert len(stored(tmp_path)) == 3


def test_time_alone_finds_also_while_readings_never_pause(tmp_path: Path) -> None:
    with running(tmp_path, ["gw-1"], rows(["gw-1"], 1)) as (here, _, _):
        gateway = publisher(here, "gw-1")
        seen: set[str] = set()
        deadline = time.monotonic() + 60
        while len(seen) < 3:
            assert time.monotonic() < deadline
            for _ in range(100):
                gateway.publish("readings/gw-1/batch", body("gw-1-d0", now_us(), 100))
                time.sleep(0.005)
            seen = {found["id"] for found in findings(here, "clock")}
        gateway.close()


def test_what_was_taken_is_committed_when_it_is_told_to_stop(tmp_path: Path) -> None:
    with running(tmp_path, ["gw-1"], rows(["gw-1"], 1)) as (here, _, intakes):
        gateway = publisher(here, "gw-1")
        at = now_us()
        for i in range(50):
            gateway.publish("readings/gw-1/batch", body("gw-1-d0", at + i, 100))
        assert gateway.wait(10)
        until(lambda: len(stored(tmp_path)) > 0)
        intakes[0].stop()
        intakes[0].start()
        intakes[0].ready()
        until(lambda: committed(here) == 50)
        assert len(stored(tmp_path)) == 50


def test_partitions_share_the_gateways_as_the_broker_does(tmp_path: Path) -> None:
    names = [f"gw-{i}" for i in range(6)]
    with running(tmp_path, names, rows(names, 1), intakes=2) as (here, _, _):
        assert {partition_of(name, 2) for name in names} == {0, 1}
        for name in names:
            gateway = publisher(here, name)
            gateway.publish(f"readings/{name}/batch", body(f"{name}-d0", now_us(), 100))
            assert gateway.wait(10)
            gateway.close()
        until(lambda: committed(here) == 6)
        assert len(stored(tmp_path)) == 6 and Quarantine(tmp_path / "lake").counts() == {}


def test_a_gateway_cannot_speak_for_another(tmp_path: Path) -> None:
    with running(tmp_path, ["gw-1", "gw-2"], rows(["gw-1", "gw-2"], 1)) as (here, _, _):
        forger = publisher(here, "gw-1")
        forger.publish("readings/gw-2/batch", body("gw-2-d0", now_us(), 190))
        forger.publish("replay/gw-1/batch", body("gw-1-d0", now_us(), 190))
        forger.publish("readings/gw-1/batch", body("gw-2-d0", now_us(), 190))
        forger.publish("readings/gw-1/batch", body("gw-1-d0", now_us(), 100))
        assert forger.wait(10)
        until(lambda: committed(here) == 2)
        assert [row["device_id"] for row in stored(tmp_path)] == ["gw-1-d0"]
        assert Quarantine(tmp_path / "lake").counts() == {"wrong_gateway": 1}
        assert findings(here) == []
        forger.close()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_is_replayed_once_however_often(tmp_path: Path, suffix: str) -> None:
    import duckdb

    at = now_us()
    names = ["gw-1", "gw-2"]
    file = tmp_path / f"readings.{suffix}"
    day = 86_400_000_000
    duckdb.sql(
        f"COPY (SELECT 'r-gw-'||(1+i%2)||'-'||((i//2)%3) AS resident_id, "
        f"'gw-'||(1+i%2)||'-d'||((i//2)%3) AS device_id, "
        f"'systolic_bp' AS metric, make_timestamptz(({at} - (i//6)*{day // 50})::BIGINT) AS observed_at, "
        f"(100 + (i*7)%90)::DOUBLE AS value, 'mm[Hg]' AS unit FROM range(3000) t(i)) TO '{file}'"
    )
    with running(tmp_path / "home", names, rows(names, 3), intakes=2) as (here, _, _):
        devices = {row.device_id: row for row in rows(names, 3)}
        first = replay(here, file, CONTRACT, devices)
        assert (first.received, first.accepted, first.duplicate, first.quarantined) == (3000, 3000, 0, 0)
        young = len(findings(here))
        again = replay(here, file, CONTRACT, devices)
        assert (again.received, again.accepted, again.duplicate) == (3000, 0, 3000)
        assert len(stored(tmp_path / "home")) == 3000
        assert len(findings(here)) == young < 50
        with pytest.raises(BadRequest, match="register"):
            from hucheng.base.contracts import shipped

            replay(here, file, shipped()[0], devices)


def test_live_replay_lets_history_raise_findings(tmp_path: Path) -> None:
    file = tmp_path / "old.csv"
    file.write_text(
        "device_id,metric,observed_at,value,unit\n"
        "gw-1-d0,systolic_bp,2026-01-01T08:00:00+08:00,185,mm[Hg]\n"
        "gw-1-d0,systolic_bp,2026-01-01T00:05:00Z,high,mm[Hg]\n"
        "gw-1-d0,systolic_bp,never,120,mm[Hg]\n"
        "gw-9-d0,systolic_bp,2026-01-01T00:05:00Z,120,mm[Hg]\n"
        ",systolic_bp,2026-01-01T00:05:00Z,120,mm[Hg]\n"
    )
    with running(tmp_path / "home", ["gw-1"], rows(["gw-1"], 1)) as (here, _, _):
        devices = {row.device_id: row for row in rows(["gw-1"], 1)}
        counts = replay(here, file, CONTRACT, devices)
        assert (counts.received, counts.accepted, counts.quarantined) == (5, 1, 4)
        assert Quarantine(tmp_path / "home" / "lake").counts()["unknown_device"] == 2
        assert findings(here) == []
        file.write_text(file.read_text().replace(",185,", ",186,").replace("08:00:00+08", "08:01:00+08"))
        assert replay(here, file, CONTRACT, devices, live=True).accepted == 1
        assert [f["observed_at"] for f in findings(here)] == ["2026-01-01T00:01:00Z"]
