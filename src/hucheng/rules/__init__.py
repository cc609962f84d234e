"""Law and protocol as data: packs that decide, and say why.

May touch: tables it is given, pack files it is told to load. Never: a database, the network, the clock, other rooms of
ours (errors only). The date of a decision is given from outside; unknown stays unknown until no completion of the
missing facts can change the outcome.
"""

from __future__ import annotations

from hucheng.rules.pack import Pack, load, loads, names

__all__ = ["Pack", "load", "loads", "names"]
