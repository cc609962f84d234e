"""The app from outside, built and installed as pip does it, without a network."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in which the package lies; put it on the path and it is installed."""
    folder = tmp_path_factory.mktemp("outsider")
    source = folder / "source"
    shutil.copytree(
        HERE, source, ignore=shutil.ignore_patterns("test_*.py", "conftest.py", "__init__.py", "__pycache__")
    )
    shutil.copytree(HERE / "src", source / "src", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    target = folder / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(target)]
    subprocess.run([*pip, *options, str(source)], check=True)
    return target
