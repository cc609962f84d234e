"""A home is started only with the journal and in the databases it was run with."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hucheng.cli import front
from hucheng.errors import SettingsError
from hucheng.gate.entries import Entry
from hucheng.gate.journal import Journal
from hucheng.gate.tables import FILE
from hucheng.node.home import creation
from hucheng.settings import Settings

from .house import House

NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)
PROVIDER = {"HUCHENG_OIDC_ISSUER": "https://id.example", "HUCHENG_OIDC_CLIENT_ID": "hucheng"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A real home whose node has run and has stopped."""
    for name, value in PROVIDER.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load(tmp_path / "home", demo=False)
    rooms = creation.create(settings)
    creation.seal(settings, rooms)
    journal = Journal(settings.journal, rooms.keys, settings.home / FILE)
    journal.append([Entry(NOON, "look", "li", "officer", "east", "cases.work", "law")])
    journal.close()
    rooms.close()
    return settings.home


def started(home: Path) -> Result:
    return CliRunner().invoke(front, ["up", "--home", str(home), "--no-demo", "--port", "0"])


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (Path.unlink, "the journal is gone"),
        (lambda file: file.write_bytes(b"x" * 9000), "the journal cannot be read"),
        (lambda file: file.write_bytes(b""), "the journal is empty"),
    ],
    ids=["gone", "garbage", "empty"],
)
def test_a_start_without_its_journal_is_refused_in_words_and_starts_no_part(
    home: Path, change: Callable[[Path], object], what: str
) -> None:
    change(home / "journal.db")
    told = started(home)
    assert told.exit_code == 1 and isinstance(told.exception, SystemExit)
    assert what in told.output and str(home / "journal.db") in told.output and "backup" in told.output
    assert "Traceback" not in told.output
    assert not (home / "run" / "parts.json").exists()
    assert not (home / "journal.db").exists() or what != "the journal is gone"


def test_a_home_is_not_run_with_another_kind_of_database_by_mistake(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = json.loads((home / "home.json").read_text())
    assert noted["databases"] == {"ledger": "sqlite", "journal": "sqlite"}
    noted["databases"] = {"ledger": "postgresql", "journal": "postgresql"}
    (home / "home.json").write_text(json.dumps(noted))
    told = started(home)
    assert told.exit_code == 2 and "lies in postgresql" in told.output and "HUCHENG_LEDGER_URL" in told.output


def test_a_home_that_was_made_before_notes_its_databases_at_the_next_start(home: Path) -> None:
    noted = json.loads((home / "home.json").read_text())
    del noted["databases"]
    (home / "home.json").write_text(json.dumps(noted))
    settings = creation.kept(Settings.load(home, demo=False), {})
    creation.upgrade(settings)
    assert json.loads((home / "home.json").read_text())["databases"]["journal"] == "sqlite"
    noted["databases"] = {"ledger": "sqlite", "journal": "postgresql"}
    (home / "home.json").write_text(json.dumps(noted))
    with pytest.raises(SettingsError, match="the journal of this home lies in postgresql"):
        creation.kept(Settings.load(home, demo=False), {})


def test_a_new_journal_of_a_node_that_has_lived_says_in_its_first_entry_that_it_begins_there(house: House) -> None:
    settings = house.steward.settings
    house.open_case()
    assert house.steward.problems() == []
    house.steward.close()
    for name in ("journal.db", FILE):
        (settings.home / name).rename(settings.home / f"{name}.kept")
    again = House(settings)
    try:
        [problem] = again.steward.problems()
        assert "it begins here" in problem
        first = again.journal.heads(again.who("zhou-jing"))[-1]
        assert (first.seq, first.kind) == (1, "damage") and "begins here" in str(first.detail)
    finally:
        again.steward.close()
