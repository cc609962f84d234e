"""The processes in force, one a kind, and those under which older cases still run."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from hucheng.base.ledger import after_commit, insert
from hucheng.cases.processes import Model, read
from hucheng.cases.running import Moved, Running, Stand, unpacked
from hucheng.cases.tables import case_model
from hucheng.errors import ProcessError

_STEPS_KEPT = 2_000
"""Steps worked out and kept in memory, about 3 kB each."""


class Models:
    """Models by kind and by digest. A case keeps the model it began with, when the file changes too."""

    def __init__(self, models: Iterable[Model]) -> None:
        self._by_kind: dict[str, Model] = {}
        self._by_digest: dict[str, Model] = {}
        self._kept: set[str] = set()
        self._begun: dict[tuple[str, bool], tuple[Stand, Moved]] = {}
        self._after: dict[tuple[str, bytes, str], tuple[Stand, Moved] | None] = {}
        self._lock = threading.Lock()
        for model in models:
            if model.kind in self._by_kind:
                raise ProcessError(f"two processes for {model.kind}", mend="one a kind")
            self._by_kind[model.kind] = self._by_digest[model.digest] = model

    @property
    def kinds(self) -> list[str]:
        """Kinds of case that have a process."""
        return sorted(self._by_kind)

    def of_kind(self, kind: str) -> Model:
        """The process for a new case. Raises ProcessError where no app brings one."""
        try:
            return self._by_kind[kind]
        except KeyError:
            raise ProcessError(
                f"no process for cases of kind {kind!r}", mend="known: " + ", ".join(self.kinds)
            ) from None

    def begun(self, model: Model, urgent: bool) -> tuple[Stand, Moved]:
        """Where a new case of this model stands, and what that asks for.

        All cases of a kind begin alike, so it is made once; names of timers are unique within a case only. Raises
        ProcessError where it would not wait for anybody.
        """
        found = self._begun.get((model.digest, urgent))
        if found is None:
            running, moved = Running.start(model, {"urgent": urgent, "joined": 0, "tier": 0, "deed": ""})
            if running.step is None:
                raise ProcessError("the process ends before anybody is asked", where=model.kind, mend="add a user task")
            found = self._begun[model.digest, urgent] = running.stand(), moved
        return found

    def after(self, model: Model, state: bytes, task: str) -> tuple[Stand, Moved] | None:
        """Where a case stands when a timer ran out; None where that timer does not wait.

        Cases that nobody answers go through the very same states, so each step is worked out once.
        """
        key = (model.digest, state, task)
        if key in self._after:
            return self._after[key]
        running = Running.restore(model, unpacked(state))
        moved = running.fire(task)
        found = None if moved is None else (running.stand(), moved)
        with self._lock:
            if len(self._after) >= _STEPS_KEPT:
                self._after.clear()
            self._after[key] = found
        return found

    def keep(self, conn: Connection, model: Model, now: datetime) -> None:
        """Store the text of a model once, for the cases that run under it."""
        if model.digest in self._kept:
            return
        entered = insert(conn, case_model).values(
            digest=model.digest, kind=model.kind, source=model.source, taken_at=now
        )
        conn.execute(entered.on_conflict_do_nothing(index_elements=["digest"]))
        after_commit(conn, lambda: self._kept.add(model.digest))

    def of_digest(self, conn: Connection, digest: str) -> Model:
        """The model under which a case runs; an older one is read from the ledger and checked again."""
        found = self._by_digest.get(digest)
        if found is None:
            source = conn.execute(select(case_model.c.source).where(case_model.c.digest == digest)).scalar()
            if source is None:
                raise ProcessError(f"the process {digest} is gone", mend="restore it from a backup of the ledger")
            found = read(source, f"ledger case_model {digest}")
            with self._lock:
                self._by_digest[digest] = found
        return found
