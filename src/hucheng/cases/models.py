"""The processes in force, one a kind, and those under which older cases still run."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from hucheng.base.ledger import insert
from hucheng.cases.processes import Model, read
from hucheng.cases.tables import case_model
from hucheng.errors import ProcessError


class Models:
    """Models by kind and by digest. A case keeps the model it began with, when the file changes too."""

    def __init__(self, models: Iterable[Model]) -> None:
        self._by_kind: dict[str, Model] = {}
        self._by_digest: dict[str, Model] = {}
        self._kept: set[str] = set()
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

    def keep(self, conn: Connection, model: Model, now: datetime) -> None:
        """Store the text of a model once, for the cases that run under it."""
        if model.digest in self._kept:
            return
        entered = insert(conn, case_model).values(
            digest=model.digest, kind=model.kind, source=model.source, taken_at=now
        )
        conn.execute(entered.on_conflict_do_nothing(index_elements=["digest"]))

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
