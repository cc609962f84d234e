"""What the tests of the data path share: contracts, devices, and messages as the broker would hand them over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hucheng.base.contracts import load_folder
from hucheng.base.devices import DeviceRow, ListedDevices, Metrics
from hucheng.base.stream import Message

CONTRACTS = Path(__file__).parent / "contracts"
NOW_US = 1_772_337_600_000_000  # 2026-03-01 04:00 UTC
SECOND = 1_000_000


def metrics() -> Metrics:
    return Metrics(load_folder(CONTRACTS))


def devices(n: int = 3, gateway: str = "gw-1") -> ListedDevices:
    return ListedDevices([DeviceRow(f"d{i}", f"r{i}", gateway, "test.pressure", True) for i in range(n)])


def one(device: str = "d0", at: int = NOW_US, value: float = 120, metric: str = "systolic_bp", **more: Any) -> Any:
    return {"device_id": device, "metric": metric, "observed_at": at, "value": value, "unit": "mm[Hg]", **more}


def message(
    seq: int, body: Any, *, gateway: str = "gw-1", received: int = NOW_US, replay: bool = False, right: bool = True
) -> Message:
    if isinstance(body, Sequence) and not isinstance(body, (bytes, str)):
        body = {"readings": list(body)}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Message(seq, received, gateway, "batch", replay, right, data)
