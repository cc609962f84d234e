"""The ledger: transactional tables of every room, in SQLite or PostgreSQL.

Rooms add their tables to `metadata` and a migration to ``migrations/versions`` (one branch a room, see
``draft.py``). Touches one database. Never knows what a table means.
"""

from __future__ import annotations

from hucheng.base.ledger.columns import Instant, Json, metadata
from hucheng.base.ledger.engine import Ledger, after_commit, insert, picked

__all__ = ["Instant", "Json", "Ledger", "after_commit", "insert", "metadata", "picked"]
