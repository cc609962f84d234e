"""Loops over columns at the speed of C, compiled once and kept in a cache where one can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Any:
    """The function compiled on its first call, without the interpreter's lock.

    The machine code is kept beside the source, or in the user's cache folder; where neither can be written it is
    compiled anew in each process (some seconds) and works all the same.
    """
    try:
        return njit(cache=True, nogil=True)(function)
    except (RuntimeError, OSError):
        return njit(nogil=True)(function)
