"""The crash tests can fail: they find a node that does not de-duplicate, and one that acknowledges before it stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from hucheng.base.devices import DeviceRow
from tests.base.nodekit import MUTANTS, committed, running, until
from tests.node.test_crashes import DEVICES, Log, judge, settle


@pytest.mark.crash
@pytest.mark.parametrize(("mutant", "says"), [("no_deduplication", "doubled"), ("acknowledge_before_store", "lost")])
def test_a_mutant_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutant: str, says: str) -> None:
    assert mutant in MUTANTS
    monkeypatch.setenv("HUCHENG_TEST_MUTANT", mutant)
    rows = [DeviceRow(f"gw-1-d{i}", f"r{i}", "gw-1", "test.pressure", True) for i in range(DEVICES)]
    with running(tmp_path, ["gw-1"], rows) as (here, _, intakes):
        with Log(here, "gw-1") as log:
            for _ in range(3):
                before = committed(here)
                until(lambda before=before: committed(here) > before + 500)  # type: ignore[misc]
                intakes[0].kill()
                intakes[0].start()
                intakes[0].ready()
            before = committed(here)
            until(lambda: committed(here) > before + 500)
        settle(here)
        with pytest.raises(AssertionError, match=says):
            judge(tmp_path, here, [log])
