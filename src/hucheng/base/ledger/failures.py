"""What an error of a database means: it could not be asked at all, or it answered and what it holds cannot be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from hucheng.errors import HuchengError

_ASKED_IN_VAIN = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_AUTH,
}
_SERVER_IN_VAIN = ("08", "28", "3D", "40", "53", "55", "57", "42501")
"""SQLSTATE: no connection, not let in, no such database, in each other's way, no room, shut down, no right."""


class Unreadable(Exception):
    """What the database holds cannot be read: a damaged file, a table that is gone, values of another kind."""


class Away(Exception):
    """The database could not be asked: the server is down, the file is locked or closed to this user."""


def away(error: BaseException) -> bool:
    """Whether this error of a driver says that the database could not be asked, and nothing of what it holds."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _ASKED_IN_VAIN
    state = getattr(error, "sqlstate", None)
    if state is None:  # psycopg: a connection that did not come about, or broke off
        return type(error).__name__ in ("OperationalError", "ConnectionTimeout", "TimeoutError")
    return str(state).startswith(_SERVER_IN_VAIN)


@contextmanager
def reading() -> Iterator[None]:
    """Raises Away or Unreadable, with the driver's words, for whatever goes wrong with a database that is read."""
    try:
        yield
    except (HuchengError, Away, Unreadable, OSError):
        raise
    except Exception as error:  # SQLAlchemy's, a driver's own, or a value that is not what its column says
        orig = getattr(error, "orig", None) if isinstance(error, SQLAlchemyError) else error
        said = " ".join(str(orig or error).split())
        if orig is not None and away(orig):
            raise Away(said) from error
        raise Unreadable(said) from error
