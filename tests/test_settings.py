"""Settings: where a value comes from, and what a wrong one says."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hucheng.errors import SettingsError, Unavailable
from hucheng.settings import SOCKET_BYTES, Settings


def test_the_command_line_wins_over_the_environment_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hucheng.toml").write_text("port = 1000\nresidents = 50\nlanguage = 'en'\n", encoding="utf-8")
    monkeypatch.setenv("HUCHENG_PORT", "2000")
    monkeypatch.setenv("HUCHENG_RESIDENTS", "60")
    settings = Settings.load(tmp_path, port=3000, residents=None)
    assert (settings.port, settings.residents, settings.language) == (3000, 60, "en")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prot = 1", "unknown setting 'prot'"),
        ("port = 'x'", "port = 'x' is not a int"),
        ("port = 70000", "between 0 and 65535"),
        ("intakes = 9", "between 1 and 4"),
        ("mqtt_port = 99999999", "mqtt_port = 99999999.*between 0 and 65535"),
        ("nats_port = -1", "nats_port = -1.*between 0 and 65535"),
        ("monitor_port = 65536", "monitor_port = 65536.*between 0 and 65535"),
        ("sync_interval_s = -5", "sync_interval_s = -5.*between 0.1 and 3600"),
        ("sync_interval_s = nan", "sync_interval_s = nan.*between 0.1 and 3600"),
        ("timezone = 'Mars/Base'", "timezone = 'Mars/Base' is no time zone.*Asia/Shanghai"),
        ("timezone = '../etc'", "timezone = '../etc' is no time zone"),
        ("timezone = ''", "timezone = '' is no time zone"),
        ("notice_urls = 'json://hook.example/a nonsense'", "notice_urls: number 2 .*mailto"),
        ("notice_urls = 'gopher://u:geheim@x'", "notice_urls: number 1 .gopher://…. is not"),
        ("sync = 'never'", "'always' or 'interval'"),
        ("port = ", "mend the TOML"),
        ("demo = 'perhaps'", "demo = 'perhaps' is not a bool"),
    ],
)
def test_a_wrong_setting_says_what_where_and_how_to_mend(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "hucheng.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=says):
        Settings.load(tmp_path)


def test_a_wrong_notice_address_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.load(tmp_path, notice_urls="gopher://u:geheim@x")
    assert "geheim" not in str(refused.value)
    Settings.load(tmp_path, notice_urls="json://hook.example/a mailto://user:password@mail.example")


def test_a_home_whose_socket_could_not_be_bound_is_refused_at_load(tmp_path: Path) -> None:
    room = SOCKET_BYTES - len(str(tmp_path.resolve() / "run" / "steward.sock")) - 1
    longest = tmp_path / ("长" * (room // 3) + "x" * (room % 3))
    settings = Settings.load(longest)
    settings.socket.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(settings.socket))
    with pytest.raises(SettingsError, match=r"home: its path is 1 bytes too long.*shorter --home"):
        Settings.load(longest.with_name(longest.name + "x"))


@given(port=st.integers(0, 65535), demo=st.booleans(), sync=st.sampled_from(["always", "interval"]))
def test_what_a_node_runs_with_is_what_its_parts_read(
    tmp_path_factory: pytest.TempPathFactory, port: int, demo: bool, sync: str
) -> None:
    home = tmp_path_factory.mktemp("home")
    settings = Settings.load(home, port=port, demo=demo, sync=sync, oidc_client_secret="s3cret")
    settings.write_running()
    assert "s3cret" not in (home / "run" / "node.json").read_text(encoding="utf-8")
    again = Settings.running(home)
    assert (again.port, again.demo, again.sync, again.home) == (port, demo, sync, settings.home)


def test_the_parts_read_the_sign_in_secret_where_the_node_did_and_it_is_in_no_run_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hucheng.toml").write_text("oidc_client_secret = 's3cret'\n", encoding="utf-8")
    settings = Settings.load(tmp_path)
    settings.write_running()
    assert Settings.running(tmp_path).oidc_client_secret == settings.oidc_client_secret == "s3cret"
    monkeypatch.setenv("HUCHENG_OIDC_CLIENT_SECRET", "other")
    assert Settings.running(tmp_path).oidc_client_secret == Settings.load(tmp_path).oidc_client_secret == "other"
    assert not [path for path in (tmp_path / "run").iterdir() if "s3cret" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("name", ["ledger_url", "journal_url", "notice_urls"])
def test_an_address_with_a_password_is_shown_nowhere_and_in_no_run_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    address = "json://u:geheim@hook.example/a" if name == "notice_urls" else "postgresql://u:geheim@127.0.0.1:1/city"
    monkeypatch.setenv(f"HUCHENG_{name.upper()}", address)
    settings = Settings.load(tmp_path)
    settings.write_running()
    assert getattr(Settings.running(tmp_path), name) == address, "the parts read it where the node did"
    assert "geheim" not in repr(settings)
    assert not [path for path in (tmp_path / "run").iterdir() if "geheim" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("name", ["ledger_url", "journal_url"])
def test_a_database_of_another_kind_is_refused_at_load_without_its_password(tmp_path: Path, name: str) -> None:
    for address in ("mysql://u:geheim@host/city", "postgresql+asyncpg://u:geheim@host/city", "geheim"):
        with pytest.raises(SettingsError, match=f"{name}: .*sqlite:///file or postgresql://") as refused:
            Settings.load(tmp_path, **{name: address})
        assert "geheim" not in str(refused.value)
    Settings.load(tmp_path, **{name: f"sqlite:///{tmp_path}/other.db"})


def test_postgresql_without_its_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)  # as where it is not installed
    with pytest.raises(SettingsError, match=r'pip install "hucheng\[postgresql\]"'):
        Settings.load(tmp_path, ledger_url="postgresql://u:geheim@127.0.0.1:1/city")


def test_a_home_without_a_node_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="hucheng up"):
        Settings.running(tmp_path)
