"""Which column of a file holds what: the names that hubs, line lists and cities use for the same thing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hucheng.errors import BadRequest

DATE = ("target_end_date", "date", "week_end_date", "week_end", "week_ending", "day", "week", "time", "日期")
PLACE = (
    "location",
    "place",
    "location_id",
    "place_id",
    "citycode",
    "city_code",
    "adcode",
    "city",
    "region",
    "地区",
    "城市",
)
VALUE = (
    "value",
    "observation",
    "count",
    "counts",
    "cases",
    "new_cases",
    "confirmed",
    "admissions",
    "数量",
    "病例数",
    "确诊",
    "新增",
    "新增确诊",
    "新增病例",
    "累计",
    "累计确诊",
    "累计病例",
    "cumulative",
    "cumulative_cases",
    "total_cases",
)
TOTALS = ("累计", "累計", "cumul")
"""Words in the name of a count's column that say it is a running total."""
AS_OF = ("as_of", "reference_date", "issue_date", "vintage", "版本日期")
POPULATION = ("population", "pop", "人口")
TARGET = ("target",)

YEAR_FIRST = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ].*)?")
TOGETHER = re.compile(r"(\d{4})(\d\d)(\d\d)")
SHOWN = 5
"""Rows named in a message before it says how many more there are."""


def find(table: pa.Table, names: Sequence[str], given: str | None, what: str, needed: bool = True) -> str | None:
    """The column that holds ``what``: the one that was named, else the first of ``names`` (in any case).

    Raises BadRequest for a named column that is not there, and where none is found but one is needed.
    """
    if given is not None:
        if given in table.column_names:
            return given
        raise BadRequest(f"there is no column “{given}”", mend=f"there are: {', '.join(table.column_names)}")
    lower = {name.lower().strip(): name for name in reversed(table.column_names)}
    found = next((lower[name] for name in names if name in lower), None)
    if found is None and needed:
        raise BadRequest(
            f"no column says the {what}",
            where=f"columns: {', '.join(table.column_names)}",
            mend=f"name it {names[0]}, or name the column by the command's option for it (see --help)",
        )
    return found


def dates(column: pa.ChunkedArray, name: str) -> NDArray[np.datetime64]:
    """Days of a column of dates, times or ISO text (datetime64[D], NaT where empty); BadRequest names bad rows."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        found: NDArray[np.datetime64] = np.asarray(pc.cast(column, pa.date32(), safe=False)).astype("datetime64[D]")
        return found
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise BadRequest(f"“{name}” holds {column.type}, no dates", mend="write dates as 2026-01-31")
    words = pc.dictionary_encode(pc.utf8_trim_whitespace(column)).combine_chunks()
    read = np.array([_day(word.as_py()) for word in words.dictionary] or [np.datetime64("NaT", "D")], "datetime64[D]")
    places = np.asarray(pc.fill_null(words.indices, -1))
    known = np.where(places >= 0, read[places], np.datetime64("NaT", "D"))
    filled = np.array([word.as_py() not in ("", "NA") for word in words.dictionary] or [False])
    wrong = np.isnat(known) & (places >= 0) & filled[places]
    if wrong.any():
        raise BadRequest(
            f"{int(wrong.sum())} values of “{name}” are no dates, such as {column[int(np.argmax(wrong))].as_py()!r}",
            where=rows(np.flatnonzero(wrong)),
            mend="write dates as 2026-01-31; `hucheng epidemic clean` reads other forms",
        )
    return known


def numbers(column: pa.ChunkedArray, name: str) -> NDArray[np.float64]:
    """Numbers of a column, NaN where empty or NA; BadRequest names rows that hold something else."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        text = pc.utf8_trim_whitespace(column)
        empty = pc.is_in(text, pa.array(["", "NA", "NaN", "nan", "null", "None"]))
        text = pc.if_else(empty, None, text)
        try:
            column = pc.cast(text, pa.float64())
        except pa.ArrowInvalid:
            wrong = [place for place, word in enumerate(text.to_pylist()) if word is not None and not _number(word)]
            raise BadRequest(
                f"{len(wrong)} values of “{name}” are no numbers, such as {text[wrong[0]].as_py()!r}",
                where=rows(wrong),
                mend="write a count as 12, and leave what is not known empty",
            ) from None
    try:
        found = np.asarray(pc.fill_null(pc.cast(column, pa.float64()), float("nan")), dtype=np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise BadRequest(f"“{name}” holds {column.type}, no numbers", mend="give counts as numbers") from None
    if np.isinf(found).any():
        raise BadRequest(f"“{name}” holds infinity", where=rows(np.flatnonzero(np.isinf(found))), mend="mend the file")
    return found


def text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as trimmed text; what is empty is null."""
    trimmed = pc.utf8_trim_whitespace(pc.cast(column, pa.string()))
    return pc.if_else(pc.equal(trimmed, ""), None, trimmed)


def words(column: pa.ChunkedArray) -> pa.Array:
    """A column as trimmed text, dictionary-encoded; what is empty is null."""
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, pa.string())
    return pc.dictionary_encode(text(column)).combine_chunks()


def coded(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], int]:
    """Numbers of the values of a column in their order, and how many there are."""
    held = pc.dictionary_encode(column).combine_chunks()
    order = np.asarray(pc.rank(held.dictionary, tiebreaker="dense")).astype(np.int64) - 1
    return order[np.asarray(held.indices)], len(order)


def rows(places: Sequence[int] | NDArray[np.intp]) -> str:
    """Rows of a file in words, the first row of values being row 1."""
    shown = ", ".join(str(int(place) + 1) for place in places[:SHOWN])
    more = len(places) - SHOWN
    return f"row {shown}" if len(places) == 1 else f"rows {shown}" + (f" and {more} more" if more > 0 else "")


def some(number: int, what: str) -> str:
    """1 visit, 2 visits."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _day(word: str | None) -> np.datetime64:
    """A date with the year first (2026-01-31, 2026/1/31, 2026年1月31日, 20260131), or that of a time which begins with
    one; NaT for anything else."""
    text = (word or "").strip()
    found = YEAR_FIRST.fullmatch(text) or TOGETHER.fullmatch(text)
    try:
        return np.datetime64(date(*(int(part) for part in found.groups())), "D") if found else np.datetime64("NaT", "D")
    except ValueError:
        return np.datetime64("NaT", "D")


def _number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
