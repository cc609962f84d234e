"""The index of a city's visits: a folder with a day a folder, dictionaries of ids, and a manifest that names them.

The manifest is the only truth. Whatever is written goes into new names first, and stands when the manifest has been
replaced; a process that dies before leaves the index as it was, and its remains go with the next build.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hucheng.apps.epidemic.columns import some
from hucheng.apps.epidemic.contacts import cases as given
from hucheng.apps.epidemic.contacts import sorting
from hucheng.apps.epidemic.contacts.building import Build, ahead
from hucheng.apps.epidemic.contacts.clock import SECONDS_A_DAY, Form
from hucheng.apps.epidemic.contacts.days import Day, Presence
from hucheng.apps.epidemic.contacts.found import Contacts
from hucheng.apps.epidemic.contacts.ids import Dictionary
from hucheng.apps.epidemic.contacts.manifest import (
    FORMAT,
    VERSION,
    alone,
    dictionary,
    manifest,
    publish,
    save_ids,
    sweep,
)
from hucheng.apps.epidemic.contacts.search import Search
from hucheng.apps.epidemic.contacts.visits import Reader, Report, Source
from hucheng.errors import BadRequest, LakeError, NotFound
from hucheng.files import Writer
from hucheng.tables import as_arrow

IN_MEMORY = 50_000_000
"""Stays (16 bytes each, and more while they are sorted) of an index without a folder that are kept in memory."""
FURTHEST_S = 14 * 3_600
"""The zone furthest from UTC: a day of zoned times may begin that much before the day's zero."""
LEFT_OUT = "left-out.csv"


@dataclass(frozen=True)
class Added:
    """What a build did: days added, replaced, or there already with the same stays; and what it found in the visits."""

    added: tuple[str, ...]
    replaced: tuple[str, ...]
    same: tuple[str, ...]
    report: Report


@dataclass
class Index:
    """Visits of a city, ready to be searched. Made by `build`, `open`, or in memory by `of`."""

    days: list[Day]
    people: Dictionary
    places: Dictionary
    form: Form
    report: Report = field(default_factory=Report)
    folder: Path | None = None
    scratch: Any = None
    """Folder that lives as long as the index does, of visits too many for memory."""

    @cached_property
    def search(self) -> Search:
        return Search(self.days)

    @property
    def stays(self) -> int:
        return sum(len(day.person) for day in self.days)

    def contacts(self, cases: Any, minutes: float = 15, ring: int = 1) -> Contacts:
        """Contacts of cases (a table of any kind: person, from, until), overlapping at least ``minutes``.

        Raises BadRequest where the cases cannot be understood, or write times in another form than the visits.
        """
        return Contacts(self, given.read(as_arrow(cases), self.form), minutes, ring)

    @classmethod
    def of(cls, visits: Any, rejected: Callable[[pa.Table], None] | None = None) -> Index:
        """An index without a folder of its own, of a table of any kind or of files (`sources`); what is too much for
        memory lies in a scratch folder that goes with it."""
        scratch = tempfile.TemporaryDirectory(prefix="hucheng-")
        room, reader = Path(scratch.name), Reader()
        build = Build(room, reader, None, None)
        try:
            build.read(visits if callable(visits) else sources(visits), rejected or (lambda _: None))
        except BaseException:
            scratch.cleanup()
            raise
        people, places = (
            Dictionary(coder.kind, [segment]) for coder, segment in zip(build.coders, build.segments, strict=True)
        )
        found = build.days(Presence.nobody(len(people)))
        if reader.report.kept > IN_MEMORY:
            folders = ((room / day.name, day) for day in found)
            days = [Day.open(folder, day.save(folder, "")) for folder, day in folders]
        else:
            days = list(found)
            scratch.cleanup()
        assert reader.form is not None
        return cls(days, people, places, reader.form, reader.report, scratch=scratch)

    @classmethod
    def open(cls, folder: Path | str) -> Index:
        """An index on disk; columns are mapped, not read. Raises NotFound, or LakeError where it is damaged."""
        folder = Path(folder)
        told = manifest(folder)
        if told is None:
            raise NotFound(
                "there is no index", where=str(folder), mend="build one: hucheng epidemic index VISITS… --out DIR"
            )
        try:
            people, places = (dictionary(folder, told["ids"][name]) for name in ("people", "places"))
            days = [Day.open(folder / "days" / day["folder"], day) for day in told["days"]]
        except LakeError:
            if (manifest(folder) or told)["generation"] == told["generation"]:
                raise
            return cls.open(folder)  # days were replaced between the manifest and them
        return cls(days, people, places, Form(**told["times"]), folder=folder)

    @classmethod
    def build(
        cls, visits: Any, folder: Path | str, replace: bool = False, tell: Callable[[str], None] | None = None
    ) -> tuple[Index, Added]:
        """Build an index of visits, or add days to it. ``visits``: paths, or a table of any kind.

        A day that is there already is refused unless its stays are the same, or ``replace`` is said; then nothing is
        changed. Raises BadRequest, and Unavailable while another build is at work on the folder.
        """
        folder = Path(folder)
        given_visits = sources(visits)
        with alone(folder):
            try:
                added = _Addition(folder, replace, tell or (lambda _: None)).run(given_visits)
            except OSError as error:
                raise BadRequest(
                    f"cannot write: {error.strerror or error}; the index is as it was",
                    where=str(error.filename or folder),
                    mend="make room, or check the folder",
                ) from None
        return cls.open(folder), added

    def add(self, visits: Any, replace: bool = False) -> tuple[Index, Added]:
        """The index with more days; see `build`."""
        if self.folder is None:
            raise BadRequest("this index lies in memory", mend="build it in a folder to add days")
        return self.build(visits, self.folder, replace)

    def verify(self) -> None:
        """Read everything and compare it with the manifest's digests. Raises LakeError for the first that differs."""
        told = (manifest(self.folder) or {"days": []}) if self.folder else {"days": []}
        for day, one in zip(self.days, told["days"], strict=True):
            if day.digest() != one["digest"]:
                raise LakeError("a day is not as it was written", where=day.name, mend="build it again with --replace")


class _Addition:
    """One run of a build, from the manifest that was there to the one that replaces it."""

    def __init__(self, folder: Path, replace: bool, tell: Callable[[str], None]) -> None:
        self.folder, self.replace, self.tell = folder, replace, tell
        self.told = manifest(folder)
        self.generation = (self.told or {"generation": 0})["generation"] + 1
        sweep(folder, self.told)

    def run(self, sources: Callable[[], list[Source]]) -> Added:
        told = self.told
        known = [None if told is None else dictionary(self.folder, told["ids"][one]) for one in ("people", "places")]
        reader = Reader(None if told is None else Form(**told["times"]))
        there = {} if told is None else {day["day"]: day for day in told["days"]}
        with tempfile.TemporaryDirectory(prefix=".building-", dir=self.folder) as scratch:
            left_out = LeftOut(self.folder / LEFT_OUT)
            build = Build(Path(scratch), reader, *known)
            with left_out:
                build.read(sources, left_out)
            self._refuse_without_room(build)
            presence = self._presence(build, there)
            fresh, same, clash = {}, [], []
            for day in ahead(build.days(presence)):
                self.tell(day.name)
                old = there.get(day.name)
                digest = day.digest()
                if old is not None and old["digest"] == digest and not self.replace:
                    same.append(day.name)
                elif old is not None and not self.replace:
                    clash.append(day.name)
                elif not clash:
                    fresh[day.name] = day.save(self.folder / "days" / f"{day.name}.{self.generation}", digest)
        if clash:
            sweep(self.folder, told)
            raise BadRequest(
                f"{some(len(clash), 'day')} there already, with other stays: {given.named(clash)}",
                where=str(self.folder),
                mend="to put these in place of those, say --replace, with all visits of the days; nothing was changed",
            )
        if fresh:
            self._publish(build, reader, there | fresh)
        replaced = tuple(name for name in fresh if name in there)
        return Added(tuple(name for name in fresh if name not in there), replaced, tuple(same), reader.report)

    def _refuse_without_room(self, build: Build) -> None:
        free = shutil.disk_usage(self.folder).free
        needed = build.reader.report.kept * 16
        if free < needed:
            raise BadRequest(
                f"the index needs some {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free",
                where=str(self.folder),
                mend="make room, or choose another disk",
            )

    def _presence(self, build: Build, there: dict[str, Any]) -> Presence:
        """Who is known to stay somewhere into the first of the new days, from the three days before it."""
        presence = Presence.nobody(len(build.coders[0]))
        first = build.split.days[0]
        form = build.reader.form
        east = FURTHEST_S if form is not None and form.kind == "zoned" else 0
        for number in range(first - 3, first):
            told = there.get(str(np.datetime64(number, "D")))
            if told is not None:
                day = Day.open(self.folder / "days" / told["folder"], told)
                presence.after(day, first * SECONDS_A_DAY - east)
        return presence

    def _publish(self, build: Build, reader: Reader, days: dict[str, Any]) -> None:
        """Write the new ids, then the manifest that makes all of it stand."""
        told = {"people": {}, "places": {}} if self.told is None else self.told["ids"]
        names = {}
        for name, coder, segment in zip(("people", "places"), build.coders, build.segments, strict=True):
            held = told[name].get("segments", [])
            if len(segment):
                held = [*held, save_ids(self.folder / "ids", f"{name}.{self.generation}", coder.kind, segment)]
            names[name] = {"kind": coder.kind, "count": len(coder), "segments": held}
        assert reader.form is not None
        ordered = [days[name] for name in sorted(days)]
        publish(
            self.folder,
            {
                "format": FORMAT,
                "version": VERSION,
                "generation": self.generation,
                "classes_s": list(sorting.EDGES),
                "times": reader.form.as_json(),
                "stays": sum(day["stays"] for day in ordered),
                "ids": names,
                "days": ordered,
            },
        )
        sweep(self.folder, manifest(self.folder))


class LeftOut:
    """The file of visits that were left out in this build; gone where none is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer: Writer | None = None

    def __call__(self, table: pa.Table) -> None:
        if not table.num_columns:  # reading begins anew
            self.writer = Writer(self.path)
            return
        self.writer = self.writer or Writer(self.path)
        self.writer.write(table)

    def __enter__(self) -> LeftOut:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self.writer is not None:
            self.writer.close(done=kind is None)
        elif kind is None:
            self.path.unlink(missing_ok=True)


def sources(visits: Any) -> Callable[[], list[Source]]:
    """Visits as something that can be read, and read again."""
    if isinstance(visits, str | Path):
        visits = [visits]
    if isinstance(visits, Sequence) and all(isinstance(one, str | Path) for one in visits):
        return lambda: [Source.of_file(Path(one)) for one in visits]
    table = as_arrow(visits)
    return lambda: [Source("visits", [table])]
