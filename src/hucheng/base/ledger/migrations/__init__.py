"""Migrations of the ledger: one branch a room (base, gate, decisions, cases), so that rooms never wait for each other.

``python -m hucheng.base.ledger.draft ROOM "what changes"`` drafts the next one from the tables as declared.
"""
