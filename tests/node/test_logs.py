"""A part's log is JSON lines, whatever its libraries have to say."""

from __future__ import annotations

import json
import subprocess
import sys

TALKING = """
import warnings
from hucheng.node.running import logs
logs.configure("web")
import hucheng.node.web
warnings.warn("it is \\n deprecated", DeprecationWarning, stacklevel=1)
warnings.warn("something is odd", stacklevel=1)
"""


def test_a_library_that_warns_writes_a_line_like_any_other() -> None:
    said = subprocess.run([sys.executable, "-W", "always", "-c", TALKING], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in said.stderr.splitlines()]
    assert all(one["part"] == "web" and one["level"] == "warning" for one in lines)
    for text in ("it is \n deprecated", "something is odd"):
        assert any(text in one["event"] for one in lines)
