"""The catalogue: every contract of the node by its name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hucheng.base.contracts import Contract
from hucheng.errors import ContractError, UnknownDataset


class Catalogue:
    """All published contracts; two of one name are refused."""

    def __init__(self, contracts: Iterable[Contract]) -> None:
        self._contracts: dict[str, Contract] = {}
        for contract in contracts:
            if contract.id in self._contracts:
                raise ContractError(f"{contract.id} is published twice", mend="withdraw one of the two contracts")
            self._contracts[contract.id] = contract

    def __iter__(self) -> Iterator[Contract]:
        return iter(self._contracts.values())

    def __len__(self) -> int:
        return len(self._contracts)

    def __contains__(self, name: object) -> bool:
        return name in self._contracts

    def get(self, name: str) -> Contract:
        """One contract; UnknownDataset names the known ones."""
        try:
            return self._contracts[name]
        except KeyError:
            raise UnknownDataset(
                f"no dataset {name!r}", where="catalogue", mend="known: " + ", ".join(sorted(self._contracts))
            ) from None

    def observations(self) -> list[Contract]:
        """The contracts of measured series, by name."""
        return sorted((c for c in self if c.kind == "observation"), key=lambda c: c.id)

    @property
    def metrics(self) -> dict[str, tuple[str, ...]]:
        """For each metric, the datasets that have it."""
        found: dict[str, tuple[str, ...]] = {}
        for contract in self.observations():
            for name in contract.metrics:
                found[name] = (*found.get(name, ()), contract.id)
        return found

    def replaced(self, contract: Contract) -> Catalogue:
        """A new catalogue with one contract put in the place of its namesake (e.g. with further uses)."""
        return Catalogue([contract if c.id == contract.id else c for c in self])
