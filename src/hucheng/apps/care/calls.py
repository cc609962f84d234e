"""A call for help: every press of the button counts, at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pyarrow as pa

from hucheng.apps.care.columns import Devices, booleans, of_metrics, times


def presses(batch: pa.Table, state: Devices, registers: Mapping[str, pa.Table], now: datetime) -> pa.Table:
    """One row a reading of the button: ``pressed``; 0 is a button that reports that it works."""
    batch, _ = of_metrics(batch, ("help",))
    value = batch["value"].cast(pa.float64()).to_numpy()
    return state.rows(state.of(batch), times(batch["observed_at"]), pressed=booleans(value))
