"""``python -m hucheng.node.running.part NAME --home DIR``: one process of a running node.

Each part is imported only in its own process, so that it starts quickly and owes nothing to the others.
"""

from __future__ import annotations

import argparse
import importlib
import logging
from collections.abc import Sequence
from pathlib import Path

from hucheng.base.tether import die_with_parent
from hucheng.errors import HuchengError
from hucheng.node.running import logs
from hucheng.settings import Settings

PARTS = {"steward": "hucheng.node.steward.process", "intake": "hucheng.node.intake.process", "web": "hucheng.node.web"}


def main(argv: Sequence[str] | None = None) -> None:
    """Run one part until it is told to stop."""
    parser = argparse.ArgumentParser(prog="hucheng.node.running.part", description=__doc__)
    parser.add_argument("name", choices=sorted(PARTS))
    parser.add_argument("--home", required=True, type=Path)
    parser.add_argument("--partition", type=int, default=0)
    given = parser.parse_args(argv)
    die_with_parent()
    label = f"{given.name}-{given.partition}" if given.name == "intake" else given.name
    logs.configure(label)
    settings = Settings.running(given.home)
    module = importlib.import_module(PARTS[given.name])
    try:
        if given.name == "intake":
            module.run(settings, given.partition)
        else:
            module.run(settings)
    except HuchengError as error:
        fields = {"what": error.what, "where": error.where, "mend": error.mend}
        logging.getLogger(__name__).error("part stopped by an error", extra={"fields": fields})
        raise SystemExit(error.exit_code) from None
    except Exception:
        logging.getLogger(__name__).exception("part stopped by an error")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
