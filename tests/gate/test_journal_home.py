"""The journal of a home, checked by somebody else: lines that were kept elsewhere, and no master key."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from hucheng.base.keys import ENVIRONMENT, Keys
from hucheng.base.ledger import Ledger
from hucheng.cli.journal import journal as command
from hucheng.errors import BadRequest, JournalBroken
from hucheng.gate.entries import Entry
from hucheng.gate.journal import Journal
from hucheng.gate.tables import FILE
from hucheng.gate.verify import public_key, verify_home
from hucheng.settings import Settings

NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)
MASTER = bytes(range(32))


def written(home: Path, who: str) -> Settings:
    """A home whose journal has two checkpoints, its master key in the environment only."""
    settings = Settings.load(home)
    home.mkdir(parents=True)
    ledger = Ledger(settings.ledger)
    journal = Journal(settings.journal, Keys(ledger, MASTER), home / FILE)
    for _ in range(2):
        journal.append([Entry(NOON, "look", who, "officer", "east", "cases.work", "law")])
        journal.seal()
    journal.close()
    ledger.close()
    return settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv(ENVIRONMENT, base64.b64encode(MASTER).decode())
    return written(tmp_path / "home", "li")


def test_a_journal_that_was_written_anew_by_the_key_s_owner_is_convicted_by_held_lines(
    settings: Settings, tmp_path: Path
) -> None:
    held = tmp_path / "held.jsonl"
    lines = (settings.home / FILE).read_bytes().splitlines(keepends=True)
    held.write_bytes(lines[0])
    assert verify_home(settings, held=held).count == 2
    held.write_bytes(b"".join(lines))
    assert verify_home(settings, held=held).count == 2
    anew = written(tmp_path / "anew", "somebody else")
    assert verify_home(anew).count == 2
    with pytest.raises(JournalBroken, match="another checkpoint than the one held"):
        verify_home(anew, held=held)
    held.write_bytes(b"")
    with pytest.raises(BadRequest):
        verify_home(settings, held=held)


def test_it_is_checked_with_the_public_key_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = CliRunner().invoke
    given = ["--home", str(settings.home)]
    assert "whole: 2 entries" in run(command, ["verify", *given]).output
    key = run(command, ["key", *given]).output.strip()
    assert bytes.fromhex(key) == public_key(settings)
    monkeypatch.delenv(ENVIRONMENT)
    assert "master key" in str(run(command, ["verify", *given]).exception)
    assert not (settings.home / "keys").exists(), "looking must make no key"
    alone = run(command, ["verify", *given, "--public-key", key, "--checkpoints", str(settings.home / FILE)])
    assert alone.exit_code == 0 and "whole: 2 entries" in alone.output
    assert run(command, ["verify", *given, "--public-key", "00" * 32]).exit_code == 1
    assert isinstance(run(command, ["verify", *given, "--public-key", "xyz"]).exception, BadRequest)
    assert "no journal" in str(run(command, ["verify", "--home", str(tmp_path / "none")]).exception)
