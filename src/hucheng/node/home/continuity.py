"""What is stored keeps the meaning it was stored with: contracts are held against those this home was run with.

The home remembers of each dataset its key and the unit of each metric (``contracts.json``). A contract that would read
old rows by another key, or old values in another unit, is refused at start.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from hucheng.base.contracts import Contract
from hucheng.errors import ContractError

FILE = "contracts.json"


class Kept(Struct, frozen=True):
    """What must not change of a dataset: kind, key, and the unit of each metric there ever was."""

    kind: str
    key: tuple[str, ...]
    units: dict[str, str] = {}


def remember(home: Path, contracts: Iterable[Contract]) -> None:
    """Check contracts against what the home remembers, and remember them. Raises ContractError how to mend."""
    path = home / FILE
    held = msgspec.json.decode(path.read_bytes(), type=dict[str, Kept]) if path.exists() else {}
    found = dict(held)
    for contract in contracts:
        before = held.get(contract.id)
        if before is not None:
            _check(contract, before)
        units = {name: metric.unit for name, metric in contract.metrics.items()}
        found[contract.id] = Kept(contract.kind, contract.key, {**(before.units if before else {}), **units})
    if found != held:
        fresh = path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(found, order="sorted"), indent=1))
        fresh.replace(path)


def _check(contract: Contract, before: Kept) -> None:
    if (contract.kind, contract.key) != (before.kind, before.key):
        asked, stored = (f"{', '.join(one.key)} ({one.kind})" for one in (contract, before))
        raise ContractError(
            f"the key is {asked}, stored is {stored}",
            where=contract.id,
            mend="publish it as a dataset of another name; this one keeps its key",
        )
    for name, unit in before.units.items():
        metric = contract.metrics.get(name)
        if metric is None:
            raise ContractError(
                f"the metric {name!r} is gone, and the home may hold values of it",
                where=contract.id,
                mend=f"leave {name}: {{unit: {unit!r}, …}} in the contract; what nobody sends costs nothing",
            )
        if metric.unit != unit:
            raise ContractError(
                f"{name!r} is in {metric.unit!r}, stored is {unit!r}",
                where=contract.id,
                mend=f"keep {unit!r} and give the other unit a metric of another name",
            )
