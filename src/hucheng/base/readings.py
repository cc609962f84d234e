"""Readings as they arrive (three wire formats, JSON) and as they are kept (one Arrow schema).

    one        {"device_id", "metric", "observed_at", "value", "unit"}
    several    {"readings": [one, …]}
    columns    {"columns": {"device_id": […], "metric": […], "observed_at": […], "value": […], "unit": […]}}

In columns, ``device_id``, ``metric`` and ``unit`` may be one text for all rows. ``observed_at`` is ISO 8601 (without an
offset: UTC) or whole µs since 1970. ``resident_id`` and ``dataset`` may be given and must then agree with the register
of devices. ``replay`` ("store" or "live") and ``run`` count only on the operator's topics.

Columns decode at 4 M readings/s a core, single objects at 1 M: the bottleneck is Python's work per message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hucheng.base.stream import Message
from hucheng.base.words import Texts, Words

READINGS = pa.schema(
    [
        ("resident_id", pa.string()),
        ("device_id", pa.string()),
        ("metric", pa.string()),
        ("observed_at", pa.timestamp("us", "UTC")),
        ("value", pa.float64()),
        ("unit", pa.string()),
        ("received_at", pa.timestamp("us", "UTC")),
        ("seq", pa.int64()),
        ("simulated", pa.bool_()),
    ]
)
NAMES = pa.dictionary(pa.int32(), pa.string())
TAKEN = pa.schema([(f.name, NAMES if f.name in ("resident_id", "device_id") else f.type) for f in READINGS])
"""As detectors get them: whom and by which device as numbers with their names."""
MAX_ROWS = 100_000
EARLIEST, LATEST = -(2**62), 2**62


class Columns(msgspec.Struct, gc=False):
    """The third format's body; texts that come with every batch are decoded apart (`Texts`)."""

    device_id: msgspec.Raw
    metric: msgspec.Raw
    observed_at: list[int | str]
    value: list[float]
    unit: msgspec.Raw
    resident_id: list[str] | None = None


class One(msgspec.Struct, gc=False):
    """One reading of the second format."""

    device_id: str
    metric: str
    observed_at: int | str
    value: float
    unit: str
    resident_id: str | None = None


class Envelope(msgspec.Struct, gc=False):
    """A message that keeps to one of the three formats."""

    columns: Columns | None = None
    readings: list[One] | None = None
    dataset: str | None = None
    device_id: str | None = None
    metric: str | None = None
    observed_at: int | str | None = None
    value: float | None = None
    unit: str | None = None
    resident_id: str | None = None
    replay: Literal["store", "live"] | None = None
    run: str | None = None


class Origin(msgspec.Struct, frozen=True, gc=False):
    """What is true for all readings of one message."""

    seq: int
    received_us: int
    gateway: str
    right_partition: bool
    dataset: str | None
    mode: str
    run: str | None


class Bad(msgspec.Struct, frozen=True, gc=False):
    """A reading that was set aside: which message and row, why, and what it said."""

    message: int
    row: int
    reason: str
    detail: str
    raw: str
    device_id: str | None = None


@dataclass
class Batch:
    """The readings of one message, whichever format it had."""

    device: Sequence[str]
    metric: Sequence[str]
    observed: list[int | str]
    value: list[float]
    unit: Sequence[str]
    resident: list[str | None] | None = None


@dataclass
class Rows:
    """The readings of several messages, column by column; ``message`` points into ``origins``."""

    origins: list[Origin] = field(default_factory=list)
    device: Words = field(default_factory=Words)
    metric: Words = field(default_factory=Words)
    unit: Words = field(default_factory=Words)
    resident: list[str | None] = field(default_factory=list)
    observed: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    value: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    message: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    row: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    bad: list[Bad] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.value)

    def raw(self, i: int) -> str:
        """Row ``i`` as a message of its own, fit to be published again."""
        body: dict[str, Any] = {
            "device_id": self.device[i],
            "metric": self.metric[i],
            "observed_at": int(self.observed[i]),
            "value": float(self.value[i]),
            "unit": self.unit[i],
        }
        if self.resident[i] is not None:
            body["resident_id"] = self.resident[i]
        if (dataset := self.origins[int(self.message[i])].dataset) is not None:
            body["dataset"] = dataset
        return msgspec.json.encode(body).decode()


_decoder = msgspec.json.Decoder(Envelope)
_texts = Texts()


def gather(messages: Sequence[Message]) -> Rows:
    """Decode messages into columns; what is malformed comes back under ``bad`` and stops nothing else."""
    rows = Rows()
    counts: list[int] = []
    owners: list[int] = []
    numbers: list[NDArray[np.int32]] = []
    observed: list[Any] = []
    texts: list[tuple[int, list[str]]] = []
    values: list[float] = []
    total = 0
    for message in messages:
        where = len(rows.origins)
        kept: list[int] | None = None
        try:
            envelope = _decoder.decode(message.data)
            batch = _batch(envelope, message)
        except (msgspec.ValidationError, msgspec.DecodeError, ValueError, RecursionError) as error:
            envelope, batch, kept = _salvage(message, where, str(error), rows.bad)
        rows.origins.append(
            Origin(
                message.seq,
                message.received_us,
                message.gateway,
                message.right_partition,
                envelope.dataset,
                (envelope.replay or "store") if message.replay else "",
                envelope.run if message.replay else None,
            )
        )
        n = len(batch.value)
        if n > MAX_ROWS:
            text = message.data.decode("utf-8", "replace")
            rows.bad.append(Bad(where, 0, "too_large", f"{n} readings, at most {MAX_ROWS}", text))
            continue
        if not n:
            continue
        rows.device.add(batch.device)
        rows.metric.add(batch.metric)
        rows.unit.add(batch.unit)
        rows.resident.extend(batch.resident or [None] * n)
        values.extend(batch.value)
        kinds = set(map(type, batch.observed))
        if kinds == {int}:
            observed.extend(batch.observed)
        else:
            texts.append((total, [str(item) for item in batch.observed]))
            observed.extend([0] * n)
        counts.append(n)
        owners.append(where)
        numbers.append(np.arange(n, dtype=np.int32) if kept is None else np.asarray(kept, np.int32))
        total += n
    rows.observed = _whole(observed)
    rows.value = np.array(values, dtype=np.float64)
    rows.message = np.repeat(np.array(owners, dtype=np.int32), counts)
    rows.row = np.concatenate(numbers) if numbers else np.empty(0, np.int32)
    if texts:
        _read_times(rows, texts)
    return rows


def nothing_read(data: bytes) -> Bad | None:
    """Why a batch holds nothing that could be read; None where something was, or there was nothing to read."""
    rows = gather([Message(0, 0, "", "batch", False, True, data)])
    return rows.bad[0] if rows.bad and not len(rows) else None


def parse_times(texts: list[str]) -> NDArray[np.int64]:
    """ISO 8601 texts (or whole µs) as µs since 1970 UTC; a text that is no time becomes LATEST."""
    try:
        found = pa.array(texts, pa.string()).cast(pa.timestamp("us", "UTC"))
        return np.asarray(found.cast(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return np.array([_one_time(text) for text in texts], dtype=np.int64)


def _one_time(text: str) -> int:
    try:
        if text.lstrip("-").isdigit() and len(text) > 8:
            return max(EARLIEST, min(int(text), LATEST))
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6)
    except (ValueError, OverflowError):
        return LATEST


def _whole(numbers: list[int]) -> NDArray[np.int64]:
    try:
        return np.array(numbers, dtype=np.int64)
    except OverflowError:
        return np.array([max(EARLIEST, min(n, LATEST)) for n in numbers], dtype=np.int64)


def _read_times(rows: Rows, texts: list[tuple[int, list[str]]]) -> None:
    """Fill in the times that came as texts; rows without a time are set aside and taken out."""
    times = parse_times([text for _, batch in texts for text in batch])
    places = np.concatenate([np.arange(start, start + len(batch)) for start, batch in texts])
    rows.observed[places] = times
    wrong = places[times == LATEST]
    if not len(wrong):
        return
    words = dict(zip(places.tolist(), (text for _, batch in texts for text in batch), strict=True))
    for i in wrong.tolist():
        body = {**msgspec.json.decode(rows.raw(i)), "observed_at": words[i]}
        raw = msgspec.json.encode(body).decode()
        detail = f"observed_at {words[i][:60]!r} is no time"
        rows.bad.append(Bad(int(rows.message[i]), int(rows.row[i]), "malformed", detail, raw, rows.device[i]))
    keep = np.ones(len(rows), bool)
    keep[wrong] = False
    kept = np.flatnonzero(keep).tolist()
    for name in ("device", "metric", "unit"):
        setattr(rows, name, getattr(rows, name).chosen(kept))
    rows.resident = [rows.resident[i] for i in kept]
    for name in ("observed", "value", "message", "row"):
        setattr(rows, name, getattr(rows, name)[keep])


def _batch(envelope: Envelope, message: Message) -> Batch:
    """The readings of a message of any of the three formats; ValueError when it is none of them."""
    if envelope.columns is not None:
        return _of_columns(envelope.columns)
    if envelope.readings is not None:
        some = envelope.readings
        residents = [r.resident_id for r in some]
        return Batch(
            [r.device_id for r in some],
            [r.metric for r in some],
            [r.observed_at for r in some],
            [r.value for r in some],
            [r.unit for r in some],
            residents if any(residents) else None,
        )
    missing = [name for name in ("metric", "observed_at", "value", "unit") if getattr(envelope, name) is None]
    if missing:
        raise ValueError(f"no {missing[0]}")
    device = envelope.device_id or message.device
    if message.device not in (device, "batch", "requeue"):
        raise ValueError(f"device_id {device!r} on the topic of {message.device!r}")
    assert envelope.metric is not None and envelope.observed_at is not None
    assert envelope.value is not None and envelope.unit is not None
    resident: list[str | None] | None = [envelope.resident_id] if envelope.resident_id else None
    return Batch([device], [envelope.metric], [envelope.observed_at], [envelope.value], [envelope.unit], resident)


def _of_columns(columns: Columns) -> Batch:
    n = len(columns.value)
    named: dict[str, Sequence[str]] = {}
    for name in ("device_id", "metric", "unit"):
        found = _texts.of(getattr(columns, name))
        named[name] = (found,) * n if isinstance(found, str) else found
    given: dict[str, Sequence[Any] | None] = {
        **named, "observed_at": columns.observed_at, "resident_id": columns.resident_id
    }  # fmt: skip
    for name, column in given.items():
        if column is not None and len(column) != n:
            raise ValueError(f"columns of different lengths: value has {n}, {name} has {len(column)}")
    residents: list[str | None] | None = list(columns.resident_id) if columns.resident_id else None
    return Batch(named["device_id"], named["metric"], columns.observed_at, columns.value, named["unit"], residents)


def _salvage(message: Message, where: int, problem: str, bad: list[Bad]) -> tuple[Envelope, Batch, list[int]]:
    """Take the good rows out of a message that does not decode as a whole; set the others aside."""
    empty = Batch([], [], [], [], [])
    text = message.data.decode("utf-8", "replace")
    try:
        body = msgspec.json.decode(message.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        bad.append(Bad(where, 0, "malformed", str(error), text))
        return Envelope(), empty, []
    rows = _loose_rows(body)
    if rows is None:
        bad.append(Bad(where, 0, "malformed", problem, text))
        return Envelope(), empty, []
    head = {key: body.get(key) for key in ("dataset", "run") if isinstance(body.get(key), str)}
    if body.get("replay") in ("store", "live"):
        head["replay"] = body["replay"]
    envelope = msgspec.convert(head, Envelope)
    good: list[One] = []
    kept: list[int] = []
    for number, row in enumerate(rows):
        try:
            good.append(msgspec.convert(row, One))
            kept.append(number)
        except msgspec.ValidationError as error:
            if "dataset" in head:
                row = {**row, "dataset": head["dataset"]} if isinstance(row, dict) else row
            raw = msgspec.json.encode(row).decode()
            device = row.get("device_id") if isinstance(row, dict) else None
            bad.append(Bad(where, number, "malformed", str(error), raw, device if isinstance(device, str) else None))
    return envelope, _batch(msgspec.structs.replace(envelope, readings=good), message), kept


def _loose_rows(body: Any) -> list[Any] | None:
    """The rows of a body that has the shape of several readings but not all of their types."""
    if not isinstance(body, dict):
        return None
    if isinstance(rows := body.get("readings"), list):
        return rows
    columns = body.get("columns")
    if not isinstance(columns, dict):
        return None
    lengths = {len(column) for column in columns.values() if isinstance(column, list)}
    if len(lengths) != 1:
        return None
    n = lengths.pop()
    return [{k: (c[i] if isinstance(c, list) else c) for k, c in columns.items() if c is not None} for i in range(n)]
