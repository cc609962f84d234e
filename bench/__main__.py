"""``python -m bench [NAME …] [--quick]``: measure, write results.json, print the table."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from bench.table import Figure, show, write

MEASURED = ("rules", "persons", "packs", "journal", "gate", "desk", "intake", "pages", "contacts", "now", "forecasts")


def main() -> None:
    """Run the named measurements, or all; each module gives ``measure(quick) -> list[Figure]``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*MEASURED, []])
    parser.add_argument("--quick", action="store_true", help="short runs: a look, not a result")
    given = parser.parse_args()
    figures: list[Figure] = []
    for name in given.names or MEASURED:
        if not Path(__file__).with_name(f"{name}.py").exists():
            continue
        print(f"… {name}", file=sys.stderr, flush=True)
        measured: list[Figure] = importlib.import_module(f"bench.{name}").measure(given.quick)
        print(show(measured), file=sys.stderr, flush=True)
        figures += measured
    write(figures, given.quick)
    print(show(figures))


if __name__ == "__main__":
    main()
