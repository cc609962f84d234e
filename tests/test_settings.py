"""Settings: where a value comes from, and what a wrong one says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hucheng.errors import SettingsError, Unavailable
from hucheng.settings import Settings


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
        ("sync = 'never'", "'always' or 'interval'"),
        ("port = ", "mend the TOML"),
        ("demo = 'perhaps'", "demo = 'perhaps' is not a bool"),
    ],
)
def test_a_wrong_setting_says_what_where_and_how_to_mend(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "hucheng.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=says):
        Settings.load(tmp_path)


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


def test_a_home_without_a_node_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="hucheng up"):
        Settings.running(tmp_path)
