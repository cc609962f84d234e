"""Fixtures of the base's tests."""

from __future__ import annotations

from ledgers import ledger, ledger_url, postgres

__all__ = ["ledger", "ledger_url", "postgres"]
