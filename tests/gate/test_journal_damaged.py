"""A journal that is gone or cannot be read is broken, and said to be; a database that is away is another matter."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, text

from hucheng.base.keys import Keys, master_key
from hucheng.base.ledger import Ledger
from hucheng.cli import front
from hucheng.errors import JournalBroken, Unavailable
from hucheng.gate.entries import Entry
from hucheng.gate.journal import Journal
from hucheng.gate.tables import FILE
from hucheng.gate.verify import verify_home
from hucheng.settings import Settings

NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)
ENTRIES = 400


def opened(settings: Settings, ledger: Ledger) -> Journal:
    keys = Keys(ledger, master_key(settings.home / "keys" / "master.key"))
    return Journal(settings.journal, keys, settings.home / FILE)


def begun(home: Path) -> Settings:
    """A home whose journal has 400 entries, the first 200 of them sealed, and whose node has stopped."""
    settings = Settings.load(home)
    (home / "keys").mkdir(parents=True)
    (home / "home.json").write_text("{}")
    ledger = Ledger(settings.ledger)
    journal = opened(settings, ledger)
    for half in range(2):
        some = [Entry(NOON, "look", f"li-{n}", "officer", "east", "cases.work", "law") for n in range(ENTRIES // 2)]
        journal.append(some)
        if not half:
            journal.seal()
    journal.close()
    ledger.close()
    return settings


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return begun(tmp_path_factory.mktemp("whole") / "home").home


@pytest.fixture
def settings(whole: Path, tmp_path: Path) -> Settings:
    shutil.copytree(whole, tmp_path / "home")
    return Settings.load(tmp_path / "home")


def verified(home: Path, *more: str) -> Result:
    return CliRunner().invoke(front, ["journal", "verify", "--home", str(home), *more])


def flip(byte: int) -> Callable[[Path], object]:
    def change(file: Path) -> None:
        held = bytearray(file.read_bytes())
        held[byte] ^= 0xFF
        file.write_bytes(held)

    return change


def dropped(name: str) -> Callable[[Path], object]:
    def change(file: Path) -> None:
        with closing(sqlite3.connect(file)) as conn:
            conn.execute(f"DROP TABLE {name}")

    return change


DAMAGED: dict[str, Callable[[Path], object]] = {
    "byte 0": flip(0),
    "byte 16": flip(16),
    "byte 100": flip(100),
    "byte 103": flip(103),
    "byte 81920": flip(81920),
    "half": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "empty": lambda file: file.write_bytes(b""),
    "garbage": lambda file: file.write_bytes(b"nothing that is a database" * 4000),
    "gone": Path.unlink,
    "no journal": dropped("journal"),
    "no head": dropped("journal_head"),
    "no checkpoints": dropped("journal_checkpoint"),
}


@pytest.mark.parametrize("change", DAMAGED.values(), ids=DAMAGED)
def test_what_cannot_be_read_is_broken_at_an_entry_and_said_in_a_sentence(
    settings: Settings, change: Callable[[Path], object]
) -> None:
    change(settings.home / "journal.db")
    before = {path.name: path.read_bytes() for path in settings.home.iterdir() if path.is_file()}
    told = verified(settings.home)
    assert told.exit_code == 1 and isinstance(told.exception, SystemExit), told.exception
    assert told.output.startswith("broken at entry ") and told.output.count("\n") == 1
    found = json.loads(verified(settings.home, "--json").output)
    assert found["whole"] is False and found["what"] and found["where"]
    assert 1 <= found["first_bad"] <= ENTRIES + 1
    assert {path.name: path.read_bytes() for path in settings.home.iterdir() if path.is_file()} == before


def test_the_first_entry_that_cannot_be_read_is_named(settings: Settings) -> None:
    file = settings.home / "journal.db"
    with closing(sqlite3.connect(file)) as conn:
        held = conn.execute("SELECT hash FROM journal WHERE seq = 300").fetchone()[0]
    data = bytearray(file.read_bytes())
    page = data.index(held) // 4096 * 4096
    data[page : page + 8] = bytes(8)  # the head of the page in which entry 300 lies
    file.write_bytes(data)
    found = json.loads(verified(settings.home, "--json").output)
    assert 200 < found["first_bad"] <= 300 and "cannot be read" in found["what"]


def test_without_a_head_nothing_is_proven_behind_the_last_checkpoint(settings: Settings) -> None:
    dropped("journal_head")(settings.home / "journal.db")
    lines = (settings.home / FILE).read_bytes().splitlines(keepends=True)
    (settings.home / FILE).write_bytes(lines[0])
    with pytest.raises(JournalBroken) as caught:
        verify_home(settings)
    assert caught.value.details["seq"] == ENTRIES // 2 + 1


def test_looking_makes_no_file_and_leaves_none_beside_a_stopped_node(settings: Settings) -> None:
    before = sorted(path.name for path in settings.home.iterdir())
    assert "whole: 400 entries" in verified(settings.home).output
    assert sorted(path.name for path in settings.home.iterdir()) == before


@pytest.mark.parametrize("change", [DAMAGED[n] for n in ("gone", "empty", "garbage", "half", "byte 0", "no head")])
def test_no_writer_begins_a_journal_anew_where_one_was_sealed(
    settings: Settings, change: Callable[[Path], object]
) -> None:
    file = settings.home / "journal.db"
    change(file)
    before = file.read_bytes() if file.exists() else None
    ledger = Ledger(settings.ledger)
    with pytest.raises(JournalBroken, match="backup") as caught:
        opened(settings, ledger)
    assert str(file) == caught.value.where
    assert (file.read_bytes() if file.exists() else None) == before
    (settings.home / FILE).rename(settings.home / "kept.jsonl")
    if before in (None, b""):  # set aside on purpose: then a new one begins
        journal = opened(settings, ledger)
        assert journal.append([Entry(NOON, "look", "li", "officer", "east", "cases.work", "law")]) == [1]
        journal.close()
    ledger.close()


def test_an_older_journal_is_not_gone_on_with(settings: Settings, tmp_path: Path) -> None:
    ledger = Ledger(settings.ledger)
    shutil.copy(settings.home / "journal.db", tmp_path / "older.db")
    for _ in range(2):
        journal = opened(settings, ledger)
        journal.append([Entry(NOON, "look", "li", "officer", "east", "cases.work", "law")])
        journal.close()
    shutil.copy(tmp_path / "older.db", settings.home / "journal.db")
    with pytest.raises(JournalBroken, match="another or an older one"):
        opened(settings, ledger)
    ledger.close()


@pytest.mark.postgresql
def test_a_server_that_is_away_is_no_broken_journal_and_a_table_that_is_gone_is(
    postgres: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres()
    monkeypatch.setenv("HUCHENG_JOURNAL_URL", url)
    settings = begun(tmp_path / "home")
    (settings.home / "home.json").write_text('{"databases": {"ledger": "sqlite", "journal": "postgresql"}}')
    assert verified(settings.home).exit_code == 0
    monkeypatch.setenv("HUCHENG_JOURNAL_URL", "postgresql://hucheng:secret@127.0.0.1:1/none")
    away = verified(settings.home, "--json")
    assert away.exit_code == Unavailable.exit_code
    assert "does not answer" in away.output and "secret" not in away.output and "whole" not in away.output
    monkeypatch.delenv("HUCHENG_JOURNAL_URL")
    forgotten = verified(settings.home)
    assert forgotten.exit_code == 2 and "HUCHENG_JOURNAL_URL" in forgotten.output
    assert not (settings.home / "journal.db").exists()
    monkeypatch.setenv("HUCHENG_JOURNAL_URL", url)
    with create_engine(url).begin() as conn:
        conn.execute(text("DROP TABLE journal"))
    broken = verified(settings.home)
    assert broken.exit_code == 1 and "broken at entry 1" in broken.output
