"""Keys: one master key, sub-keys derived from it, one key per person, and the node's signing key.

The master key lies in ``keys/master.key`` (0600) or in the environment (``HUCHENG_MASTER_KEY``, base64, 32 bytes).
Sub-keys come from it by HKDF-SHA256 (RFC 5869). What is sensitive about a person is sealed with AES-256-GCM under
that person's own key, which the ledger holds wrapped by the master key: destroying it makes everything sealed
under it unreadable, also in backups of other files. A person carries a number in sealed and compressed places
(journal, sets of people); numbers are random and never used twice, so that after erasure they lead to nobody.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import BigInteger, Column, Connection, LargeBinary, Table, Text, func, select, update

from hucheng.base.ledger import Instant, Ledger, after_commit, metadata
from hucheng.errors import KeyMissing, SettingsError

ENVIRONMENT = "HUCHENG_MASTER_KEY"
_CACHE = 400_000  # people whose keys are held in memory; about 200 bytes each
_SMALLEST_SPACE = 1 << 16  # numbers are drawn from a space four times the people, so that bitmaps stay dense

person_key = Table(
    "person_key",
    metadata,
    Column("person", BigInteger, primary_key=True, autoincrement=False, comment="random number, never used twice"),
    Column("resident_id", Text, unique=True, nullable=True, comment="NULL once erased"),
    Column("wrapped", LargeBinary, nullable=True, comment="the person's key under the master key; NULL once erased"),
    Column("made_at", Instant, nullable=False),
    Column("gone_at", Instant, nullable=True),
)


def master_key(path: Path) -> bytes:
    """The master key: from the environment, else from ``path``, which is made (0600) when it does not exist.

    Raises SettingsError when it is malformed, or when others may read the file.
    """
    if given := os.environ.get(ENVIRONMENT):
        return _decoded(given, f"environment {ENVIRONMENT}")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(32)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(fresh)  # unlike rename: the first of two processes wins, the other reads its key
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    if path.stat().st_mode & 0o077:
        raise SettingsError("others may read the master key", where=str(path), mend=f"chmod 600 {path}")
    return _decoded(path.read_text().strip(), str(path))


def _decoded(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise SettingsError("the master key is not 32 bytes in base64", where=where, mend="restore it from its backup")
    return key


def derived(master: bytes, name: str) -> bytes:
    """A 32-byte sub-key for one use (HKDF-SHA256)."""
    kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"hucheng/{name}".encode())
    return kdf.derive(master)


class NodeKey:
    """The node's Ed25519 key (RFC 8032), with which it signs checkpoints; derived from the master key."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        self.public = self._private.public_key().public_bytes(*raw)

    def sign(self, message: bytes) -> bytes:
        """Signature, 64 bytes."""
        return self._private.sign(message)


def signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is that key's over that message."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Person:
    """A person as sealed places know them: the number, and the cipher of their key."""

    number: int
    cipher: AESGCM


class Keys:
    """All keys of a node. Safe to use from many threads; only the writer of the ledger may own one that writes."""

    def __init__(
        self,
        ledger: Ledger,
        master: bytes,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        randbelow: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        self._ledger = ledger
        self._master = master
        self._clock = clock
        self._randbelow = randbelow
        self._wrapping = AESGCM(self.sub("person keys"))
        self._people: dict[str, Person] = {}
        self._named: dict[int, str] = {}
        self._destroyed = 0  # a key read before one was destroyed must not be kept after it
        self._lock = threading.Lock()
        self._derived: dict[str, bytes] = {}
        self.node = NodeKey(self.sub("node signature"))

    def sub(self, name: str) -> bytes:
        """A 32-byte key for one use, derived from the master key; the same name gives the same key."""
        return derived(self._master, name)

    def digest(self, name: str, value: str) -> bytes:
        """A keyed digest (HMAC-SHA256): finds equal values without telling them."""
        if (key := self._derived.get(name)) is None:
            key = self._derived[name] = self.sub(name)
        return hmac.new(key, value.encode(), sha256).digest()

    def person(self, resident_id: str, *, conn: Connection | None = None) -> Person:
        """The person's key, made at first use. Raises KeyMissing when it was destroyed in this process."""
        found = self._people.get(resident_id)
        return found if found is not None else self.people([resident_id], conn=conn)[resident_id]

    def known(self, resident_id: str) -> bool:
        """Whether this person has a key; none is made."""
        return resident_id in self._people or bool(self.people([resident_id], make=False))

    def people(
        self, resident_ids: Iterable[str], *, conn: Connection | None = None, make: bool = True
    ) -> dict[str, Person]:
        """Keys of many people by resident_id; with ``make`` False, those who have none are left out.

        ``conn``: a write transaction in which missing keys are made; None opens one where it is needed.
        """
        destroyed = self._destroyed
        wanted = dict.fromkeys(resident_ids)
        found = {rid: person for rid in wanted if (person := self._people.get(rid)) is not None}
        missing = [rid for rid in wanted if rid not in found]
        if missing:
            with self._ledger.seen(conn) as reading:
                stored = self._stored(reading, missing)
            self._remember(stored, destroyed)
            found |= stored
            missing = [rid for rid in missing if rid not in found]
        if missing and make:
            with self._ledger.on(conn) as writing:
                fresh = self._stored(writing, missing)  # made meanwhile by another thread
                fresh |= self._make(writing, [rid for rid in missing if rid not in fresh])
                after_commit(writing, lambda: self._remember(fresh, destroyed))
            found |= fresh
        return found

    def warm(self) -> None:
        """Take all people's keys into memory, as many as are kept there."""
        destroyed = self._destroyed
        query = select(person_key.c.resident_id).where(person_key.c.resident_id.is_not(None)).limit(_CACHE - 1)
        with self._ledger.read() as conn:
            self._remember(self._stored(conn, list(conn.execute(query).scalars())), destroyed)

    def resident(self, number: int) -> str | None:
        """Who carries this number; None once erased."""
        if (known := self._named.get(number)) is not None:
            return known
        with self._ledger.read() as conn:
            found = conn.execute(select(person_key.c.resident_id).where(person_key.c.person == number)).scalar()
        return str(found) if found is not None else None

    def seal(self, resident_id: str, data: bytes, context: str, *, conn: Connection | None = None) -> bytes:
        """Data sealed under the person's key and bound to its context (elsewhere it does not open)."""
        return sealed(self.person(resident_id, conn=conn).cipher, data, context)

    def unseal(self, resident_id: str, data: bytes, context: str) -> bytes:
        """What was sealed. Raises KeyMissing when the person's key is gone or the data is not theirs."""
        person = self.people([resident_id], make=False).get(resident_id)
        if person is None:
            raise KeyMissing("the key of this person was destroyed", mend="nothing: what it sealed is erased")
        return unsealed(person.cipher, data, context)

    def destroy(self, resident_id: str, *, conn: Connection | None = None) -> int | None:
        """Destroy a person's key and the link from their number; returns the number, None when there was none.

        Everything sealed under it is unreadable from then on, in backups of the journal too. Call
        `Ledger.scrub` after the transaction, so that no copy stays in the write-ahead file.
        """
        with self._ledger.on(conn) as writing:
            number = writing.execute(
                select(person_key.c.person).where(person_key.c.resident_id == resident_id)
            ).scalar()
            if number is None:
                return None
            change = update(person_key).where(person_key.c.person == number)
            writing.execute(change.values(resident_id=None, wrapped=None, gone_at=self._clock()))
            self._forget(resident_id, int(number))
            after_commit(writing, lambda: self._forget(resident_id, int(number)))
        return int(number)

    def scrub(self) -> None:
        """Leave no destroyed key behind in the ledger's files (`Ledger.scrub`)."""
        self._ledger.scrub(person_key)

    def _stored(self, conn: Connection, resident_ids: list[str]) -> dict[str, Person]:
        found: dict[str, Person] = {}
        columns = select(person_key.c.person, person_key.c.resident_id, person_key.c.wrapped)
        if len(resident_ids) > 5_000:  # one pass is quicker than many lookups
            rows: Iterable[Any] = conn.execute(columns.where(person_key.c.resident_id.is_not(None)))
            wanted = set(resident_ids)
            rows = [row for row in rows if row.resident_id in wanted]
        else:
            rows = [
                row
                for start in range(0, len(resident_ids), 500)
                for row in conn.execute(columns.where(person_key.c.resident_id.in_(resident_ids[start : start + 500])))
            ]
        for number, resident_id, wrapped in rows:
            try:
                key = self._wrapping.decrypt(wrapped[:12], wrapped[12:], _bound(number, resident_id))
            except InvalidTag as error:
                raise KeyMissing(
                    "a person's key does not open with this master key",
                    where=f"person number {number}",
                    mend="restore the master key that belongs to this ledger",
                ) from error
            found[resident_id] = Person(int(number), AESGCM(key))
        return found

    def _make(self, conn: Connection, resident_ids: list[str]) -> dict[str, Person]:
        if not resident_ids:
            return {}
        count = int(conn.execute(select(func.count()).select_from(person_key)).scalar_one())
        space = max(_SMALLEST_SPACE, 1 << (4 * (count + len(resident_ids))).bit_length())
        taken = (
            {int(n) for n in conn.execute(select(person_key.c.person)).scalars()} if len(resident_ids) > 50 else None
        )
        now = self._clock()
        made: dict[str, Person] = {}
        rows = []
        for resident_id in resident_ids:
            number = 0
            while number == 0 or self._taken(conn, taken, number):
                number = self._randbelow(space)
            if taken is not None:
                taken.add(number)
            key = secrets.token_bytes(32)
            nonce = secrets.token_bytes(12)
            wrapped = nonce + self._wrapping.encrypt(nonce, key, _bound(number, resident_id))
            rows.append({"person": number, "resident_id": resident_id, "wrapped": wrapped, "made_at": now})
            made[resident_id] = Person(number, AESGCM(key))
            if taken is None:
                conn.execute(person_key.insert(), rows.pop())
        if rows:
            conn.execute(person_key.insert(), rows)
        return made

    @staticmethod
    def _taken(conn: Connection, taken: set[int] | None, number: int) -> bool:
        if taken is not None:
            return number in taken
        same = select(person_key.c.person).where(person_key.c.person == number)
        return conn.execute(same).first() is not None

    def _remember(self, people: dict[str, Person], destroyed: int) -> None:
        with self._lock:
            if destroyed != self._destroyed:
                return
            if len(self._people) + len(people) > _CACHE:
                self._people.clear()
                self._named.clear()
            self._people.update(people)
            self._named.update({person.number: rid for rid, person in people.items()})

    def _forget(self, resident_id: str, number: int) -> None:
        with self._lock:
            self._destroyed += 1
            self._people.pop(resident_id, None)
            self._named.pop(number, None)


def sealed(cipher: AESGCM, data: bytes, context: str) -> bytes:
    """Nonce and AES-256-GCM ciphertext, bound to the context."""
    nonce = secrets.token_bytes(12)
    return nonce + cipher.encrypt(nonce, data, context.encode())


def unsealed(cipher: AESGCM, data: bytes, context: str) -> bytes:
    """What `sealed` sealed. Raises KeyMissing when key, data or context do not belong together."""
    try:
        return cipher.decrypt(data[:12], data[12:], context.encode())
    except (InvalidTag, ValueError) as error:
        raise KeyMissing("it does not open with this key", mend="was it moved here from elsewhere?") from error


def _bound(number: int, resident_id: str) -> bytes:
    return f"{number}/{resident_id}".encode()
