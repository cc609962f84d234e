"""The first start of a home: its folders, keys, ledger and the apps' requests; and what is fixed from then on."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from hucheng.errors import SettingsError
from hucheng.gate import Org, Principal
from hucheng.gate.fitness import fit as fit_journal
from hucheng.gate.tables import FILE as CHECKPOINTS
from hucheng.node.home import databases
from hucheng.node.home.continuity import FILE as CONTRACTS
from hucheng.node.home.continuity import remember
from hucheng.node.home.people import LOCAL, SERVICE
from hucheng.node.home.rooms import Rooms, open_rooms
from hucheng.settings import Settings

log = logging.getLogger(__name__)
FIXED = ("residents", "demo", "seed", "intakes")
"""Settings that a home keeps from its first start."""
MADE = ("ledger.db", "ledger.db-wal", "ledger.db-shm", "journal.db", "journal.db-wal", "journal.db-shm")
FOLDERS = ("broker", "lake", "current", "run", "logs", "keys")
MAKING = "making"
"""Stands in a home from the first thing that is made to the last: only where it stands may a new start clean up."""
EMPTY: dict[str, set[str]] = {"run": {"node.lock"}, "keys": {"master.key"}}
"""What may lie in a folder that is still no home; beside it the settings."""
ROOT = Org("city", None, "city", {"zh": "本市", "en": "This city"})


def is_new(settings: Settings) -> bool:
    """Whether this home has not been made to its end yet. A first start that was cut off is begun again."""
    return not (settings.home / "home.json").exists()


def fit(settings: Settings) -> None:
    """Raises SettingsError naming what was found, where the folder is neither a home, nor half of one, nor empty."""
    home = settings.home
    if not home.exists() or any((home / name).exists() for name in ("home.json", MAKING)):
        return
    if found := sorted(path.name for path in home.iterdir() if not _nothing(path)):
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        raise SettingsError(
            f"this folder is not empty and is no home of a node: {', '.join(found[:5])}{more}",
            where=str(home),
            mend="name a new or an empty --home; where it was a home, put its home.json back",
        )


def _nothing(path: Path) -> bool:
    """Whether this may lie in an empty home."""
    if path.name in ("hucheng.toml", "lost+found"):
        return True
    return path.is_dir() and {inner.name for inner in path.iterdir()} <= EMPTY.get(path.name, set())


def kept(settings: Settings, given: dict[str, Any]) -> Settings:
    """The settings with what this home was made with.

    Raises SettingsError where another value is asked for now, or a real start has no identity provider.
    """
    if not settings.demo and not (settings.oidc_issuer and settings.oidc_client_id):
        raise SettingsError(
            "a start without the demo needs an identity provider",
            where="oidc_issuer, oidc_client_id, oidc_client_secret",
            mend="set HUCHENG_OIDC_ISSUER, HUCHENG_OIDC_CLIENT_ID and HUCHENG_OIDC_CLIENT_SECRET",
        )
    path = settings.home / "home.json"
    if not path.exists():
        return settings
    made = json.loads(path.read_text(encoding="utf-8"))
    if not settings.demo and made["demo"]:
        raise SettingsError(
            "this home holds a demo city", where=str(settings.home), mend="name an empty --home for a real start"
        )
    if settings.demo and not made["demo"]:
        raise SettingsError("this home is no demo city", where=str(settings.home), mend="start it with --no-demo")
    for name in FIXED:
        if given.get(name) is not None and given[name] != made[name]:
            raise SettingsError(
                f"{name} is {made[name]} since this home was made",
                where=str(settings.home),
                mend=f"leave {name} out, or name another --home",
            )
    databases.held_to(settings)
    return replace(settings, **{name: made[name] for name in FIXED})


def private(settings: Settings) -> None:
    """Close the home to everybody but the node's user: 0700, its databases 0600. Raises SettingsError where it cannot.

    Below a folder with 0700 nobody else reaches the lake either, whatever the umask was.
    """
    wanted = [(settings.home, 0o700), *((settings.home / name, 0o600) for name in MADE)]
    for path, mode in wanted:
        try:
            if path.exists() and path.stat().st_mode & 0o077:
                log.warning("others could read it: closed", extra={"fields": {"path": str(path), "mode": f"{mode:o}"}})
                path.chmod(mode)
        except OSError as error:
            raise SettingsError(
                f"others may read it: {error}", where=str(path), mend=f"chmod {mode:o} it, as its owner"
            ) from error


def create(settings: Settings) -> Rooms:
    """Make the folders, the keys, the ledger and the operator of a home, and enter what apps ask for.

    What a first start that was cut off left behind is taken away first, where its mark says that it was one. Raises
    SettingsError where the folder holds anything else.
    """
    fit(settings)
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    private(settings)
    mark = settings.home / MAKING
    if mark.exists():
        _clean(settings.home)
    mark.touch()
    for name in FOLDERS:
        (settings.home / name).mkdir(exist_ok=True)
    rooms = open_rooms(settings)
    private(settings)
    rooms.purposes.enrol()
    if not settings.demo:
        rooms.principals.put_orgs([ROOT])
        operator = Principal(LOCAL, "operator", "operator", (ROOT.id,), ("operator", "bureau"))
        rooms.principals.put([operator])
    return rooms


def _clean(home: Path) -> None:
    """Take away what a cut-off first start made; its keys stay."""
    for name in (*MADE, CONTRACTS):
        (home / name).unlink(missing_ok=True)
    for name in ("lake", "current"):
        for path in (home / name).glob("*"):  # the folders themselves may be disks of their own
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def upgrade(settings: Settings) -> None:
    """Bring the ledger to its newest form, and enter what newly installed apps ask for.

    Raises ContractError where a contract gives what is stored another meaning; JournalBroken and Unavailable where the
    journal is not fit to be gone on with: said here, before a part is started that could only fail again and again.
    """
    private(settings)
    (settings.home / MAKING).unlink(missing_ok=True)
    rooms = open_rooms(settings)
    try:
        fit_journal(settings.journal, settings.home / CHECKPOINTS, rooms.keys.node.public)
        _note(settings)
        remember(settings.home, rooms.catalogue)
        rooms.purposes.enrol()
        enter_service(rooms)
    finally:
        rooms.close()


def enter_service(rooms: Rooms) -> None:
    """Enter the node's own service, at the root of the organisation tree."""
    roots = [org.id for org in rooms.principals.orgs() if org.parent is None]
    rooms.principals.put([Principal(SERVICE, "service", "intake", rooms.principals.path(roots[0]))])


def seal(settings: Settings, rooms: Rooms) -> None:
    """Enter the node's own service and write down what is fixed: the home is whole from here on."""
    enter_service(rooms)
    remember(settings.home, rooms.catalogue)
    _note(settings)
    (settings.home / MAKING).unlink(missing_ok=True)


def _note(settings: Settings) -> None:
    """Write down what is fixed, where it does not stand there."""
    path = settings.home / "home.json"
    made = {name: getattr(settings, name) for name in FIXED} | {databases.NOTE: databases.kinds(settings)}
    if path.exists() and json.loads(path.read_text(encoding="utf-8")).keys() >= made.keys():
        return
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(made, indent=1), encoding="utf-8")
    fresh.replace(path)
