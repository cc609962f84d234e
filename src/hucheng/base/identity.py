"""The one vault of identity numbers; everything else knows a person by the pseudonym ``resident_id`` only.

An identity number (GB 11643-1999) has 6 digits of area, 8 of birth date, 3 of sequence (odd: male) and a checksum
by ISO 7064 MOD 11-2, where ten is written X. Numbers lie sealed under the person's key; equal numbers are found by
a keyed digest, so that one number leads to one resident, and nobody can list numbers from the ledger alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Literal

from sqlalchemy import Column, Connection, LargeBinary, Table, Text, delete, select

from hucheng.base.keys import Keys, sealed, unsealed
from hucheng.base.ledger import Instant, Ledger, metadata
from hucheng.errors import IdentityError

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECKS = "10X98765432"
_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # no 0/O, 1/I/L, U: read out over the telephone
_SEALED_AS = "identity"

identity = Table(
    "identity",
    metadata,
    Column("digest", LargeBinary, primary_key=True, comment="keyed digest of the number"),
    Column("resident_id", Text, nullable=False, unique=True),
    Column("sealed", LargeBinary, nullable=False, comment="the number under the person's key"),
    Column("entered_at", Instant, nullable=False),
)


def check_digit(first17: str) -> str:
    """The 18th character of an identity number (ISO 7064 MOD 11-2).

    >>> check_digit("11010519491231002")
    'X'
    """
    return CHECKS[sum(weight * int(digit) for weight, digit in zip(WEIGHTS, first17, strict=True)) % 11]


def checked(number: str, *, today: date) -> str:
    """The identity number in its one spelling (X in capitals). Raises IdentityError naming what is wrong.

    Of the area only its form is checked: areas are renamed and abolished, people keep their number.
    """
    text = number.strip().upper()
    if len(text) != 18:
        raise IdentityError("an identity number has 18 characters", mend="type it as on the card")
    if not (text[:17].isascii() and text[:17].isdigit() and (text[17] in CHECKS)):
        raise IdentityError("an identity number has 17 digits and then a digit or X", mend="type it as on the card")
    try:
        day = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        raise IdentityError("the identity number holds no date of birth", mend="digits 7 to 14 are the date") from None
    if not date(1850, 1, 1) <= day <= today:
        raise IdentityError("the date of birth in the number cannot be", mend="digits 7 to 14 are the date")
    if check_digit(text[:17]) != text[17]:
        raise IdentityError("the check character does not fit", mend="a digit is wrong, or two are swapped")
    return text


def born(number: str) -> date:
    """Date of birth in a checked number."""
    return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))


def sex(number: str) -> Literal["male", "female"]:
    """Sex in a checked number."""
    return "male" if int(number[16]) % 2 else "female"


class Vault:
    """Identity numbers, sealed; `enter`, `find` and `open` are all it does.

    ``zone``: the city's, in which nobody is born tomorrow.
    """

    def __init__(
        self,
        ledger: Ledger,
        keys: Keys,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        choice: Callable[[str], str] = secrets.choice,
        zone: tzinfo = UTC,
    ) -> None:
        self._ledger = ledger
        self._keys = keys
        self._clock = clock
        self._choice = choice
        self._zone = zone

    def enter(self, number: str, *, resident_id: str | None = None, conn: Connection | None = None) -> str:
        """Enter a person; returns the pseudonym (a new one unless given). The same number again gives the same one.

        Raises IdentityError when the number is malformed, or is entered already for another resident.
        """
        return self.enter_all({number: resident_id}, conn=conn)[number]

    def enter_all(self, numbers: Mapping[str, str | None], *, conn: Connection | None = None) -> dict[str, str]:
        """Enter many people at once: identity number → pseudonym, or None for a new one. All or nothing."""
        now = self._clock()
        spelt = {number: checked(number, today=now.astimezone(self._zone).date()) for number in numbers}
        digests = {number: self._digest(text) for number, text in spelt.items()}
        with self._ledger.on(conn) as writing:
            stored = dict(self._stored(writing, list(digests.values())))
            known = set(writing.execute(select(identity.c.resident_id)).scalars()) if len(numbers) > 50 else None
            given: dict[str, str] = {}
            fresh: list[tuple[str, str]] = []
            for number, asked in numbers.items():
                held = stored.get(digests[number])
                if held is not None and asked not in (None, held):
                    raise IdentityError("this number belongs to another resident", mend="look for the first entry")
                if held is None:
                    held = asked or self._pseudonym()
                    if self._is_known(writing, held, known):
                        raise IdentityError("this resident has another number", where=held, mend="correct that entry")
                    if known is not None:
                        known.add(held)
                    stored[digests[number]] = held
                    fresh.append((number, held))
                given[number] = held
            people = self._keys.people([rid for _, rid in fresh], conn=writing)
            rows = [
                {
                    "digest": digests[number],
                    "resident_id": rid,
                    "sealed": sealed(people[rid].cipher, spelt[number].encode(), f"{_SEALED_AS}/{rid}"),
                    "entered_at": now,
                }
                for number, rid in fresh
            ]
            if rows:
                writing.execute(identity.insert(), rows)
        return given

    def find(self, number: str) -> str | None:
        """The resident with this number; None when nobody has it. Raises IdentityError when it is malformed."""
        text = checked(number, today=self._clock().astimezone(self._zone).date())
        with self._ledger.read() as conn:
            return dict(self._stored(conn, [self._digest(text)])).get(self._digest(text))

    def open(self, resident_id: str) -> str:
        """The number itself. Only for a purpose that names it; raises IdentityError when there is none."""
        with self._ledger.read() as conn:
            body = conn.execute(select(identity.c.sealed).where(identity.c.resident_id == resident_id)).scalar()
        if body is None:
            raise IdentityError("no number is entered for this resident", where=resident_id)
        person = self._keys.person(resident_id)
        return unsealed(person.cipher, body, f"{_SEALED_AS}/{resident_id}").decode()

    def erase(self, resident_id: str, *, conn: Connection | None = None) -> bool:
        """Delete the entry of a resident; returns whether there was one."""
        with self._ledger.on(conn) as writing:
            return bool(writing.execute(delete(identity).where(identity.c.resident_id == resident_id)).rowcount)

    def _digest(self, text: str) -> bytes:
        return self._keys.digest("identity numbers", text)

    @staticmethod
    def _stored(conn: Connection, digests: list[bytes]) -> list[tuple[bytes, str]]:
        query = select(identity.c.digest, identity.c.resident_id)
        parts = (digests[n : n + 500] for n in range(0, len(digests), 500))
        rows = (row for part in parts for row in conn.execute(query.where(identity.c.digest.in_(part))))
        return [(bytes(row.digest), row.resident_id) for row in rows]

    @staticmethod
    def _is_known(conn: Connection, resident_id: str, known: set[str] | None) -> bool:
        if known is not None:
            return resident_id in known
        return conn.execute(select(identity.c.digest).where(identity.c.resident_id == resident_id)).first() is not None

    def _pseudonym(self) -> str:
        return "R" + "".join(self._choice(_LETTERS) for _ in range(11))
