"""The ledger's engine: one writer at a time on SQLite, durable when `begin` returns, readers never wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from sqlalchemy import URL, Column, Connection, Engine, MetaData, Table, create_engine, event, make_url, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import StaticPool

from hucheng.base.ledger.columns import metadata as shared_metadata
from hucheng.errors import LedgerError

_AFTER = "hucheng_after_commit"


class Ledger:
    """A database with transactions; see `begin` for writing and `read` for reading.

    ``url`` is a SQLAlchemy address (``sqlite:///file`` or ``postgresql://…``). Migrations run at start unless
    ``migrate`` is False (a second process beside the writer). Raises LedgerError when it cannot be opened.
    ``readonly``: nothing is written, no file is made, nothing is migrated.
    """

    def __init__(
        self,
        url: str,
        *,
        migrate: bool = True,
        metadata: MetaData = shared_metadata,
        versions: Path | None = None,
        readers: int = 24,
        readonly: bool = False,
    ) -> None:
        address = make_url(url)
        if address.drivername in ("postgresql", "postgres"):
            address = address.set(drivername="postgresql+psycopg")
        self.url = address
        self.metadata = metadata
        self.embedded = address.get_backend_name() == "sqlite"
        self._writer = threading.Lock()
        self._writing = threading.local()
        given: dict[str, Any] = {"json_serializer": _to_json, "json_deserializer": msgspec.json.decode}
        if self.embedded and address.database in (None, "", ":memory:"):
            given |= {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
        elif self.embedded and readonly:
            address = _only_read(address)
            given |= {"connect_args": {"timeout": 20}}
        elif self.embedded:
            Path(str(address.database)).parent.mkdir(parents=True, exist_ok=True)
            given |= {"pool_size": readers, "max_overflow": readers, "connect_args": {"timeout": 20}}
        else:
            given |= {"pool_size": readers, "max_overflow": readers, "pool_pre_ping": True}
        self.engine: Engine = create_engine(address, **given)
        if self.embedded:
            event.listen(self.engine, "connect", _prepare_readonly if readonly else _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._write_engine = self.engine.execution_options(hucheng_write=True)
        snapshot: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._read_engine = self.engine.execution_options(**({} if self.embedded else snapshot))
        if migrate and not readonly:
            from hucheng.base.ledger.migrate import LEDGER_VERSIONS, upgrade  # a reader beside need not load Alembic

            try:
                upgrade(self._write_engine, metadata, versions or LEDGER_VERSIONS)
            except DBAPIError as error:
                raise LedgerError(
                    f"cannot open the ledger: {error.orig}",
                    where=address.render_as_string(hide_password=True),
                    mend="is the database there, and is the disk full?",
                ) from error

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A write transaction: committed and durable when the block ends, rolled back when it raises.

        One at a time in this process. Not to be nested: hand the connection on instead.
        Raises LedgerError when nested, or when the database cannot take the change (disk full, locked).
        """
        if getattr(self._writing, "on", False):
            raise LedgerError("a write transaction is already open in this thread", mend="hand its connection on")
        self._writer.acquire()  # on PostgreSQL too: what holds on one database must hold on the other
        self._writing.on = True
        after: list[Callable[[], None]] = []
        try:
            try:
                with self._write_engine.begin() as conn:
                    conn.info[_AFTER] = after
                    try:
                        yield conn
                    finally:
                        conn.info.pop(_AFTER, None)
            except OperationalError as error:
                raise LedgerError(
                    f"the ledger did not take the change: {error.orig}", mend="is the disk full or the server away?"
                ) from error
        finally:
            self._writing.on = False
            self._writer.release()
        for act in after:
            act()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction on one snapshot; never waits for the writer on SQLite (WAL)."""
        with self._read_engine.connect() as conn, conn.begin():
            yield conn

    @contextmanager
    def on(self, conn: Connection | None) -> Iterator[Connection]:
        """The given write transaction, or a new one."""
        if conn is not None:
            yield conn
        else:
            with self.begin() as fresh:
                yield fresh

    @contextmanager
    def seen(self, conn: Connection | None) -> Iterator[Connection]:
        """The given transaction (which sees its own changes), or a new read transaction."""
        if conn is not None:
            yield conn
        else:
            with self.read() as fresh:
                yield fresh

    def scrub(self, *tables: Table) -> None:
        """Leave no erased bytes of these tables behind (none named: of all).

        SQLite overwrites deleted cells at once (``secure_delete``), and this empties the write-ahead file;
        PostgreSQL gives the space free by VACUUM and overwrites it when it is used again.
        """
        if self.embedded:
            with self.engine.connect() as conn:
                conn.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
                conn.execute(text("VACUUM " + ", ".join(table.name for table in tables)))

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def after_commit(conn: Connection, act: Callable[[], None]) -> None:
    """Have ``act`` called once the transaction of `Ledger.begin` is durable, and not at all if it rolls back."""
    waiting = conn.info.get(_AFTER)
    if waiting is None:
        raise LedgerError("this connection is not inside a write transaction", mend="use Ledger.begin")
    waiting.append(act)


def insert(conn: Connection, table: Table) -> Any:
    """An INSERT of this database's dialect, so that ``on_conflict_do_update`` and ``…_nothing`` are there."""
    return sqlite.insert(table) if conn.dialect.name == "sqlite" else postgresql.insert(table)


def picked(column: Column[Any], names: Sequence[Any]) -> Any:
    """The rows of a table with one of these keys, to ask further of: found by the key, whatever else is asked.

    Beside other conditions SQLite takes any index it likes, and may walk half a table for a handful of rows.
    """
    return select(column.table).where(column.in_(list(names))).limit(len(names)).subquery()


def _to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _only_read(address: URL) -> URL:
    """The file as SQLite opens it to read: it makes none, and beside a file that nobody has open it writes nothing."""
    path = Path(str(address.database)).absolute()
    query = {"mode": "ro", "uri": "true"}
    if not path.with_name(path.name + "-wal").exists():
        query["immutable"] = "1"  # otherwise a reader leaves its own -wal and -shm behind
    return address.set(database=f"file:{quote(str(path))}", query=query)


def _prepare_readonly(raw: Any, _record: Any) -> None:
    raw.isolation_level = None
    cursor = raw.cursor()
    for pragma in ("busy_timeout=20000", "query_only=ON", "temp_store=MEMORY", "cache_size=-32000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _prepare_sqlite(raw: Any, _record: Any) -> None:
    raw.isolation_level = None  # we say BEGIN ourselves, see _begin_sqlite
    cursor = raw.cursor()
    for pragma in (
        "busy_timeout=20000",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        "temp_store=MEMORY",
        "cache_size=-32000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(conn: Connection) -> None:
    # A write transaction takes the lock at once: a read that turns into a write could not be retried.
    writes = conn.get_execution_options().get("hucheng_write", False)
    conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
