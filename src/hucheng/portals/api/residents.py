"""What there is about one resident: her row of the register, what is happening, devices, readings, the journal."""

from __future__ import annotations

from typing import Any

import msgspec

from hucheng.base.contracts import Metric
from hucheng.cases.views import CaseRow
from hucheng.errors import BadRequest, NotFound
from hucheng.gate import Read
from hucheng.gate.rights import Line
from hucheng.portals.about import OwnHelp, devices_of, own_help, purpose_of, row_of, rows_of, series
from hucheng.portals.calls import Api, Asked
from hucheng.portals.now import Now, happening

MOST_NAMES = 500
"""People who can be named in one call: as many as a page of the queue has."""


class Series(msgspec.Struct, frozen=True):
    """A dataset of readings that may be asked for, with what it measures."""

    id: str
    title: dict[str, str]
    metrics: dict[str, Metric]


def calls(api: Api) -> None:
    """What residents ask about themselves, carers and officers about them."""
    _register(api)
    _readings(api)

    @api.call("GET", "/residents/{resident_id}/now", Now, group="Residents", query="lang")
    async def now(asked: Asked) -> Any:
        """What is happening to a person now, in one sentence, in the language of `lang` or Accept-Language."""
        desk = asked.services.desk
        rows = await desk.of_person(asked.who, asked.path["resident_id"])
        return await happening(desk, asked.who, rows, asked.words, asked.now)

    @api.call("GET", "/residents/{resident_id}/cases", list[CaseRow], group="Residents")
    async def cases_of(asked: Asked) -> Any:
        """The cases about a person."""
        return await asked.services.desk.of_person(asked.who, asked.path["resident_id"])

    @api.call("GET", "/residents/{resident_id}/journal", list[Line], group="Residents", query="limit")
    async def journal_of(asked: Asked) -> Any:
        """Who looked at a person's data, why, and under which law."""
        limit = asked.whole("limit", 200, 1, 1000)
        return await asked.services.journal.of_person(asked.who, asked.path["resident_id"], limit)


def _register(api: Api) -> None:
    """What the registers hold about a person."""

    @api.call("GET", "/residents", list[dict[str, Any]], group="Residents", query="ids")
    async def residents(asked: Asked) -> Any:
        """The rows of the register of several people, `ids` parted by commas; whom one may not see is left out."""
        who = asked.who
        ids = [one for one in (asked.query.get("ids") or "").split(",") if one]
        if not 0 < len(ids) <= MOST_NAMES:
            raise BadRequest(f"name 1 to {MOST_NAMES} residents", where="?ids=", mend="parted by commas")
        return await rows_of(asked.services, who, ids)

    @api.call("GET", "/residents/{resident_id}", dict[str, Any], group="Residents")
    async def resident(asked: Asked) -> Any:
        """A person's row of the register: whole to herself, name and place to a carer, or an officer of her cases."""
        row = await row_of(asked.services, asked.who, asked.path["resident_id"])
        if row is None:
            raise NotFound("nobody of this number is in the register, or not for you")
        return row

    @api.call("GET", "/residents/{resident_id}/devices", list[dict[str, Any]], group="Residents")
    async def devices_about(asked: Asked) -> Any:
        """The devices that measure a person, and by which gateway."""
        return await devices_of(asked.services, asked.who, asked.path["resident_id"])

    @api.call("GET", "/residents/{resident_id}/help", OwnHelp, group="Residents")
    async def help_link(asked: Asked) -> Any:
        """The link of one's own help button; whoever holds it may call help until the device ends."""
        return await own_help(asked.shell, asked.who, asked.path["resident_id"])


def _readings(api: Api) -> None:
    """What devices have measured."""

    @api.call("GET", "/datasets", list[Series], group="Residents", query="purpose")
    async def datasets(asked: Asked) -> Any:
        """Which readings may be asked for under a `purpose`: titles, metrics, units, bounds. No person is in it."""
        who = asked.who
        purpose = asked.query.get("purpose") or purpose_of(who)
        return [Series(one.id, one.title, one.metrics) for one in series(asked.shell, purpose)]

    @api.call(
        "GET",
        "/residents/{resident_id}/readings",
        list[Any],
        group="Residents",
        query="dataset purpose since until limit case",
    )
    async def readings_of(asked: Asked) -> Any:
        """Readings of a person in one `dataset`; `purpose` is self.access or mandate.access where it is not given."""
        who = asked.who
        dataset = asked.query.get("dataset")
        if not dataset:
            raise BadRequest("name the dataset", where="?dataset=", mend="e.g. home.blood_pressure")
        contract = asked.services.catalogue.get(dataset)
        if contract.kind != "observation":
            raise BadRequest(f"{dataset} holds no readings", where="?dataset=")
        person = asked.path["resident_id"]
        read = Read(
            dataset,
            "recent",
            where={"resident_id": person},
            since=asked.instant("since"),
            until=asked.instant("until"),
            limit=asked.whole("limit", 500, 1, 10_000),
        )
        rows = await asked.services.gate.look(
            who, asked.query.get("purpose") or purpose_of(who), [read], case=asked.query.get("case"), person=person
        )
        return rows[0]
