"""Bring a database to the newest form of its tables (Alembic), one process at a time."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, text

SCRIPTS = Path(__file__).parent / "migrations"
LEDGER_VERSIONS = SCRIPTS / "versions"

_LOCK = 0x4855_4348  # any fixed number: PostgreSQL's advisory lock of our migrations


def configuration(versions: Path, conn: Connection | None = None, metadata: MetaData | None = None) -> Config:
    """Alembic's configuration for the migrations in ``versions``."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("version_locations", str(versions))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = conn
    config.attributes["metadata"] = metadata
    config.attributes["version_table"] = version_table(versions)
    return config


def version_table(versions: Path) -> str:
    """Where a database notes how far it is; ledger and journal may share one database."""
    return "alembic_version" if versions == LEDGER_VERSIONS else f"alembic_version_{versions.parent.name}"


def upgrade(engine: Engine, metadata: MetaData, versions: Path) -> None:
    """Run the migrations that are missing, in one transaction; nothing is written when none is."""
    script = ScriptDirectory.from_config(configuration(versions))
    with engine.begin() as conn:
        if conn.dialect.name == "postgresql":
            conn.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})
        context = MigrationContext.configure(conn, opts={"version_table": version_table(versions)})
        if set(context.get_current_heads()) != set(script.get_heads()):
            command.upgrade(configuration(versions, conn, metadata), "heads")
