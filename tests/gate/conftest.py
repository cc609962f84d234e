"""Fixtures of the gate's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gate.gatekit import City
from gate.journalkit import Book, filled
from ledgers import ledger, ledger_url, postgres

__all__ = ["ledger", "ledger_url", "postgres"]


@pytest.fixture
def journal_url(ledger_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A database for the journal, of the same kind as the ledger's."""
    if ledger_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'journal.db'}"
    fresh: Callable[[], str] = request.getfixturevalue("postgres")
    return fresh()


@pytest.fixture
def city(ledger_url: str, journal_url: str, tmp_path: Path) -> Iterator[City]:
    """A settled city, on SQLite and on PostgreSQL."""
    found = City(ledger_url, journal_url, tmp_path)
    found.settle()
    yield found
    found.close()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[City]:
    """A settled city on SQLite, for what has nothing to do with the database."""
    found = City("sqlite://", f"sqlite:///{tmp_path / 'journal.db'}", tmp_path)
    found.settle()
    yield found
    found.close()


@pytest.fixture
def book(ledger_url: str, journal_url: str, tmp_path: Path) -> Iterator[Book]:
    found = Book(ledger_url, journal_url, tmp_path)
    yield found
    found.close()


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Book]:
    """Thirty-three entries on SQLite, in three checkpoints and a rest."""
    found = filled(Book("sqlite://", f"sqlite:///{tmp_path / 'journal.db'}", tmp_path))
    yield found
    found.close()
