"""In which kind of database a home keeps its ledger and its journal: noted when it is made, held to from then on.

An address lives in the environment or in ``hucheng.toml``. Where it is forgotten, a node would begin an empty ledger
and a new journal beside the real ones.
"""

from __future__ import annotations

import json

from hucheng.errors import SettingsError
from hucheng.settings import Settings

NOTE = "databases"


def kinds(settings: Settings) -> dict[str, str]:
    """The kind of database of ledger and journal, by the addresses in force."""
    return {"ledger": _kind(settings.ledger), "journal": _kind(settings.journal)}


def held_to(settings: Settings) -> None:
    """Raise SettingsError where an address in force is of another kind than the home was made with."""
    path = settings.home / "home.json"
    made = json.loads(path.read_text(encoding="utf-8")).get(NOTE, {}) if path.exists() else {}
    for name, kind in kinds(settings).items():
        if made.get(name, kind) != kind:
            setting = f"{name}_url"
            mend = f"set HUCHENG_{setting.upper()}, or {setting} in hucheng.toml"
            if kind != "sqlite":
                mend = f"take {setting} out"
            raise SettingsError(
                f"the {name} of this home lies in {made[name]}, and the settings name {kind}",
                where=f"{setting}, {path}",
                mend=f"{mend}; where it was moved on purpose, change {NOTE} in home.json",
            )


def _kind(address: str) -> str:
    kind = address.partition(":")[0].partition("+")[0]
    return "postgresql" if kind == "postgres" else kind
