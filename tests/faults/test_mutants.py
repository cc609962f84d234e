"""The suite notices what it is for: with one line of the product made wrong, the test that guards it fails.

Each mutant is the product's own source, copied and changed in one place; the guarding test then runs against the copy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Mutant:
    """``old`` stands exactly once in ``file``; with ``new`` in its place ``guard`` must fail."""

    fault: str
    file: str
    old: str
    new: str
    guard: str


MUTANTS = [
    Mutant(
        "acknowledge before store: a reading pushed over HTTP is called stored before the broker says so",
        "base/stream.py",
        "return (await client.jetstream(timeout=10).publish(subject, data, headers=headers)).seq",
        "await client.publish(subject, data, headers=headers)\n        return 0",
        "tests/base/test_broker.py::test_a_full_stream_acknowledges_nothing_whichever_way_a_reading_comes",
    ),
    Mutant(
        "a dropped timer: an alarm's next tier is never due",
        "cases/moving.py",
        "            self.conn.execute(case_timer.insert(), self._begun)\n",
        "            pass\n",
        "tests/cases/test_escalation.py::test_it_climbs_every_tier_and_the_last_never_gives_up",
    ),
    Mutant(
        "no de-duplication: the same reading again is stored again",
        "base/novelty.py",
        "        fresh = np.isnan(kept)\n",
        "        fresh = np.ones(len(kept), bool)\n",
        "tests/base/test_keeping.py::test_new_again_and_other_value",
    ),
]


def run_against(source: Path, guard: str) -> subprocess.CompletedProcess[str]:
    """Run one test with the product taken from ``source``."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", guard]
    where = {**os.environ, "PYTHONPATH": os.pathsep.join([str(source), str(ROOT)])}
    return subprocess.run(command, cwd=ROOT, env=where, capture_output=True, text=True, timeout=240)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.fault.replace(" ", "-"))
def test_a_mutant_is_noticed(mutant: Mutant, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src" / "hucheng", tmp_path / "hucheng", ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "hucheng" / mutant.file
    text = file.read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1, f"{mutant.file} changed: put the mutant where the promise is kept now"
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")

    told = "import hucheng; print(hucheng.__file__)"
    used = subprocess.run(
        [sys.executable, "-c", told], env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert str(tmp_path) in used.stdout, "the copy is not what runs"
    done = run_against(tmp_path, mutant.guard)
    assert done.returncode == 1, f"not noticed (pytest left with {done.returncode})\n{done.stdout[-3000:]}"
    assert " failed" in done.stdout
