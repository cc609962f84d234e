"""Keys: what is sealed opens for its person and its place only, and never again once the key is destroyed."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hucheng.base.keys import ENVIRONMENT, Keys, derived, master_key, signed
from hucheng.base.ledger import Ledger
from hucheng.errors import KeyMissing, SettingsError

MASTER = bytes(range(32))


def test_the_master_key_is_made_once_for_the_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    path = tmp_path / "keys" / "master.key"
    first = master_key(path)
    assert len(first) == 32
    assert first == master_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["master.key"]
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="others may read"):
        master_key(path)


def test_the_environment_wins_and_nonsense_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    assert master_key(tmp_path / "none") == MASTER
    monkeypatch.setenv(ENVIRONMENT, "short")
    with pytest.raises(SettingsError, match="32 bytes"):
        master_key(tmp_path / "none")


def test_sub_keys_differ_by_name_and_are_stable() -> None:
    assert derived(MASTER, "a") != derived(MASTER, "b")
    assert derived(MASTER, "a") == derived(MASTER, "a")


@pytest.fixture(scope="module")
def keys() -> Iterator[Keys]:
    ledger = Ledger("sqlite://")
    yield Keys(ledger, MASTER)
    ledger.close()


@given(data=st.binary(max_size=300), context=st.text(max_size=20))
@settings(deadline=None)
def test_what_is_sealed_opens_in_its_place_only(keys: Keys, data: bytes, context: str) -> None:
    body = keys.seal("R1", data, context)
    assert keys.unseal("R1", body, context) == data
    keys.person("R2")
    for who, where, what in [("R2", context, body), ("R1", context + "x", body), ("R1", context, body[:-1] + b"!!")]:
        with pytest.raises(KeyMissing):
            keys.unseal(who, what, where)


def test_keys_survive_a_restart_and_another_master_opens_nothing(ledger: Ledger) -> None:
    body = Keys(ledger, MASTER).seal("R1", b"tea", "here")
    assert Keys(ledger, MASTER).unseal("R1", body, "here") == b"tea"
    with pytest.raises(KeyMissing, match="master key"):
        Keys(ledger, MASTER[::-1]).unseal("R1", body, "here")


def test_a_destroyed_key_is_gone_and_its_number_is_never_used_again(ledger: Ledger) -> None:
    draws = iter([7, 7, 7, 8, 8, 9])
    keys = Keys(ledger, MASTER, randbelow=lambda _space: next(draws))
    body = keys.seal("R1", b"tea", "here")
    assert keys.person("R1").number == 7
    assert keys.destroy("R1") == 7
    keys.scrub()
    for reading in (keys, Keys(ledger, MASTER)):
        with pytest.raises(KeyMissing, match="destroyed"):
            reading.unseal("R1", body, "here")
        assert reading.resident(7) is None
    assert keys.destroy("R1") is None
    assert keys.person("R2").number == 8  # 7 was drawn again, and refused
    assert keys.person("R1").number == 9  # the same person anew is somebody else
    with pytest.raises(KeyMissing):
        keys.unseal("R1", body, "here")


@pytest.mark.parametrize("reading", ["people", "warm"])
def test_a_key_destroyed_while_it_is_read_is_not_kept(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, reading: str
) -> None:
    body = Keys(ledger, MASTER).seal("R1", b"tea", "here")
    keys = Keys(ledger, MASTER)
    stored = keys._stored

    def destroying(conn: Any, resident_ids: list[str]) -> Any:
        monkeypatch.setattr(keys, "_stored", stored)
        found = stored(conn, resident_ids)
        keys.destroy("R1")
        return found

    monkeypatch.setattr(keys, "_stored", destroying)
    keys.people(["R1"], make=False) if reading == "people" else keys.warm()
    with pytest.raises(KeyMissing, match="destroyed"):
        keys.unseal("R1", body, "here")


def test_keys_made_in_a_transaction_that_fails_are_forgotten(ledger: Ledger) -> None:
    keys = Keys(ledger, MASTER)
    with pytest.raises(RuntimeError), ledger.begin() as conn:
        keys.seal("R1", b"tea", "here", conn=conn)
        raise RuntimeError
    assert keys.people(["R1"], make=False) == {}


def test_many_people_get_different_numbers_in_a_dense_space(ledger: Ledger) -> None:
    keys = Keys(ledger, MASTER)
    people = keys.people([f"R{n}" for n in range(6000)])
    numbers = {person.number for person in people.values()}
    assert len(numbers) == 6000
    assert 0 not in numbers
    assert max(numbers) < 1 << 16
    assert keys.people(["R1", "R5999", "nobody"], make=False).keys() == {"R1", "R5999"}
    assert keys.resident(people["R17"].number) == "R17"


def test_a_signature_is_the_nodes_own() -> None:
    ledger = Ledger("sqlite://")
    node = Keys(ledger, MASTER).node
    signature = node.sign(b"so it was")
    assert signed(node.public, b"so it was", signature)
    assert not signed(node.public, b"so it was not", signature)
    assert not signed(node.public, b"so it was", signature[:-1])
    assert not signed(Keys(ledger, MASTER[::-1]).node.public, b"so it was", signature)
    ledger.close()
