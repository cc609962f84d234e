"""Turn NHANES blood-pressure readings (real people, public domain) into a readings file for ``hucheng replay``.

    python tests/e2e/nhanes.py IN.csv.gz OUT.csv [--now 2026-03-01T12:00:00+08:00]

Every pair SysBP*n*/DiaBP*n* becomes two rows of the same device and minute, the three pairs of a person three different
minutes, all observed in the last hour. A value that is missing gives no row. Residents are called ``nhanes-<SEQN>``.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

COLUMNS = ("resident_id", "device_id", "metric", "observed_at", "value", "unit")
PAIRS = (1, 2, 3)


def rows(source: Path, now: datetime) -> Iterator[tuple[str, str, str, str, float, str]]:
    """The rows of the readings file; people are spread over the last hour, their pairs a minute apart."""
    with gzip.open(source, "rt", encoding="utf-8", newline="") as lines:
        for place, person in enumerate(csv.DictReader(lines)):
            first = now - timedelta(minutes=57) + timedelta(seconds=place % 3000)
            name = person["SEQN"].split(".")[0]
            for number in PAIRS:
                at = (first + timedelta(minutes=number - 1)).astimezone(UTC).isoformat(timespec="microseconds")
                for metric, column in (("systolic_bp", f"SysBP{number}"), ("diastolic_bp", f"DiaBP{number}")):
                    if text := person[column].strip():
                        value = float(text)
                        if value == value:
                            yield f"nhanes-{name}", f"cuff-{name}", metric, at, value, "mm[Hg]"


def in_crisis(source: Path) -> set[str]:
    """Residents with any reading of systolic ≥ 180 or diastolic ≥ 110 mmHg: what must be alarmed, by plain counting."""
    limits = {"systolic_bp": 180.0, "diastolic_bp": 110.0}
    return {row[0] for row in rows(source, datetime(2026, 1, 1, tzinfo=UTC)) if row[4] >= limits[row[2]]}


def write(source: Path, target: Path, now: datetime) -> int:
    """Write the readings file; returns the number of rows."""
    count = 0
    with target.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        for row in rows(source, now):
            writer.writerow(row)
            count += 1
    return count


def main(arguments: list[str]) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--now", type=datetime.fromisoformat, default=None)
    given = parser.parse_args(arguments)
    print(write(given.source, given.target, given.now or datetime.now(UTC)), "readings")


if __name__ == "__main__":
    main(sys.argv[1:])
