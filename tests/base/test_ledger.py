"""The ledger: durable, one writer, and its migrations are its tables."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Integer, MetaData, Table, Text, select

from hucheng.base.ledger import Instant, Json, Ledger, after_commit, insert, metadata
from hucheng.base.ledger.draft import import_rooms
from hucheng.base.ledger.migrate import LEDGER_VERSIONS, version_table
from hucheng.base.registers import register_version
from hucheng.errors import LedgerError
from hucheng.gate import journal as gate_journal

NOON = datetime(2026, 3, 1, 4, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize("which", ["ledger", "journal"])
def test_the_migrations_give_exactly_the_declared_tables_of_all_rooms(ledger_url: str, which: str) -> None:
    import_rooms("base", "gate", "decisions", "cases")
    declared = metadata if which == "ledger" else gate_journal.metadata
    versions = LEDGER_VERSIONS if which == "ledger" else gate_journal.VERSIONS
    ledger = Ledger(ledger_url, metadata=declared, versions=versions)
    with ledger.read() as conn:
        context = MigrationContext.configure(
            conn, opts={"compare_type": True, "version_table": version_table(versions)}
        )
        differences = compare_metadata(context, declared)
    ledger.close()
    assert [d for d in differences if "modify_comment" not in str(d)] == []


def test_opening_again_changes_nothing(ledger_url: str) -> None:
    first = Ledger(ledger_url)
    with first.begin() as conn:
        conn.execute(register_version.insert().values(dataset="a", version=3, known_at=NOON))
    first.close()
    second = Ledger(ledger_url)
    with second.read() as conn:
        assert conn.execute(select(register_version)).one() == ("a", 3, NOON)
    second.close()


def test_a_moment_comes_back_as_it_went_in_and_a_naive_one_is_refused(ledger: Ledger) -> None:
    with ledger.begin() as conn:
        conn.execute(register_version.insert().values(dataset="a", version=1, known_at=NOON))
        assert conn.execute(select(register_version.c.known_at)).scalar_one() == NOON
    with pytest.raises(Exception, match="no time zone"), ledger.begin() as conn:
        conn.execute(register_version.insert().values(dataset="b", version=1, known_at=NOON.replace(tzinfo=None)))


def test_what_raises_leaves_nothing_and_calls_nothing(ledger: Ledger) -> None:
    called: list[str] = []
    with pytest.raises(RuntimeError), ledger.begin() as conn:
        conn.execute(register_version.insert().values(dataset="a", version=1, known_at=NOON))
        after_commit(conn, lambda: called.append("no"))
        raise RuntimeError
    with ledger.begin() as conn:
        assert conn.execute(select(register_version)).all() == []
        after_commit(conn, lambda: called.append("yes"))
        assert called == []
    assert called == ["yes"]


def test_a_nested_write_is_refused_rather_than_waiting_for_itself(ledger: Ledger) -> None:
    with ledger.begin(), pytest.raises(LedgerError, match="already open"), ledger.begin():
        pass
    with ledger.begin():  # and the refusal has let go of everything
        pass


def test_sixteen_threads_count_to_the_right_number(ledger: Ledger) -> None:
    with ledger.begin() as conn:
        conn.execute(register_version.insert().values(dataset="n", version=0, known_at=NOON))

    def add() -> None:
        for _ in range(10):
            with ledger.begin() as conn:
                # the row's lock on PostgreSQL, the writer's lock on SQLite: read and write are one
                query = select(register_version.c.version).where(register_version.c.dataset == "n").with_for_update()
                held = conn.execute(query).scalar_one()
                conn.execute(register_version.update().values(version=held + 1))

    threads = [threading.Thread(target=add) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ledger.read() as conn:
        assert conn.execute(select(register_version.c.version)).scalar_one() == 160


def test_a_reader_sees_one_snapshot_while_a_writer_commits(ledger: Ledger) -> None:
    with ledger.read() as conn:
        assert conn.execute(select(register_version)).all() == []
        with ledger.begin() as writing:
            writing.execute(register_version.insert().values(dataset="a", version=1, known_at=NOON))
        assert conn.execute(select(register_version)).all() == []
    with ledger.read() as conn:
        assert len(conn.execute(select(register_version)).all()) == 1


def test_insert_meets_what_is_there_on_both_databases(ledger: Ledger) -> None:
    for version in (1, 2):
        with ledger.begin() as conn:
            statement = insert(conn, register_version).values(dataset="a", version=version, known_at=NOON)
            conn.execute(statement.on_conflict_do_update(index_elements=["dataset"], set_={"version": version}))
    with ledger.read() as conn:
        assert conn.execute(select(register_version.c.version)).scalars().all() == [2]


def test_erased_bytes_are_gone_from_the_files(tmp_path: Path) -> None:
    own = MetaData()
    secret = Table("secret", own, Column("id", Integer, primary_key=True), Column("text", Text))
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", metadata=own, migrate=False)
    own.create_all(ledger.engine)
    with ledger.begin() as conn:
        conn.execute(secret.insert().values(id=1, text="wolf-and-fox" * 20))
    ledger.scrub()
    assert any(b"wolf-and-fox" in file.read_bytes() for file in tmp_path.iterdir())
    with ledger.begin() as conn:
        conn.execute(secret.delete())
    ledger.scrub()
    assert not any(b"wolf-and-fox" in file.read_bytes() for file in tmp_path.iterdir())
    ledger.close()


def test_an_address_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is no database, whatever it may be" * 100)
    with pytest.raises(LedgerError, match="cannot open the ledger"):
        Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")


def test_json_and_moments_are_the_types_rooms_use() -> None:
    assert Instant.cache_ok
    assert Json is not None
