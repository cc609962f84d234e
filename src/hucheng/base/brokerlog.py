"""What the broker refused, out of its own log: it says so nowhere else, and acknowledges a forbidden topic like any.

The log is read on from a kept place (file and offset), across the server's own rotation of it.
"""

from __future__ import annotations

import json
import re
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from hucheng.base.broker import HOST, folder, log_file, ports
from hucheng.errors import StreamError
from hucheng.settings import Settings

_TEXT = r'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(
    r"\[(?P<pid>\d+)\] (?P<at>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d+) \[ERR\] \S+ - (?:mid|cid|wid):(?P<cid>\d+) - "
    rf"(?:{_TEXT} - )*?(?:"
    rf"Publish Violation - (?:User {_TEXT}, )?Subject (?P<subject>{_TEXT})"
    rf"|Subscription Violation - (?:User {_TEXT}, )?Subject (?P<wanted>{_TEXT})"
    rf"|authentication error(?: - User (?P<user>{_TEXT}))?"
    r"|(?P<large>maximum payload exceeded).*"
    r")\s*"
)
AT_ONCE = 4 << 20
MOST_ASKED = 200
"""Connections of one look of which the server is asked whose they are."""


class Refusal(Struct, frozen=True):
    """One thing the broker refused. ``door``: topic, credential or size; ``user``: None where nobody was let in;
    ``topic``: without the device, which may lead to a person."""

    door: str
    user: str | None
    topic: str | None
    at: datetime


class Place(Struct, frozen=True):
    """Up to where the log was read: the file's number on the disk, and the bytes of it."""

    file: int = 0
    offset: int = 0


def read_on(settings: Settings, place: Place) -> tuple[list[Refusal], Place]:
    """What was refused since; at most a few MB of the log at once."""
    path = log_file(settings)
    found: list[Refusal] = []
    rotated = {one.stat().st_ino: one for one in path.parent.glob(f"{path.name}.*") if one.is_file()}
    if place.file in rotated:
        body = _read(rotated[place.file], place.offset)
        found += _refusals(settings, body)
        if len(body) >= AT_ONCE:
            return found, Place(place.file, place.offset + len(body))
        place = Place()
    try:
        number = path.stat().st_ino
    except FileNotFoundError:
        return found, place
    start = place.offset if place.file == number and place.offset <= path.stat().st_size else 0
    body = _read(path, start)
    return found + _refusals(settings, body), Place(number, start + len(body))


def parsed(line: str) -> tuple[int, int, Refusal] | None:
    """Process and connection a line speaks of, and what was refused; None for any other line."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    at = datetime.strptime(match["at"], "%Y/%m/%d %H:%M:%S.%f").astimezone(UTC)  # in the server's local time
    door, user, topic = "topic", None, None
    if match["large"]:
        door = "size"
    elif match["subject"] or match["wanted"]:
        topic = _topic(_plain(match["subject"] or match["wanted"]))
    else:
        door, user = "credential", _plain(match["user"]) if match["user"] else None
    return int(match["pid"]), int(match["cid"]), Refusal(door, user, topic, at)


def _plain(quoted: str) -> str:
    """A text as the server quotes it, without its quotes; what is no JSON stays as it is written."""
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted[1:-1]


def _topic(subject: str) -> str:
    """A subject as the topic it came as: without the partition, and without the device."""
    kind, *rest = subject.split(".")
    if len(rest) == 3 and rest[0].isdigit():
        rest = rest[1:]
    return "/".join([kind[:40], *(part[:64] for part in rest[:1]), *("…" for _ in rest[1:2])])


def _refusals(settings: Settings, body: bytes) -> list[Refusal]:
    found: list[Refusal] = []
    known: dict[int, str | None] = {}
    for line in body.decode("utf-8", "replace").splitlines():
        if "[ERR]" not in line or (told := parsed(line)) is None:
            continue
        pid, cid, refusal = told
        if refusal.user is None and refusal.door != "credential":
            if cid not in known:
                known[cid] = _user(settings, pid, cid) if len(known) < MOST_ASKED else None
            refusal = Refusal(refusal.door, known[cid], refusal.topic, refusal.at)
        found.append(refusal)
    return found


def _user(settings: Settings, pid: int, cid: int) -> str | None:
    """As whom a connection was let in; None where this server does not know it any more."""
    try:
        if int((folder(settings) / "nats.pid").read_text()) != pid:
            return None
        url = f"http://{HOST}:{ports(settings).monitor}/connz?auth=1&state=any&cid={cid}"
        with urllib.request.urlopen(url, timeout=2) as answer:
            [one] = json.load(answer)["connections"]
        return str(one["authorized_user"])
    except (OSError, ValueError, KeyError, StreamError):
        return None


def _read(path: Path, offset: int) -> bytes:
    """Whole lines from an offset on."""
    with path.open("rb") as file:
        file.seek(offset)
        body = file.read(AT_ONCE)
    return body[: body.rfind(b"\n") + 1] or (body if len(body) >= AT_ONCE else b"")
