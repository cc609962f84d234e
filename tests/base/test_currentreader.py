from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from hucheng.base.current import Current, Offset, prefix_of
from hucheng.base.currentreader import CurrentReader

SERIES = [(device, metric) for device in ("a", "ab", "a1", "b") for metric in ("x", "xy")]


def test_a_series_is_read_within_its_bounds_and_beside_others_that_begin_alike(tmp_path: Path) -> None:
    """Against looking at everything: both ends, limits, and names that are the beginning of others."""
    rng = random.Random(1)
    current = Current(tmp_path / "current" / "p0")
    (number,) = current.people(["r1"]).tolist()
    kept: dict[tuple[str, str], list[int]] = {}
    for place, (device, metric) in enumerate(SERIES):
        kept[device, metric] = times = sorted(rng.sample(range(-50, 50), 30))
        size = len(times)
        current.write(
            Offset(),
            [prefix_of(device, metric)] * size,
            np.array(times, np.int64),
            np.array(times, float) + place / 10,
            np.array(times, np.int64) + 1,
            np.arange(size, dtype=np.int64),
            np.zeros(size, bool),
            np.full(size, number),
        )
    reader = CurrentReader(tmp_path, 1, stale_s=0)
    for _ in range(1_000):
        device, metric = rng.choice(SERIES)
        since, until = sorted(rng.choices(range(-60, 60), k=2))
        limit = rng.choice([None, 1, 2, 3, 10, 29, 30, 31, 100])
        wanted = [time for time in reversed(kept[device, metric]) if since <= time <= until][:limit]
        found = reader.recent(0, device, [metric], since, until, limit)
        assert [one.observed_us.tolist() for one in found] == ([wanted] if wanted else [])
        assert all(
            one.value.tolist() == [time + SERIES.index((device, metric)) / 10 for time in wanted] for one in found
        )
    newest = reader.last(0, "ab", ["x", "xy"])
    assert [one.observed_us.tolist() for one in newest] == [[kept["ab", "x"][-1]], [kept["ab", "xy"][-1]]]
    reader.close()
    current.close()


def test_whose_a_reading_is_is_a_whole_name(tmp_path: Path) -> None:
    """An erasure asks whether anything of somebody is left: “r1” is not left where “r12” wears the device now."""
    current = Current(tmp_path / "current" / "p0")
    (number,) = current.people(["r12"]).tolist()
    one = np.array([5], np.int64)
    current.write(
        Offset(), [prefix_of("d", "x")], one, one.astype(float), one, one, np.zeros(1, bool), np.array([number])
    )
    reader = CurrentReader(tmp_path, 1, stale_s=0)
    (series,) = reader.last(0, "d", ["x"])
    assert series.wearers() == ["r12"]
    assert "r1" not in series.wearers()
    reader.close()
    current.close()
