"""The manifest of an index, and the files that it names: read, written, and swept when nothing names them."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hucheng.apps.epidemic.contacts import days as daily
from hucheng.apps.epidemic.contacts import ids, sorting
from hucheng.apps.epidemic.contacts.ids import Dictionary
from hucheng.errors import BadRequest, LakeError, Unavailable

FORMAT, VERSION = "hucheng.contacts", 1
MANIFEST = "manifest.json"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else builds in the folder meanwhile; the lock ends with the process."""
    try:
        (folder / "days").mkdir(parents=True, exist_ok=True)
        (folder / "ids").mkdir(exist_ok=True)
        held = (folder / ".lock").open("w")
    except OSError as error:
        raise BadRequest(
            f"cannot write: {error.strerror or error}", where=str(folder), mend="check the folder"
        ) from None
    with held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Unavailable("another build is at work", where=str(folder), mend="wait until it is done") from None
        yield


def sweep(folder: Path, told: dict[str, Any] | None) -> None:
    """Take away what no manifest names: remains of builds that died, and days that were replaced."""
    days = {day["folder"] for day in told["days"]} if told else set()
    names = {one["file"] for name in told["ids"].values() for one in name["segments"]} if told else set()
    for one in (folder / "days").iterdir():
        if one.name not in days:
            shutil.rmtree(one)
    for one in (folder / "ids").iterdir():
        if one.name not in names:
            one.unlink()
    for one in folder.glob(".building-*"):
        shutil.rmtree(one)


def manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest; None where there is none. Raises LakeError for one that is damaged or of another version."""
    file = folder / MANIFEST
    try:
        told: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise LakeError(f"the manifest cannot be read: {error}", where=str(file), mend="build the index anew") from None
    if told.get("format") != FORMAT or told.get("version") != VERSION or told.get("classes_s") != list(sorting.EDGES):
        raise LakeError(
            f"the index is of version {told.get('version')}, this Hucheng reads {VERSION}",
            where=str(file),
            mend="build it anew",
        )
    return told


def publish(folder: Path, told: dict[str, Any]) -> None:
    """Put a manifest in the place of the one before, once everything that it names is safely on disk."""
    aside = folder / f".{MANIFEST}.new"
    daily.sync_folder(folder / "days")
    daily.sync_folder(folder / "ids")
    with aside.open("w", encoding="utf-8") as file:
        json.dump(told, file, indent=1, ensure_ascii=False)
        file.flush()
        daily.sync(file.fileno())
    os.replace(aside, folder / MANIFEST)  # noqa: PTH105
    daily.sync_folder(folder)


def save_ids(folder: Path, name: str, kind: str, segment: Any) -> dict[str, Any]:
    """A segment of ids as a file."""
    path = folder / (f"{name}.npy" if kind == ids.NUMBERS else f"{name}.arrow")
    with path.open("wb") as file:
        if kind == ids.NUMBERS:
            np.save(file, segment)
        else:
            table = pa.table({"id": segment})
            with pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
        file.flush()
        daily.sync(file.fileno())
    return {"file": path.name, "count": len(segment), "bytes": path.stat().st_size}


def dictionary(folder: Path, told: dict[str, Any]) -> Dictionary:
    """A dictionary as the manifest tells of it, mapped. Raises LakeError where a file of it is damaged or gone."""
    segments = []
    for one in told["segments"]:
        path = folder / "ids" / one["file"]
        try:
            if path.stat().st_size != one["bytes"]:
                raise ValueError("its size is another")
            if told["kind"] == ids.NUMBERS:
                segments.append(np.load(path, mmap_mode="r").view(np.ndarray))
            else:
                with pa.memory_map(str(path)) as held:
                    segments.append(pa.ipc.open_file(held).read_all().column(0).combine_chunks())
        except (OSError, ValueError) as error:
            raise LakeError(
                f"a file of the index is damaged or gone: {error}", where=str(path), mend="build the index anew"
            ) from None
    return Dictionary(told["kind"], segments)
