"""Elapsed time that cannot be faked by a clock: a jump of the wall clock is noticed and taken out.

Between two ticks only so much time can pass. What goes beyond, forwards or backwards, is not time in which we
listened; it is kept as an offset, and elapsed time is reckoned without it. `listened` says for how long the clock has
been steady, so that silence need not be spoken of right after a start or a jump.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hucheng.apps.care.columns import NEVER, micros

LONGEST_STEP_US = 5 * 60 * 1_000_000
"""Longest believable time between two ticks."""


@dataclass
class Listening:
    """What the wall clock has jumped by since we listen, and since when it has been steady."""

    offset: int = 0
    since: int = NEVER
    last: int = NEVER
    step: int = 30 * 1_000_000

    def tick(self, now: datetime) -> tuple[int, int]:
        """Listening time of this tick and the jump it revealed (0 as a rule), both in microseconds.

        Listening time is wall time less all jumps; a jump leaves the usual step between two ticks.
        """
        wall = micros(now)
        jump = 0
        if self.last == NEVER:
            self.since = wall
        else:
            passed = wall - self.last
            if not 0 <= passed <= LONGEST_STEP_US:
                jump = passed - self.step
                self.offset += jump
                self.since = wall - self.offset
            elif passed:
                self.step = passed
        self.last = wall
        return wall - self.offset, jump

    @property
    def listened(self) -> int:
        """Microseconds since the start or the last jump."""
        return self.last - self.offset - self.since if self.last != NEVER else 0
