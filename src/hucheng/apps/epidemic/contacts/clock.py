"""Times as they come in, as whole seconds, and back in the form in which they came.

Forms: whole seconds on any clock; ISO 8601 with a zone; ISO 8601 without one, which is read as it stands, all on one
clock. Arrow timestamps and dates are ISO too. Forms are never mixed.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hucheng.errors import BadRequest

SECONDS_A_DAY = 86_400
NOTHING = np.iinfo(np.int64).min
"""Stands for a time that is empty or cannot be read."""

_WHOLE = r"^[+-]?\d+(\.0*)?$"
_ISO = r"^\d{4}-\d\d-\d\d([T ]\d\d(:?\d\d(:?\d\d([.,]\d+)?)?)?\s*(Z|z|[+-]\d\d(:?\d\d)?)?)?$"
_ZONE = re.compile(r"(Z|z|[+-]\d\d(:?\d\d)?)$")
_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


@dataclass(frozen=True)
class Form:
    """How times are written: ``kind`` is “seconds”, “naive” or “zoned”."""

    kind: str
    text: bool = False
    """ISO text; otherwise an Arrow timestamp (or whole seconds)."""
    zone: str | None = None
    """Of zoned times: the offset that the first of them has (“+08:00”, “Z”), or the name of an Arrow zone."""
    unit: str = "us"
    separator: str = "T"

    def refuse_other(self, other: Form, where: str) -> None:
        """BadRequest where the other times are on another kind of clock."""
        if self.kind != other.kind:
            names = {"seconds": "seconds", "naive": "ISO times without a zone", "zoned": "ISO times with a zone"}
            raise BadRequest(
                f"times come in two forms: {names[self.kind]} and {names[other.kind]}",
                where=where,
                mend="write all times of visits and cases in one form",
            )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Moments:
    """Times of a column: seconds since the clock's zero (since 1970 of ISO times), `NOTHING` where there is none."""

    seconds: NDArray[np.int64]
    form: Form | None
    """None where no row has a time."""
    local: NDArray[np.int64] | int = 0
    """Seconds from the zone's clock to UTC's, so that days are those that people live by."""
    cut: int = 0
    """Times with a fraction of a second, which is left off."""


def read(column: pa.ChunkedArray, name: str) -> Moments:
    """Times of a column. Raises BadRequest for a type that holds no times, and for text in two forms."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = pc.cast(column, kind.value_type)
        kind = column.type
    if pa.types.is_null(kind):
        return Moments(np.full(len(column), NOTHING), None)
    if pa.types.is_integer(kind):
        return Moments(_filled(pc.cast(column, pa.int64(), safe=False)), Form("seconds"))
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _floats(np.asarray(pc.fill_null(pc.cast(column, pa.float64()), float("nan"))))
    if pa.types.is_date(kind):
        column, kind = pc.cast(column, pa.timestamp("s")), pa.timestamp("s")
    if pa.types.is_timestamp(kind):
        return _timestamps(column, kind)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _texts(pc.utf8_trim_whitespace(pc.cast(column, pa.string())), name)
    raise BadRequest(f"“{name}” holds {kind}, no times", mend="write seconds, or ISO times such as 2026-01-31T08:00:00")


def write(seconds: NDArray[np.int64], form: Form) -> pa.Array:
    """Seconds in the form in which times came in."""
    if form.kind == "seconds":
        return pa.array(seconds)
    if not form.text:
        many = pa.array(seconds * _UNITS[form.unit])
        return many.cast(pa.timestamp(form.unit, form.zone))
    shift = offset(form.zone) if form.zone else 0
    words = pa.array(seconds + shift).cast(pa.timestamp("s")).cast(pa.string())
    if form.separator != " ":
        words = pc.binary_replace_slice(words, 10, 11, form.separator)
    return pc.binary_join_element_wise(words, form.zone, "") if form.zone else words


def offset(zone: str) -> int:
    """Seconds of an offset: “+08:00” 28800, “Z” 0."""
    if zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "")
    found = int(digits[:2]) * 3600 + int(digits[2:4] or 0) * 60
    return -found if zone[0] == "-" else found


def _filled(column: pa.ChunkedArray) -> NDArray[np.int64]:
    found: NDArray[np.int64] = np.asarray(column.fill_null(int(NOTHING)) if column.null_count else column)
    return found


def _floats(values: NDArray[np.float64]) -> Moments:
    known = np.isfinite(values) & (np.abs(values) < 2.0**62)
    whole = np.floor(np.where(known, values, 0))
    cut = int((known & (whole != values)).sum())
    return Moments(np.where(known, whole.astype(np.int64), NOTHING), Form("seconds"), cut=cut)


def _timestamps(column: pa.ChunkedArray, kind: pa.DataType) -> Moments:
    unit = _UNITS[kind.unit]
    many = _filled(pc.cast(column, pa.int64()))
    known = many != NOTHING
    seconds = np.where(known, many // unit, NOTHING)
    local: NDArray[np.int64] | int = 0
    if kind.tz is not None:
        local = np.where(known, _filled(pc.cast(pc.local_timestamp(column), pa.int64())) // unit - seconds, 0)
    form = Form("naive" if kind.tz is None else "zoned", zone=kind.tz, unit=kind.unit)
    return Moments(seconds, form, local, int((known & (many % unit != 0)).sum()))


def _texts(text: pa.ChunkedArray, name: str) -> Moments:
    """Text is seconds or ISO, all of it; what is neither is no time."""
    text = pc.if_else(pc.is_in(text, pa.array(["", "NA", "NaN", "null", "None"])), None, text)
    if text.null_count == len(text):
        return Moments(np.full(len(text), NOTHING), None)
    digits = pc.match_substring_regex(text, _WHOLE)
    if pc.all(digits).as_py():
        return _whole(text)
    iso = pc.match_substring_regex(text, _ISO)
    if pc.any(digits).as_py():
        if pc.any(iso).as_py():
            _mixed(text, digits, iso, name)
        return _whole(pc.if_else(digits, text, None))
    text = pc.if_else(iso, text, None)
    if text.null_count == len(text):
        return Moments(np.full(len(text), NOTHING), None)
    zoned = pc.match_substring_regex(text, r"\d\d([.,]\d+)?\s*(Z|z|[+-]\d\d(:?\d\d)?)$")
    zoned = pc.and_(zoned, pc.match_substring_regex(text, r"^.{10}[T ]"))
    with_zone, without = pc.any(zoned).as_py(), not pc.all(zoned).as_py()
    if with_zone and without:
        _mixed(text, zoned, pc.invert(zoned), name)
    first = next(word.as_py() for word in text if word.is_valid)
    separator = " " if first[10:11] == " " else "T"
    seconds, cut = _parsed(text, bool(with_zone))
    if not with_zone:
        return Moments(seconds, Form("naive", text=True, separator=separator), cut=cut)
    ends = pc.dictionary_encode(pc.utf8_slice_codeunits(text, start=-6, stop=None)).combine_chunks()
    shifts = [offset(_ZONE.search(end.as_py()).group(0)) for end in ends.dictionary]  # type: ignore[union-attr]
    places = np.asarray(pc.fill_null(ends.indices, 0))
    local = np.array(shifts, np.int64)[places]
    zone = _ZONE.search(first).group(0)  # type: ignore[union-attr]
    return Moments(seconds, Form("zoned", text=True, zone=zone, separator=separator), local, cut)


def _whole(text: pa.ChunkedArray) -> Moments:
    try:
        whole = pc.replace_substring_regex(text, r"^\+|\.0*$", "")
        return Moments(_filled(pc.cast(whole, pa.int64())), Form("seconds"))
    except pa.ArrowInvalid:  # beyond 64 bits: no time either
        return _floats(np.asarray(pc.fill_null(pc.cast(text, pa.float64()), float("nan"))))


def _parsed(text: pa.ChunkedArray, zoned: bool) -> tuple[NDArray[np.int64], int]:
    """Seconds of ISO text, and how many had a fraction; what is no date (a thirteenth month) is no time."""
    try:
        column = pc.cast(text, pa.timestamp("us", "UTC" if zoned else None))
        many = _filled(pc.cast(column, pa.int64()))
        known = many != NOTHING
        return np.where(known, many // 1_000_000, NOTHING), int((known & (many % 1_000_000 != 0)).sum())
    except pa.ArrowInvalid:
        found = np.full(len(text), NOTHING)
        cut = 0
        for place, word in enumerate(text.to_pylist()):
            try:
                moment = datetime.fromisoformat((word or "").replace(",", ".").replace("z", "Z").replace(" +", "+"))
            except ValueError:
                continue
            whole = moment.replace(microsecond=0)
            since = np.datetime64(whole.replace(tzinfo=None) - (whole.utcoffset() or timedelta()), "s")
            found[place] = since.astype(np.int64)
            cut += moment.microsecond != 0
        return found, cut


def _mixed(text: pa.ChunkedArray, one: pa.ChunkedArray, other: pa.ChunkedArray, name: str) -> None:
    samples = [pc.filter(text, pc.fill_null(mask, False))[0].as_py() for mask in (one, other)]
    raise BadRequest(
        f"“{name}” has times in two forms: {samples[0]} and {samples[1]}",
        mend="write all times as seconds, or all as ISO times with a zone, or all without",
    )
