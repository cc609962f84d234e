"""What the homes' devices would say: pure, by seed and time, so that the same second always says the same.

A mattress speaks every five minutes, a motion sensor every ten, a button once a day that it lives, a cuff twice a day,
a vital-sign set once. Now and then comes a story: somebody presses the button, lies ill, leaves the bed and does not
come back, or a mattress falls silent. Nothing here is measured on anybody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from hashlib import blake2b
from zoneinfo import ZoneInfo

from msgspec import Struct

DAY_S, HOUR_S = 86_400, 3_600
PERIOD_S = {"home.bed": 300, "home.motion": 600}
STORY_LASTS_S = 45 * 60
STORIES = ("help", "vitals", "bed_exit", "silence")
"""What happens by default; ``crisis`` (a blood pressure of 186 over 104) may be asked for."""
UNITS = {
    "systolic_bp": "mm[Hg]", "diastolic_bp": "mm[Hg]", "heart_rate": "/min", "respiratory_rate": "/min",
    "oxygen_saturation": "%", "on_oxygen": "1", "consciousness": "1", "body_temperature": "Cel",
    "in_bed": "1", "motion": "1", "help": "1",
}  # fmt: skip
ILL = {
    "respiratory_rate": 25, "oxygen_saturation": 91, "on_oxygen": 0, "systolic_bp": 104, "heart_rate": 116,
    "consciousness": 0, "body_temperature": 38.6,
}  # fmt: skip
WANTS = {
    "help": "home.help",
    "vitals": "home.vitals",
    "bed_exit": "home.bed",
    "silence": "home.bed",
    "crisis": "home.blood_pressure",
}


class Device(Struct, frozen=True):
    """One simulated device and the gateway that carries it."""

    device_id: str
    dataset: str
    gateway: str
    home: str


class Said(Struct, frozen=True):
    """One reading as a gateway sends it; ``urgent`` ones go alone and at once."""

    device: Device
    metric: str
    second: int
    value: float
    urgent: bool = False


@dataclass(frozen=True)
class Story:
    """Something that happens in one home from a second on."""

    kind: str
    device: Device
    second: int


class Signals:
    """All devices of a city. ``every_s``: seconds between two stories, 0 for none."""

    def __init__(
        self,
        devices: Iterable[Device],
        seed: int,
        *,
        every_s: int = 180,
        stories: Iterable[str] = STORIES,
        zone: ZoneInfo = ZoneInfo("Asia/Shanghai"),
    ) -> None:
        self.devices = tuple(devices)
        self.seed = seed
        self.every_s = every_s
        self.kinds = tuple(stories)
        self.zone = zone
        self._of: dict[str, list[Device]] = defaultdict(list)
        self._due: dict[tuple[int, int], list[Device]] = defaultdict(list)
        for device in self.devices:
            self._of[device.dataset].append(device)
            for period, phase in self._phases(device):
                self._due[period, phase].append(device)

    def said(self, after: int, until: int) -> Iterator[Said]:
        """Everything said in the seconds (after, until], in order of time; seconds since 1970."""
        for second in range(after + 1, until + 1):
            here = self._local(second)
            for period in (*sorted(set(PERIOD_S.values())), DAY_S):
                place = here if period == DAY_S else second
                for device in self._due.get((period, place % period), ()):
                    yield from self._speaks(device, second)
            yield from self._happens(second)

    def measured(self, after: int, until: int) -> list[Said]:
        """What cuffs and vital-sign sets measured in the seconds (after, until], in order of time, without any story.

        The same as `said` gives of them, found without walking through every second.
        """
        found: list[Said] = []
        day = datetime.fromtimestamp(after, UTC).astimezone(self.zone).date()
        while (midnight := int(datetime.combine(day, time(), self.zone).timestamp())) <= until:
            for device in (*self._of["home.blood_pressure"], *self._of["home.vitals"]):
                for _, phase in self._phases(device):
                    if after < midnight + phase <= until:
                        found.extend(self._speaks(device, midnight + phase))
            day += timedelta(days=1)
        return sorted(found, key=lambda one: one.second)

    def announced(self, second: int) -> Iterator[Said]:
        """What every device that reports by itself says when it is switched on."""
        for device in self.devices:
            if device.dataset in (*PERIOD_S, "home.help"):
                yield from self._speaks(device, second)

    def story(self, second: int) -> Story | None:
        """What begins in this second, if anything does."""
        if not self.every_s or second % self.every_s or not self.kinds:
            return None
        number = second // self.every_s
        possible = [
            kind for kind in self.kinds if self._of[WANTS[kind]] and (kind != "bed_exit" or self._night(second))
        ]
        if not possible:
            return None
        kind = possible[number % len(possible)]
        among = self._of[WANTS[kind]]
        if number // len(possible) % 2 == 0:  # every other turn where the duty officer of the demo looks
            near = [device for device in among if device.gateway == self.devices[0].gateway]
            among = near or among
        return Story(kind, among[int(self._chance("story", kind, number) * len(among))], second)

    def _happens(self, second: int) -> Iterator[Said]:
        story = self.story(second)
        if story is None:
            return
        if story.kind == "help":
            yield Said(story.device, "help", second, 1, urgent=True)
        elif story.kind == "vitals":
            for metric, value in ILL.items():
                yield Said(story.device, metric, second, value, urgent=True)
        elif story.kind == "crisis":
            yield Said(story.device, "systolic_bp", second, 186, urgent=True)
            yield Said(story.device, "diastolic_bp", second, 104, urgent=True)
        elif story.kind == "bed_exit":
            for metric, value in (("in_bed", 1.0), ("respiratory_rate", 15.0), ("heart_rate", 66.0)):
                yield Said(story.device, metric, second, value)
            yield Said(story.device, "in_bed", second + 1, 0)

    def _speaks(self, device: Device, second: int) -> Iterator[Said]:
        speak: dict[str, Callable[[Device, int], Iterator[Said]]] = {
            "home.bed": self._bed,
            "home.motion": self._motion,
            "home.blood_pressure": self._cuff,
            "home.vitals": self._signs,
            "home.help": lambda one, at: iter((Said(one, "help", at, 0),)),
        }
        return speak[device.dataset](device, second)

    def _bed(self, device: Device, second: int) -> Iterator[Said]:
        running = {story.kind for story in self._running(second) if story.device == device}
        if "silence" in running:
            return
        if "bed_exit" in running or not self._asleep(device, second):
            yield Said(device, "in_bed", second, 0)
            return
        yield Said(device, "in_bed", second, 1)
        yield Said(device, "respiratory_rate", second, round(self._near(device, "breath", second, 15, 2), 1))
        yield Said(device, "heart_rate", second, round(self._near(device, "heart", second, 64, 6)))

    def _motion(self, device: Device, second: int) -> Iterator[Said]:
        hour = self._local(second) // HOUR_S
        likely = 0.03 if hour < 5 or hour >= 22 else 0.55
        yield Said(device, "motion", second, float(self._chance(device.device_id, second) < likely))

    def _cuff(self, device: Device, second: int) -> Iterator[Said]:
        own = self._chance(device.device_id, "level") * 24 - 8
        systolic = min(176, round(self._near(device, "sys", second, 132 + own, 9)))
        diastolic = min(106, systolic - 20, round(self._near(device, "dia", second, 78 + own / 3, 6)))
        yield Said(device, "systolic_bp", second, systolic)
        yield Said(device, "diastolic_bp", second, diastolic)
        yield Said(device, "heart_rate", second, round(self._near(device, "pulse", second, 72, 7)))

    def _signs(self, device: Device, second: int) -> Iterator[Said]:
        well = {
            "respiratory_rate": round(self._near(device, "breath", second, 16, 1)),
            "oxygen_saturation": min(100, round(self._near(device, "oxygen", second, 97, 0.5))),
            "on_oxygen": 0,
            "systolic_bp": round(self._near(device, "sys", second, 132, 7)),
            "heart_rate": round(self._near(device, "pulse", second, 72, 5)),
            "consciousness": 0,
            "body_temperature": round(self._near(device, "warmth", second, 36.7, 0.15), 1),
        }
        for metric, value in well.items():
            yield Said(device, metric, second, value)

    def _running(self, second: int) -> Iterator[Story]:
        if self.every_s:
            first = -(-(second - STORY_LASTS_S) // self.every_s) * self.every_s
            for begun in range(first, second + 1, self.every_s):
                if (story := self.story(begun)) is not None:
                    yield story

    def _asleep(self, device: Device, second: int) -> bool:
        """In bed from about half past nine to about six, but for one short walk; and for a nap after lunch."""
        own = self._chance(device.device_id, "habit")
        hour = self._local(second) / HOUR_S
        walk = 2 + 2 * own
        if walk <= hour < walk + 0.15:
            return False
        return hour >= 21 + own or hour < 5.5 + own or 12.8 + own / 2 <= hour < 13.5 + own / 2

    def _night(self, second: int) -> bool:
        hour = self._local(second) / HOUR_S
        return hour >= 22.5 or hour < 4.5

    def _phases(self, device: Device) -> list[tuple[int, int]]:
        def at(what: str, start: float, hours: float) -> tuple[int, int]:
            return DAY_S, int((start + self._chance(device.device_id, what) * hours) * HOUR_S)

        if (period := PERIOD_S.get(device.dataset)) is not None:
            return [(period, int(self._chance(device.device_id, "phase") * period))]
        if device.dataset == "home.blood_pressure":
            return [at("morning", 6.5, 2.5), at("evening", 18.5, 2.5)]
        return [at("daily", 8, 3)] if device.dataset == "home.vitals" else [at("daily", 0, 24)]

    def _local(self, second: int) -> int:
        """Second of the local day."""
        here = datetime.fromtimestamp(second, UTC).astimezone(self.zone)
        return here.hour * HOUR_S + here.minute * 60 + here.second

    def _chance(self, *about: object) -> float:
        """A number in [0, 1) that depends on the seed and on what it is about, and on nothing else."""
        body = "\0".join(str(part) for part in (self.seed, *about)).encode()
        return int.from_bytes(blake2b(body, digest_size=6).digest(), "big") / 2**48

    def _near(self, device: Device, what: str, second: int, middle: float, spread: float) -> float:
        """A value about the middle: the sum of three even chances, which is nearly normal."""
        three = sum(self._chance(device.device_id, what, second, turn) for turn in range(3))
        return middle + spread * (three - 1.5) * 2
