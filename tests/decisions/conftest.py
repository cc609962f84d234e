"""Fixtures of the tests of decisions."""

from __future__ import annotations

from ledgers import ledger, ledger_url, postgres

__all__ = ["ledger", "ledger_url", "postgres"]
