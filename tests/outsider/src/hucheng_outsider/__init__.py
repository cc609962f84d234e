"""Warmth: a home that is too cold in winter for the old person who lives in it. Uses public names of hucheng only."""
