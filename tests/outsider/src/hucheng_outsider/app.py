"""The declaration: what it asks for, what it looks for, how its alarms are handled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hucheng.apps import App, Detector, Panel
from hucheng.gate import Gate, Purpose, Read
from hucheng_outsider.cold import Last, rooms_now

DETECT, RESPOND = "warmth.detect", "warmth.respond"


async def load(services: Any, principal: Any, view: Any) -> dict[str, Any]:
    """Where to go, read for this case."""
    person = view.row.resident_id
    reads = [Read("city.residents", "row", where={"resident_id": person})]
    found = await services.gate.look(principal, RESPOND, reads, case=view.row.id, person=person)
    return {"resident": found[0][0] if found[0] else {}}


def commands(beside: Any, options: Any) -> click.Group:
    """``hucheng warmth room CASE``: the room of an open case, as its officer sees it."""

    @click.group()
    def warmth() -> None:
        """Homes that are too cold."""

    @warmth.command()
    @click.argument("case")
    @options
    def room(case: str, home: Any, principal_id: str | None) -> None:
        """The last temperature in the room of this case."""
        with beside(home, principal_id) as node:
            reads = [Read("home.climate", "last")]
            found = node.ask(Gate, "gate").look(node.principal(), RESPOND, reads, case=case)[0]
        for row in found:
            click.echo(f"{row['value']:g} {row['unit']}")

    return warmth


app = App(
    name="warmth",
    titles={"zh": "居家保暖", "en": "Warm homes"},
    folder=Path(__file__).parent,
    purposes=(
        Purpose(
            DETECT,
            {"zh": "识别室温过低", "en": "Noticing a home that is too cold"},
            "个人信息保护法 第13条第1项，本人同意 (PIPL art. 13(1): consent)",
            "city.housing",
            ("service",),
            standing=True,
        ),
        Purpose(
            RESPOND,
            {"zh": "室温过低处置", "en": "Responding to a cold home"},
            "个人信息保护法 第13条第1项，本人同意 (PIPL art. 13(1): consent)",
            "city.housing",
            ("officer",),
            needs_case=True,
        ),
    ),
    detectors=(
        Detector(
            name="cold_home",
            dataset="home.climate",
            purpose=DETECT,
            pack="cold-home",
            outcome="cold",
            rule="cold_home",
            kind="warmth.alarm",
            facts=rooms_now,
            start=Last,
            registers=("city.residents",),
            metrics=("room_temperature",),
        ),
    ),
    commands=commands,
    panels={"warmth.alarm": Panel({"zh": "室温过低", "en": "Cold home"}, "cold.html", load)},
    processes={"warmth.alarm": "warmth_alarm.bpmn"},
)
