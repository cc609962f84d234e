"""The declaration of the app: what it is called, what it asks for, what it looks for, how its alarms are handled."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from hucheng.apps import App, Panel
from hucheng.apps.care.detectors import ALARM, DETECT, DETECTORS, DEVICE
from hucheng.gate import Purpose

OWNER = "city.civil-affairs"

PURPOSES = (
    Purpose(
        DETECT,
        {"zh": "居家照护告警识别", "en": "Noticing that somebody at home needs help"},
        "老年人权益保障法 第38条；个人信息保护法 第13条第1项、第28条、第29条，本人单独同意 "
        "(Law on the Rights of the Elderly art. 38; PIPL arts. 13(1), 28, 29: separate consent)",
        OWNER,
        ("service",),
        standing=True,
    ),
    Purpose(
        "care.respond",
        {"zh": "照护告警处置", "en": "Responding to a care alarm"},
        "老年人权益保障法 第38条；个人信息保护法 第13条第4项（紧急情况下保护生命健康） "
        "(Law on the Rights of the Elderly art. 38; PIPL art. 13(4): life and health in an emergency)",
        OWNER,
        ("officer",),
        needs_case=True,
    ),
)


def _pages(shell: Any) -> Any:
    """The app's own pages; imported only where a site is built."""
    return import_module("hucheng.apps.care.pages").pages(shell)


async def _alarm(services: Any, principal: Any, view: Any) -> dict[str, Any]:
    """What a responder must know, read for this case: the person, the home, the readings, whom to call."""
    values: dict[str, Any] = await import_module("hucheng.apps.care.pages").alarm(services, principal, view)
    return values


async def _device(services: Any, principal: Any, view: Any) -> dict[str, Any]:
    """What somebody must know who looks after the device: where it is and when it spoke last."""
    values: dict[str, Any] = await import_module("hucheng.apps.care.pages").device(services, principal, view)
    return values


FOLDER = Path(__file__).parent

app = App(
    name="care",
    titles={"zh": "居家照护", "en": "Care at home"},
    folder=FOLDER,
    purposes=PURPOSES,
    detectors=DETECTORS,
    processes={ALARM: "care_alarm.bpmn", DEVICE: "care_device.bpmn"},
    panels={
        ALARM: Panel({"zh": "照护告警", "en": "Care alarm"}, "alarm.html", _alarm),
        DEVICE: Panel({"zh": "设备告警", "en": "Device trouble"}, "device.html", _device),
    },
    pages=_pages,
    help=("home.help", "help"),
    shown_first="home.blood_pressure",
)
