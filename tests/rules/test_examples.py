"""The examples in the documentation of the public functions are true."""

from __future__ import annotations

import doctest

from hucheng.rules import pack


def test_doctests() -> None:
    result = doctest.testmod(pack)
    assert result.attempted >= 6 and result.failed == 0
