"""What every deletion by time goes by: a clock it may believe, and the entry of the journal that says what went.

Readings go in the intake (`node.intake.retention`), what the ledger holds in the steward (`node.steward.retention`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from hucheng.gate import Entry

log = logging.getLogger(__name__)
FIRST_S, EVERY_S = 600.0, 86_400.0
"""The first look after a start, and the pause between two."""
JUMP: Final = timedelta(hours=1)
"""A clock that moved so much otherwise than time itself is not believed that day."""
ABSENT: Final = timedelta(days=1)
"""A clock that is further ahead of what was lived through before the start is not believed that day either."""
BASIS: Final = "个人信息保护法 第19条、第47条 (PIPL arts. 19, 47)"


class SafeTime:
    """The time to delete by. ``clock`` is the machine's; ``heard``: another that must have come as far.

    ``seen``: the latest instant that is known from before this start, where there is one.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        *,
        heard: Callable[[], datetime] | None = None,
        seen: datetime | None = None,
    ) -> None:
        self._clock, self._monotonic = clock, monotonic
        self._heard = heard or clock
        self._anchor = clock(), monotonic()
        if seen is not None and self._anchor[0] - seen > ABSENT:
            self._anchor = seen, self._anchor[1]

    def now(self) -> datetime | None:
        """The earlier of both clocks; None after a jump, which is believed at the next look."""
        (wall, steady), self._anchor = self._anchor, (self._clock(), self._monotonic())
        apart = (self._anchor[0] - wall) - timedelta(seconds=self._anchor[1] - steady)
        if abs(apart) > JUMP:
            log.warning("the clock jumped: nothing is deleted today", extra={"fields": {"by_s": apart.total_seconds()}})
            return None
        return min(self._anchor[0], self._heard())


def expired(at: datetime, who: str, action: str, dataset: str | None, counts: dict[str, int]) -> Entry:
    """The entry that says what a service deleted because its time was over: how much of which dataset, never whose."""
    return Entry(
        at=at.astimezone(UTC),
        kind="deed",
        principal=who,
        principal_kind="service",
        org="",
        purpose="",
        basis=BASIS,
        datasets=(dataset,) if dataset is not None else (),
        action=action,
        policy="contract.retention",
        counts=counts,
    )
