"""Draft a migration from the tables as they are declared now: ``python -m hucheng.base.ledger.draft ROOM MESSAGE``.

Every room keeps its own branch. The draft lies in ``migrations/versions``: read it, then commit it with the table.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate.api import AutogenContext
from alembic.script import ScriptDirectory

import hucheng
from hucheng.base.ledger.columns import Instant, metadata
from hucheng.base.ledger.engine import Ledger
from hucheng.base.ledger.migrate import LEDGER_VERSIONS, configuration


def import_rooms(*rooms: str) -> None:
    """Import every module of the rooms, so that their tables are declared."""
    for room in rooms:
        package = importlib.import_module(f"{hucheng.__name__}.{room}")
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if ".migrations" not in found.name and "versions" not in found.name:
                importlib.import_module(found.name)


def draft(room: str, message: str) -> None:
    """Write the next migration of a room, holding everything in which its tables and migrations differ."""
    before: set[str] = set()
    for lower in ("base", "gate", "decisions", "cases"):
        if lower == room:
            before = set(metadata.tables)
        import_rooms(lower)
        if lower == room:
            break
    own_tables = set(metadata.tables) - before
    script = ScriptDirectory.from_config(configuration(LEDGER_VERSIONS))
    own = sorted(rev.revision for rev in script.walk_revisions() if rev.revision.startswith(f"{room}_"))
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(f"sqlite:///{Path(folder) / 'draft.db'}")
        with ledger.begin() as conn:
            config = configuration(LEDGER_VERSIONS, conn, metadata)
            config.attributes["render_item"] = render
            config.attributes["include_name"] = lambda name, kind, _up: kind != "table" or name in own_tables
            config.attributes["include_object"] = lambda _o, name, kind, _r, _c: kind != "table" or name in own_tables
            number = f"{room}_{len(own) + 1:04d}"
            config.set_main_option("file_template", f"{number}_{message.replace(' ', '_')[:40]}")
            command.revision(
                config,
                message[:1].upper() + message[1:],
                autogenerate=True,
                rev_id=number,
                head=own[-1] if own else "base",
                branch_label=None if own else room,
                version_path=str(LEDGER_VERSIONS),
            )
        ledger.close()


def render(kind: str, value: Any, _context: AutogenContext) -> str | bool:
    """How our column types are written in a migration."""
    if kind == "type" and isinstance(value, Instant):
        return "Instant()"
    if kind == "type" and value.__class__.__name__ == "JSON":
        return "Json"
    return False


if __name__ == "__main__":
    draft(sys.argv[1], " ".join(sys.argv[2:]))
