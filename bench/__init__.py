"""Measurements: `make bench` runs all, writes results.json and prints the table. Never part of the tests."""
