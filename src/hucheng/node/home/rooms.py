"""The rooms that keep something, opened once for a process: ledger, keys, registers, vault, principals, purposes.

Used by the first start of a home and by the steward, so that both build them in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

import hucheng.cases
import hucheng.decisions
from hucheng.apps import App, load_apps
from hucheng.base.catalogue import Catalogue
from hucheng.base.contracts import Contract, Use, load_contract, load_folder, read_use, shipped
from hucheng.base.identity import Vault
from hucheng.base.keys import Keys, master_key
from hucheng.base.ledger import Ledger
from hucheng.base.ledger.draft import import_rooms
from hucheng.base.registers import Registers
from hucheng.errors import ContractError
from hucheng.gate import Principals, Purposes
from hucheng.settings import Settings

Clock = Callable[[], datetime]


def now_utc() -> datetime:
    """The clock of a running node."""
    return datetime.now(UTC)


@dataclass
class Rooms:
    """What a process keeps open; ``close`` lets it go."""

    settings: Settings
    apps: Sequence[App]
    catalogue: Catalogue
    ledger: Ledger
    keys: Keys
    registers: Registers
    vault: Vault
    principals: Principals
    purposes: Purposes

    def close(self) -> None:
        """Let the ledger go."""
        self.ledger.close()


def catalogue_of(apps: Sequence[App]) -> Catalogue:
    """Every contract of a node: the base's, those of cases and decisions, the apps', and what apps ask of others'."""
    rooms = [Path(room.__file__ or "").parent / "contracts" for room in (hucheng.cases, hucheng.decisions)]
    ours = [*shipped(), *(contract for room in rooms for contract in load_folder(room))]
    catalogue = Catalogue([*ours, *(_brought(path) for app in apps for path in app.contracts)])
    own = {contract.id for contract in ours}
    for contract in catalogue:
        if contract.kind == "event" and not (contract.id in own and contract.store == contract.id):
            raise ContractError(
                f"nobody keeps the store {contract.store!r}",
                where=contract.id,
                mend="an event needs a room of the house that keeps it; use a register or an observation",
            )
    for app in apps:
        for dataset, path in app.uses.items():
            catalogue = catalogue.replaced(catalogue.get(dataset).with_uses(_asked(app, path)))
    return catalogue


def _brought(path: Path) -> Contract:
    """A contract that an app brings; its file bears its name, so that nobody looks for it twice."""
    contract = load_contract(path)
    if contract.id != path.stem:
        raise ContractError(f"the file of {contract.id} is called {path.name}", mend=f"call it {contract.id}.yaml")
    return contract


def _asked(app: App, path: Path) -> dict[str, Use]:
    """What an app's own purposes ask of somebody else's dataset; ContractError where it speaks for another's."""
    own = {purpose.id for purpose in app.purposes}
    try:
        asked = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = {name: read_use(name, body, f"{path.name} {name}") for name, body in asked.items()}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError) as error:
        raise ContractError(
            f"cannot read the uses: {error}", where=str(path), mend="purpose: {fields: […], where: …}"
        ) from error
    for name in found:
        if name not in own:
            raise ContractError(
                f"{name!r} is no purpose of {app.name}", where=str(path), mend="ask for purposes of your own"
            )
    return found


def open_rooms(
    settings: Settings, *, apps: Sequence[App] | None = None, clock: Clock = now_utc, migrate: bool = True
) -> Rooms:
    """Open the rooms of a home; what installed apps declare is known, what is accepted is open."""
    apps = load_apps() if apps is None else apps
    catalogue = catalogue_of(apps)
    import_rooms()
    ledger = Ledger(settings.ledger, migrate=migrate)
    zone = ZoneInfo(settings.timezone)
    keys = Keys(ledger, master_key(settings.home / "keys" / "master.key"), clock=clock)
    purposes = Purposes(ledger, catalogue, clock=clock, zone=zone)
    for app in apps:
        purposes.declare(app.name, app.purposes, app.policies, [path.stem for path in app.contracts])
    return Rooms(
        settings=settings,
        apps=apps,
        catalogue=catalogue,
        ledger=ledger,
        keys=keys,
        registers=Registers(ledger, keys, catalogue, clock=clock),
        vault=Vault(ledger, keys, clock=clock, zone=zone),
        principals=Principals(ledger, clock=clock),
        purposes=purposes,
    )
