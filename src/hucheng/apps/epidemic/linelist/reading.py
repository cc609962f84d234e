"""A line list from a file: CSV in UTF-8, UTF-16 or GB18030, with comma, semicolon or tab; or Parquet."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pyarrow as pa

from hucheng import files
from hucheng.errors import BadRequest

ENCODINGS = ("utf-8-sig", "gb18030")
MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
DELIMITERS = ",;\t|，；"


def read(path: Path) -> tuple[pa.Table, str]:
    """The table, all of it text, and how it was read. BadRequest for a file that cannot be."""
    if path.suffix.lower() in (".xlsx", ".xls", ".ods", ".et"):
        raise BadRequest(
            "this is a workbook", where=str(path), mend="save its sheet as CSV; any of its encodings will do"
        )
    if files.suffix(path) == "parquet":
        return files.read(path), "Parquet"
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if path.name.lower().endswith(".gz") else raw
    except OSError as error:
        raise BadRequest(f"cannot read the file: {error.strerror or error}", where=str(path), mend="check it") from None
    text, encoding = _decoded(raw, path)
    first = text.lstrip("\r\n").partition("\n")[0]
    mark = max(DELIMITERS, key=first.count)
    rows = list(csv.reader(io.StringIO(text.lstrip("\r\n"), newline=""), delimiter=mark))
    if not rows or not any(cell.strip() for cell in rows[0]):
        raise BadRequest("the file is empty", where=str(path), mend="give a line list with a row of headings")
    return _table(rows), f"{encoding}, separated by {'tabs' if mark == chr(9) else mark}"


def _decoded(raw: bytes, path: Path) -> tuple[str, str]:
    for start, encoding in MARKS:
        if raw.startswith(start):
            return raw.decode(encoding, errors="strict"), "UTF-16"
    for encoding in ENCODINGS:
        try:
            return raw.decode(encoding), "UTF-8" if encoding == "utf-8-sig" else "GB18030"
        except UnicodeDecodeError:
            continue
    raise BadRequest("the text is neither UTF-8 nor GB18030 nor UTF-16", where=str(path), mend="save it as UTF-8")


def _table(rows: list[list[str]]) -> pa.Table:
    """Headings made unique, short rows filled up; cells beyond the headings get headings of their own."""
    wide = max(map(len, rows))
    heads: list[str] = []
    for at in range(wide):
        head = rows[0][at].strip() if at < len(rows[0]) else ""
        head = head or f"column {at + 1}"
        while head in heads:
            head = f"{head} (again)"
        heads.append(head)
    filled = [row + [""] * (wide - len(row)) for row in rows[1:]]
    return pa.table({head: pa.array([row[at] for row in filled], pa.string()) for at, head in enumerate(heads)})
