"""Migrations of the journal, which has a database of its own."""
