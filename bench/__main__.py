"""``python -m bench [NAME …] [--quick]``: measure, write results.json, print the table."""

from __future__ import annotations

import argparse
import importlib
import sys
import traceback

from bench.table import Figure, show, write

MEASURED = ("rules", "persons", "packs", "journal", "gate", "desk", "intake", "pages", "contacts", "now", "forecasts")


def main() -> None:
    """Run the named measurements, or all; each module gives ``measure(quick) -> list[Figure]``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*MEASURED, []])
    parser.add_argument("--quick", action="store_true", help="short runs: a look, not a result")
    given = parser.parse_args()
    figures: list[Figure] = []
    broken: list[str] = []
    for name in given.names or MEASURED:
        print(f"… {name}", file=sys.stderr, flush=True)
        try:
            measured: list[Figure] = importlib.import_module(f"bench.{name}").measure(given.quick)
        except Exception:  # what the others measured is worth an hour
            traceback.print_exc()
            broken.append(name)
            continue
        print(show(measured), file=sys.stderr, flush=True)
        figures += measured
    write(figures, given.quick)
    print(show(figures))
    if broken:
        sys.exit(f"not measured: {', '.join(broken)} (see above)")


if __name__ == "__main__":
    main()
