"""The first start of a home: made whole or made again, and what is fixed from then on."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import hucheng.cases
from hucheng.apps import load_apps
from hucheng.cli import front
from hucheng.cli.up import up
from hucheng.errors import ContractError, SettingsError
from hucheng.node.home import creation
from hucheng.node.home.people import LOCAL, People
from hucheng.node.home.rooms import catalogue_of, open_rooms
from hucheng.node.home.secret import site_secret
from hucheng.node.running.health import put_together
from hucheng.settings import Settings

REAL = {"demo": False, "oidc_issuer": "https://id.example", "oidc_client_id": "hucheng"}


def real(home: Path) -> Settings:
    return Settings.load(home, **REAL)


def test_a_real_start_needs_an_identity_provider(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="HUCHENG_OIDC_ISSUER"):
        creation.kept(Settings.load(tmp_path, demo=False), {})


def test_a_real_home_has_an_operator_and_opens_nothing_that_apps_ask_for(tmp_path: Path) -> None:
    settings = real(tmp_path)
    rooms = creation.create(settings)
    try:
        creation.seal(settings, rooms)
        states = {request.id: request.state for request in rooms.purposes.requests()}
        assert states["care.respond"] == "requested"
        assert states["self.access"] == "accepted"
        people = People(rooms.principals, settings)
        assert people.at_keyboard("root").id == LOCAL
        assert people.personas() == []
    finally:
        rooms.close()


def test_a_first_start_that_was_cut_off_is_begun_again(tmp_path: Path) -> None:
    settings = real(tmp_path)
    creation.create(settings).close()
    assert creation.is_new(settings)
    rooms = creation.create(settings)
    creation.seal(settings, rooms)
    rooms.close()
    assert not creation.is_new(settings)
    creation.upgrade(settings)
    open_rooms(settings).close()


def test_a_folder_that_is_no_home_keeps_everything_in_it(tmp_path: Path) -> None:
    (tmp_path / "lake" / "of mine").mkdir(parents=True)
    for name in ("ledger.db", "journal.db", "current.txt"):
        (tmp_path / name).write_text("mine")
    tmp_path.chmod(0o755)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SettingsError, match=r"no home of a node: current\.txt, journal\.db, lake, ledger\.db.*--home"):
        creation.create(real(tmp_path))
    assert CliRunner().invoke(up, ["--home", str(tmp_path)], standalone_mode=False).exception is not None
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "ledger.db").read_text() == "mine" and tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_refused_start_leaves_nothing_behind(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        for words in (["--no-demo"], ["--port", str(taken.getsockname()[1])]):
            command = [sys.executable, "-m", "hucheng", "up", "--home", str(home), *words]
            assert subprocess.run(command, capture_output=True).returncode == SettingsError.exit_code
            assert list(tmp_path.iterdir()) == []
    home.mkdir(parents=True)
    CliRunner().invoke(up, ["--home", str(home), "--no-demo"], standalone_mode=False)
    assert list(home.iterdir()) == [], "a folder that was there stays as it was"


@pytest.mark.parametrize("place", ["/proc/x", "/sys/x/y", "FILE/h"])
def test_a_place_where_no_home_can_be_is_refused_in_words(tmp_path: Path, place: str) -> None:
    (tmp_path / "FILE").write_text("")
    home = tmp_path / place if place.startswith("FILE") else Path(place)
    told = CliRunner().invoke(front, ["up", "--home", str(home)])
    assert told.exit_code == SettingsError.exit_code and isinstance(told.exception, SystemExit)
    assert "a home cannot be kept here" in told.output and "--home" in told.output
    assert [path.name for path in tmp_path.iterdir()] == ["FILE"]


def test_a_home_may_hold_its_settings_its_master_key_and_disks_that_are_empty(tmp_path: Path) -> None:
    (tmp_path / "hucheng.toml").write_text("residents = 50\n")
    for name in ("lake", "keys", "lost+found"):
        (tmp_path / name).mkdir()
    key = base64.b64encode(bytes(32)).decode()
    (tmp_path / "keys" / "master.key").write_text(key)
    (tmp_path / "keys" / "master.key").chmod(0o600)
    creation.create(real(tmp_path)).close()
    assert (tmp_path / "keys" / "master.key").read_text() == key


def test_a_cut_off_start_is_cleaned_of_what_it_made_and_a_whole_home_never(tmp_path: Path) -> None:
    settings = real(tmp_path)
    creation.create(settings).close()
    (tmp_path / "lake" / "home.blood_pressure").mkdir()
    rooms = creation.create(settings)
    assert not list((tmp_path / "lake").iterdir())
    creation.seal(settings, rooms)
    rooms.close()
    assert not (tmp_path / creation.MAKING).exists()
    (tmp_path / "lake" / "home.blood_pressure").mkdir()
    (tmp_path / "home.json").unlink()  # lost, or not in the backup
    with pytest.raises(SettingsError, match=r"put its home\.json back"):
        creation.create(settings)
    assert (tmp_path / "lake" / "home.blood_pressure").exists()


def test_what_a_home_was_made_with_stays(tmp_path: Path) -> None:
    settings = replace(real(tmp_path), intakes=2, residents=50)
    rooms = creation.create(settings)
    creation.seal(settings, rooms)
    rooms.close()
    assert creation.kept(real(tmp_path), {}).intakes == 2
    with pytest.raises(SettingsError, match="intakes is 2 since this home was made"):
        creation.kept(real(tmp_path), {"intakes": 3})
    with pytest.raises(SettingsError, match="no demo city"):
        creation.kept(Settings.load(tmp_path), {})


def test_the_sites_secret_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    secret = site_secret(tmp_path)
    assert len(secret) == 32
    assert site_secret(tmp_path) == secret
    (tmp_path / "keys" / "site.key").chmod(0o644)
    with pytest.raises(SettingsError, match="open to others"):
        site_secret(tmp_path)


UP = {name: {"state": "ready", "pid": 1} for name in ("broker", "intake", "steward", "web")}


@pytest.mark.parametrize(
    ("told", "parts", "status"),
    [
        ({"problems": []}, UP, "ready"),
        ({"problems": ["the disk is full"]}, UP, "degraded"),
        ({"problems": []}, UP | {"intake": {"state": "failed", "pid": None}}, "degraded"),
        (None, UP | {"steward": {"state": "failed", "pid": None}}, "blind"),
        (None, {}, "stopped"),
    ],
)
def test_the_status_says_what_is_wrong(told: dict | None, parts: dict, status: str) -> None:
    found = put_together(told, parts)
    assert found["status"] == status
    assert bool(found["problems"]) == (status != "ready")
    assert set(found["readings"]) == {"received", "accepted", "duplicate", "quarantined", "lag_s"}


def test_a_home_is_closed_to_everybody_else_and_one_that_was_open_is_mended(tmp_path: Path, caplog: Any) -> None:
    settings = real(tmp_path / "home")
    old = os.umask(0)
    try:
        rooms = creation.create(settings)
        creation.seal(settings, rooms)
        rooms.close()
        assert modes(settings) == {"home": 0o700, "ledger.db": 0o600}
        settings.home.chmod(0o755)
        (settings.home / "ledger.db").chmod(0o644)
        (settings.home / "journal.db").touch(0o666)
        caplog.clear()
        creation.upgrade(settings)
    finally:
        os.umask(old)
    assert modes(settings) == {"home": 0o700, "ledger.db": 0o600, "journal.db": 0o600}
    assert [record.message for record in caplog.records].count("others could read it: closed") == 3


def modes(settings: Settings) -> dict[str, int]:
    paths = [settings.home, *(settings.home / name for name in ("ledger.db", "journal.db"))]
    return {path.name: path.stat().st_mode & 0o777 for path in paths if path.exists()}


def test_a_home_does_not_start_with_a_contract_that_gives_what_is_stored_another_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = real(tmp_path)
    rooms = creation.create(settings)
    creation.seal(settings, rooms)
    rooms.close()
    creation.upgrade(settings)
    care = next(app for app in load_apps() if app.name == "care")
    folder = tmp_path / "care"
    shutil.copytree(care.folder, folder)
    contract = folder / "contracts" / "home.blood_pressure.yaml"
    contract.write_text(contract.read_text().replace('unit: "mm[Hg]"', 'unit: "kPa"'))
    monkeypatch.setattr("hucheng.node.home.rooms.load_apps", lambda: [replace(care, folder=folder)])
    with pytest.raises(ContractError, match="kPa"):
        creation.upgrade(settings)


def test_an_event_that_no_room_keeps_is_refused(tmp_path: Path) -> None:
    care = next(app for app in load_apps() if app.name == "care")
    (tmp_path / "contracts").mkdir()
    text = (Path(hucheng.cases.__file__).parent / "contracts" / "cases.cases.yaml").read_text()
    (tmp_path / "contracts" / "care.visits.yaml").write_text(text.replace("id: cases.cases", "id: care.visits"))
    with pytest.raises(ContractError, match="nobody keeps"):
        catalogue_of([replace(care, folder=tmp_path)])
