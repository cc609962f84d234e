"""Hucheng 护城: evidence in, explained protection out. The rooms are drawn in docs/house.md."""

__version__ = "0.1.0"
