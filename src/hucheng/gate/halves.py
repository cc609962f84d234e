"""The second process of a long verification: reads its half from stdin, writes what it found to stdout."""

from __future__ import annotations

import sys

from hucheng.gate.verify import second_half

if __name__ == "__main__":
    sys.stdout.buffer.write(second_half(sys.stdin.buffer.read()))
