"""What the journal says about one use: who, why, under what law, which data, which people, when, with what result.

The head is clear and holds nothing that names a resident. Detail about one person (values asked for, devices) is
sealed under that person's key. Many people are a compressed set of person numbers. A principal who is a resident
stands in the head by number: after erasure it leads to nobody.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from pyroaring import BitMap

from hucheng.base.keys import Person, sealed, unsealed
from hucheng.errors import KeyMissing
from hucheng.gate.principals import Principal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STREAM_PEOPLE = 20_000  # people in one message of the stream: stays far below its 1 MB


class Entry(Struct, frozen=True):
    """One use of data or one deed, before it is sealed.

    ``kind``: look, bulk, standing, refused, deed. ``person``: the one resident it is about; ``people``: all residents
    it is about (a resident_id each). ``detail`` is sealed for ``person``; without one it must name nobody.
    """

    at: datetime
    kind: str
    principal: str
    principal_kind: str
    org: str
    purpose: str
    basis: str
    datasets: tuple[str, ...] = ()
    fields: tuple[tuple[str, ...], ...] = ()
    action: str = "read"
    case: str | None = None
    result: str = "given"
    policy: str = ""
    counts: dict[str, int] = {}
    person: str | None = None
    people: Collection[str] = ()
    detail: dict[str, Any] = {}
    principal_person: str | None = None
    ref: str | None = None


class Head(Struct, frozen=True, array_like=True):
    """The clear part of an entry. ``at``: µs since 1970 UTC. ``principal`` is ``#number`` for a resident."""

    at: int
    kind: str
    principal: str
    principal_kind: str
    org: str
    purpose: str
    basis: str
    datasets: tuple[str, ...]
    fields: tuple[tuple[str, ...], ...]
    action: str
    case: str | None
    result: str
    policy: str
    counts: dict[str, int]
    ref: str | None

    @property
    def moment(self) -> datetime:
        """When it was."""
        return _EPOCH + timedelta(microseconds=self.at)


class Body(Struct, frozen=True, array_like=True):
    """What the journal stores: the head, the sealed detail, the set of people."""

    head: Head
    detail: bytes | None = None
    people: bytes | None = None


_decoder = msgspec.msgpack.Decoder(Body)


def encode(entry: Entry, people: Mapping[str, Person], numbers: BitMap | None = None) -> tuple[int, bytes]:
    """Person number (0: nobody or many) and body of an entry; ``people`` holds the keys of those it names.

    ``numbers``: the set of people where it is at hand already.
    """
    asking = people.get(entry.principal_person) if entry.principal_person else None
    head = Head(
        (entry.at - _EPOCH) // timedelta(microseconds=1),
        entry.kind,
        f"#{asking.number}" if asking is not None else entry.principal,
        entry.principal_kind,
        entry.org,
        entry.purpose,
        entry.basis,
        entry.datasets,
        entry.fields,
        entry.action,
        entry.case,
        entry.result,
        entry.policy,
        entry.counts,
        entry.ref,
    )
    about = people.get(entry.person) if entry.person else None
    number = about.number if about is not None else 0
    detail = None
    if entry.detail:
        plain = msgspec.msgpack.encode(entry.detail)
        detail = sealed(about.cipher, plain, f"journal/{number}") if about is not None else plain
    if numbers is None and entry.people:
        numbers = BitMap([people[one].number for one in entry.people if one in people])
    packed = None
    if numbers is not None:
        numbers.run_optimize()
        packed = numbers.serialize()
    return number, msgspec.msgpack.encode(Body(head, detail, packed))


def decode(body: bytes) -> Body:
    """The stored body."""
    return _decoder.decode(body)


def open_detail(body: Body, number: int, person: Person | None) -> dict[str, Any] | None:
    """The detail; None when it is sealed and the key is gone."""
    if body.detail is None:
        return {}
    if number == 0:
        found: dict[str, Any] = msgspec.msgpack.decode(body.detail)
        return found
    if person is None:
        return None
    try:
        opened: dict[str, Any] = msgspec.msgpack.decode(unsealed(person.cipher, body.detail, f"journal/{number}"))
    except KeyMissing:
        return None
    return opened


def named(entry: Entry) -> list[str]:
    """Every resident an entry names."""
    one = [rid for rid in (entry.person, entry.principal_person) if rid]
    return [*one, *entry.people] if entry.people else one


def asked_by(who: Principal) -> dict[str, Any]:
    """The fields of an entry that say who asks."""
    return {
        "principal": who.id,
        "principal_kind": who.kind,
        "org": who.org[-1] if who.org else "",
        "principal_person": who.resident_id,
    }


def to_stream(entry: Entry) -> list[bytes]:
    """An entry as messages for a stream; many people are spread over several entries with one ``ref``."""
    people: Sequence[str] = sorted(entry.people)
    parts = [people[n : n + _STREAM_PEOPLE] for n in range(0, len(people), _STREAM_PEOPLE)] or [[]]
    entries = [
        entry if n == 0 and len(parts) == 1 else msgspec.structs.replace(entry, people=part, ref=f"{entry.ref}.{n}")
        for n, part in enumerate(parts)
    ]
    return [zlib.compress(msgspec.msgpack.encode(one), 1) for one in entries]


def from_stream(message: bytes) -> Entry:
    """The entry in one message. Raises msgspec.DecodeError or zlib.error when it is none."""
    return msgspec.msgpack.decode(zlib.decompress(message), type=Entry)
