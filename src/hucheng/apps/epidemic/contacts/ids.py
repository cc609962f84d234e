"""Ids of people and places as small whole numbers (codes), and back.

A code is a place in the dictionary. A dictionary is only ever added to, a sorted segment at a time, so that a code
never changes its meaning: days of an index that were written before stay as they are.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hucheng.apps.epidemic.contacts.compiled import compiled
from hucheng.errors import BadRequest, TooLarge

NUMBERS, WORDS = "integers", "text"
CANONICAL = r"^(0|-?[1-9]\d{0,17})$"
"""Text that is the same as its number: “7”, not “007”."""
MOST = 500_000_000


class NotNumbers(BadRequest):
    """An id that is no number met a dictionary of numbers."""


def kind_of(column: pa.ChunkedArray) -> str:
    """Whether ids are kept as numbers or as text."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return NUMBERS
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return WORDS
    return NUMBERS if pc.all(pc.match_substring_regex(pc.cast(column, pa.string()), CANONICAL)).as_py() else WORDS


def plain(column: Any, kind: str) -> Any:
    """Ids as int64 or as text; empty is null. Raises NotNumbers for text that is no number where numbers are kept."""
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    if kind == WORDS:
        if pa.types.is_floating(column.type):
            column = _whole(column)
        text = pc.utf8_trim_whitespace(pc.cast(column, pa.large_string()))
        return pc.if_else(pc.equal(text, ""), None, text)
    if pa.types.is_integer(column.type):
        return pc.cast(column, pa.int64())
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        return _whole(column)
    text = pc.utf8_trim_whitespace(pc.cast(column, pa.string()))
    text = pc.if_else(pc.equal(text, ""), None, text)
    fits = pc.match_substring_regex(text, CANONICAL)
    if not pc.all(fits).as_py():
        odd = pc.filter(text, pc.invert(pc.fill_null(fits, True)))[0].as_py()
        raise NotNumbers(f"the id “{odd}” is no number, and all before it were", mend="give ids in one form")
    return pc.cast(text, pa.int64())


class Dictionary:
    """Segments of sorted ids; the code of an id is where it stands in all of them together."""

    def __init__(self, kind: str, segments: list[Any]) -> None:
        self.kind = kind
        self.segments = segments
        """int64 arrays, or Arrow text."""

    def __len__(self) -> int:
        return sum(len(one) for one in self.segments)

    def codes(self, ids: Any) -> NDArray[np.int32]:
        """Codes of some ids (Arrow, any type), -1 where an id is not there."""
        found = np.full(len(ids), -1, np.int32)
        try:
            wanted = plain(ids, self.kind).to_pylist()
        except NotNumbers:
            wanted = [_number(one) for one in pc.cast(ids, pa.string()).to_pylist()]
        for place, one in enumerate(wanted):
            if one is not None:
                found[place] = self._code(one)
        return found

    def take(self, codes: NDArray[np.int32]) -> pa.Array:
        """Ids of codes; null for -1."""
        if self.kind == NUMBERS:
            found = np.empty(len(codes), np.int64)
            unknown = _ids_of(self._whole, codes, found)
            return pa.array(found, mask=codes < 0) if unknown else pa.array(found)
        return pc.cast(self._whole.take(pa.array(codes, mask=codes < 0)), pa.string())

    def _code(self, one: Any) -> int:
        base = 0
        for segment in self.segments:
            if self.kind == NUMBERS:
                at = int(np.searchsorted(segment, one))
                if at < len(segment) and segment[at] == one:
                    return base + at
            else:
                at = bisect_left(_Texts(segment), one)
                if at < len(segment) and segment[at].as_py() == one:
                    return base + at
            base += len(segment)
        return -1

    @cached_property
    def _whole(self) -> Any:
        if self.kind == NUMBERS:
            return (
                self.segments[0] if len(self.segments) == 1 else np.concatenate([np.zeros(0, np.int64), *self.segments])
            )
        return pa.concat_arrays([pa.array([], pa.large_string()), *self.segments])


class Coder:
    """Codes while a file streams by: known ids have theirs already, new ones get theirs by `finish`."""

    def __init__(self, known: Dictionary) -> None:
        self.known = known
        self.kind = known.kind
        self.base = len(known)
        self._codes: dict[str, int] = {}
        self._table: NDArray[np.int32] = np.full(1 << 12, -1, np.int32)
        self._ids: NDArray[np.int64] = np.zeros(1 << 11, np.int64)
        self._used = 0
        for segment in known.segments:
            if self.kind == NUMBERS:
                self._numbers(np.asarray(segment))
            else:
                self._codes.update((word, at) for at, word in enumerate(segment.to_pylist(), len(self._codes)))

    def codes(self, ids: Any) -> NDArray[np.int32]:
        """Codes for now of ids from `plain`, none of them null. Raises TooLarge beyond 500 million ids."""
        if len(self) > MOST:
            raise TooLarge(f"more than {MOST:,} different ids", mend="split the city into several indexes")
        if self.kind == NUMBERS:
            return self._numbers(np.asarray(ids))
        held = pc.dictionary_encode(ids)
        held = held.combine_chunks() if isinstance(held, pa.ChunkedArray) else held
        codes = self._codes
        new = [codes.setdefault(word, len(codes)) for word in held.dictionary.to_pylist()]
        found: NDArray[np.int32] = np.array(new or [0], np.int32)[np.asarray(held.indices)]
        return found

    def __len__(self) -> int:
        return self._used if self.kind == NUMBERS else len(self._codes)

    def finish(self) -> tuple[Any, NDArray[np.int32]]:
        """The segment of new ids, sorted, and the code that each code for now becomes."""
        final = np.arange(len(self), dtype=np.int32)
        if self.kind == NUMBERS:
            new = self._ids[self.base : self._used]
            order = np.argsort(new, kind="stable")
            segment: Any = new[order]
        else:
            words = pa.array(list(self._codes)[self.base :], pa.large_string())
            # the order of UTF-8 bytes is the order of Python's text: bisection finds what Arrow has sorted
            order = np.asarray(pc.sort_indices(words)).astype(np.int64)
            segment = words.take(pa.array(order))
        final[self.base + order] = self.base + np.arange(len(order), dtype=np.int32)
        return segment, final

    def _numbers(self, ids: NDArray[np.int64]) -> NDArray[np.int32]:
        most = self._used + len(ids)
        if 2 * most > len(self._table):
            self._table = np.full(1 << (2 * most).bit_length(), -1, np.int32)
            self._ids = np.concatenate(
                [self._ids[: self._used], np.zeros(len(self._table) // 2 - self._used, np.int64)]
            )
            _refill(self._ids, self._used, self._table)
        found = np.empty(len(ids), np.int32)
        self._used = _number_codes(ids, self._ids, self._used, self._table, found)
        return found


class _Texts:
    """Arrow text as a sequence that bisection can read."""

    def __init__(self, segment: Any) -> None:
        self.segment = segment

    def __len__(self) -> int:
        return len(self.segment)

    def __getitem__(self, place: int) -> Any:
        return self.segment[place].as_py()


def _whole(column: Any) -> Any:
    """Floats that are whole, as pandas keeps numbers beside empty cells."""
    try:
        return pc.cast(
            pc.if_else(pc.is_nan(column), None, column) if pa.types.is_floating(column.type) else column, pa.int64()
        )
    except pa.ArrowInvalid:
        raise BadRequest("ids are numbers with fractions", mend="give ids as whole numbers or as text") from None


def _number(word: str | None) -> int | None:
    """The number that a text is, if it is written as numbers are."""
    return (
        int(word)
        if word is not None and word.lstrip("-").isdecimal() and str(int(word)) == word and len(word) < 19
        else None
    )


@compiled
def _ids_of(ids, codes, found):  # type: ignore[no-untyped-def]
    """Set the id of each code, 0 for -1; returns how many are -1."""
    unknown = 0
    for row in range(len(codes)):
        code = codes[row]
        unknown += code < 0
        found[row] = ids[code] if code >= 0 else 0
    return unknown


@compiled
def _refill(ids, used, table):  # type: ignore[no-untyped-def]
    """Put ids into an empty table of open addressing; its length is a power of two."""
    mask = len(table) - 1
    for code in range(used):
        key = np.uint64(ids[code]) * np.uint64(0x9E3779B97F4A7C15)
        at = np.int64(key >> np.uint64(32)) & mask
        while table[at] >= 0:
            at = (at + 1) & mask
        table[at] = code


@compiled
def _number_codes(keys, ids, used, table, out):  # type: ignore[no-untyped-def]
    """Codes of keys; new keys take the next. Returns how many are in use."""
    mask = len(table) - 1
    for row in range(len(keys)):
        key = keys[row]
        at = np.int64((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & mask
        while True:
            code = table[at]
            if code < 0:
                ids[used] = key
                table[at] = used
                out[row] = used
                used += 1
                break
            if ids[code] == key:
                out[row] = code
                break
            at = (at + 1) & mask
    return used
