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
def city(ledger_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[City]:
    """A settled city, on SQLite and on PostgreSQL."""
    if ledger_url.startswith("sqlite"):
        journal_url = f"sqlite:///{tmp_path / 'journal.db'}"
    else:
        fresh: Callable[[], str] = request.getfixturevalue("postgres")
        journal_url = fresh()
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
def book(ledger_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Book]:
    if ledger_url.startswith("sqlite"):
        journal_url = f"sqlite:///{tmp_path / 'journal.db'}"
    else:
        fresh: Callable[[], str] = request.getfixturevalue("postgres")
        journal_url = fresh()
    found = Book(ledger_url, journal_url, tmp_path)
    yield found
    found.close()


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Book]:
    """Thirty-three entries on SQLite, in three checkpoints and a rest."""
    found = filled(Book("sqlite://", f"sqlite:///{tmp_path / 'journal.db'}", tmp_path))
    yield found
    found.close()
