"""The devices say the same in the same second, within what their contracts allow, however often one asks."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from hucheng.apps.care.app import app
from hucheng.base.contracts import load_folder
from hucheng.city.feeds import BATCH, send
from hucheng.city.linjiang import linjiang
from hucheng.city.signals import STORIES, UNITS, Device, Said, Signals

CONTRACTS = {contract.id: contract for contract in load_folder(app.folder / "contracts")}
MIDNIGHT = int(datetime(2026, 3, 1, 16, 0, tzinfo=UTC).timestamp())  # 00:00 in Shanghai
DAY = 86_400
CITY = linjiang(6_000, 5, datetime(2026, 3, 1, tzinfo=UTC))
DEVICES = [Device(d["device_id"], d["dataset"], d["gateway_id"], d["home_id"]) for d in CITY.care.devices]


@pytest.fixture(scope="module")
def day() -> list[Said]:
    """A day of a small city, with a story every ten minutes."""
    return list(Signals(DEVICES, 5, every_s=600, stories=(*STORIES, "crisis")).said(MIDNIGHT, MIDNIGHT + DAY))


def test_cut_anywhere_they_say_the_same() -> None:
    whole = list(Signals(DEVICES, 5, every_s=300).said(MIDNIGHT, MIDNIGHT + 1_800))
    again = Signals(DEVICES, 5, every_s=300)
    parts = [one for cut in range(0, 1_800, 97) for one in again.said(MIDNIGHT + cut, MIDNIGHT + min(cut + 97, 1_800))]
    assert parts == whole
    assert whole != list(Signals(DEVICES, 6, every_s=300).said(MIDNIGHT, MIDNIGHT + 1_800))


def test_what_cuffs_remember_is_what_they_would_have_said() -> None:
    signals = Signals(DEVICES, 5, every_s=0)
    slow = ("home.blood_pressure", "home.vitals")
    said = [one for one in signals.said(MIDNIGHT + 30_000, MIDNIGHT + DAY + 40_000) if one.device.dataset in slow]
    remembered = signals.measured(MIDNIGHT + 30_000, MIDNIGHT + DAY + 40_000)
    assert sorted(remembered, key=repr) == sorted(said, key=repr)
    assert [one.second for one in remembered] == sorted(one.second for one in remembered)


def test_every_reading_keeps_its_contract(day: list[Said]) -> None:
    for one in day:
        metric = CONTRACTS[one.device.dataset].metrics[one.metric]
        assert metric.low <= one.value <= metric.high
        assert UNITS[one.metric] == metric.unit
        assert not metric.integer or one.value == int(one.value)


def test_no_device_is_silent_for_longer_than_agreed_but_in_a_story(day: list[Said]) -> None:
    heard = Counter(
        (one.device.device_id, one.second) for one in Signals(DEVICES, 5, every_s=0).said(MIDNIGHT, MIDNIGHT + DAY)
    )
    spoken = Counter(device for device, _ in heard)
    for device in DEVICES:
        least = {"home.bed": 288, "home.motion": 144, "home.help": 1, "home.blood_pressure": 2, "home.vitals": 1}
        assert spoken[device.device_id] == least[device.dataset]


def test_by_itself_nobody_is_in_crisis() -> None:
    for one in Signals(DEVICES, 5).said(MIDNIGHT, MIDNIGHT + DAY):
        if one.device.dataset == "home.blood_pressure":
            assert one.metric != "systolic_bp" or one.value < 180
            assert one.metric != "diastolic_bp" or one.value < 110


def test_stories_happen(day: list[Said]) -> None:
    assert any(one.metric == "help" and one.value == 1 for one in day)
    assert any(one.metric == "systolic_bp" and one.value >= 180 for one in day)
    assert any(one.metric == "respiratory_rate" and one.value >= 25 for one in day)


def test_every_other_turn_it_happens_where_the_demo_looks(day: list[Said]) -> None:
    signals = Signals(DEVICES, 5, every_s=60)
    stories = [story for second in range(MIDNIGHT, MIDNIGHT + DAY, 60) if (story := signals.story(second))]
    near = [story for story in stories if story.device.gateway == DEVICES[0].gateway]
    assert len(near) >= len(stories) / 2


def test_who_leaves_her_bed_in_a_story_stays_away() -> None:
    signals = Signals(DEVICES, 5, every_s=3_600, stories=("bed_exit",))
    story = signals.story(MIDNIGHT + 3_600)
    assert story is not None
    said = [one for one in signals.said(MIDNIGHT, MIDNIGHT + 3_600 + 2_400) if one.device == story.device]
    after = [one for one in said if one.second > story.second]
    assert after
    assert all(one.metric == "in_bed" and one.value == 0 for one in after)
    assert any(one.metric == "in_bed" and one.value == 1 and one.second == story.second for one in said)


def test_urgent_readings_go_alone_and_the_others_in_batches() -> None:
    sent: list[tuple[str, str, bytes]] = []
    signals = Signals(DEVICES, 5, every_s=60, stories=("help",))
    said = [*signals.announced(MIDNIGHT), *signals.said(MIDNIGHT, MIDNIGHT + 60)]
    assert send(said, lambda *message: sent.append(message)) == len(said)
    alone = [topic for _, topic, _ in sent if not topic.endswith("/batch")]
    assert len(alone) == 1
    assert all(topic.startswith(f"readings/{gateway}/") for gateway, topic, _ in sent)
    assert len(sent) <= len(said) / BATCH + 5 * len(CITY.gateways) + 1
