"""The gate: who may see what, for what; every use and every refusal is in the journal."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from gate.gatekit import PULSE, City, purpose
from hucheng.base.contracts import Use
from hucheng.errors import BadRequest, HuchengError, Refused, Unavailable, UnknownDataset
from hucheng.gate import CaseFacts, Read
from hucheng.gate.columns import Columns

RESIDENTS = "city.residents"
MANDATES = "city.mandates"


def row(**where: Any) -> Read:
    return Read(RESIDENTS, "row", where)


def refusal(city: City, name: str, why: str, *reads: Read, **more: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        city.gate.look(city.who(name), why, list(reads), **more)
    return caught.value


def mandate(city: City, **more: Any) -> None:
    given = {
        "mandate_id": "m-1", "carer": "wang", "resident_id": "R1", "scopes": ["readings"],
        "valid_from": city.clock.now, "valid_to": None,
    }  # fmt: skip
    city.registers.put(MANDATES, [{**given, **more}])


def test_a_resident_sees_her_own_row_and_reads_afterwards_that_she_did(city: City) -> None:
    (rows,) = city.gate.look(city.who("chen"), "self.access", [row()])
    assert [(r["resident_id"], r["address"]) for r in rows] == [("R1", "柳树路 1 号")]
    (line,) = city.lines("chen")
    assert (line.kind, line.purpose, line.principal, line.datasets) == ("look", "self.access", "chen", (RESIDENTS,))
    assert "PIPL" in line.basis
    assert line.counts == {"rows": 1, "people": 1}


@pytest.mark.parametrize("asked", ["R2", "R999", "R1' OR '1'='1", ""])
def test_another_residents_id_is_refused_alike_whether_there_is_one_or_not(town: City, asked: str) -> None:
    for more in ({}, {"person": asked}):
        error = refusal(town, "chen", "self.access", row(resident_id=asked), **more)
        assert error.details["policy"] == "self.access"
        assert error.details["needed"] == "to be the resident herself"


def test_a_refusal_is_in_the_journal_and_the_one_asked_about_can_read_it(city: City) -> None:
    refusal(city, "zhang", "self.access", row(resident_id="R1"))
    (line,) = city.lines("chen")
    assert (line.kind, line.result, line.principal, line.policy) == ("refused", "refused", "zhang", "self.access")


def test_a_made_up_id_leaves_no_person_in_the_journal(town: City) -> None:
    before = town.keys.people(["R999"], make=False)
    refusal(town, "chen", "self.access", row(resident_id="R999"))
    assert before == town.keys.people(["R999"], make=False) == {}
    assert town.desk.heads(town.who("zhou"), 1)[0].kind == "refused"


def test_an_officer_sees_people_with_a_case_in_her_own_community_only(city: City) -> None:
    li = city.who("li")
    (rows,) = city.gate.look(li, "cases.work", [Read(RESIDENTS, "rows")])
    assert [r["resident_id"] for r in rows] == ["R1"]
    assert set(rows[0]) == {"resident_id", "name", "community", "grid"}
    asked = Read(RESIDENTS, "rows", {"resident_id": ["R1", "R2", "R3"]})
    (rows,) = city.gate.look(li, "cases.work", [asked])
    assert [r["resident_id"] for r in rows] == ["R1"]
    city.cases.held["c-3"] = CaseFacts("c-3", "test.alarm", "R3", False, None, "east")
    (rows,) = city.gate.look(li, "cases.work", [asked])
    assert [r["resident_id"] for r in rows] == ["R1", "R3"]
    (rows,) = city.gate.look(li, "cases.work", [Read(RESIDENTS, "rows", {"community": "east"})])
    assert [r["resident_id"] for r in rows] == ["R1", "R3"]
    assert len(city.lines("chen")) == 4
    assert city.lines("zhang") == []
    assert refusal(city, "li", "cases.work", row(resident_id="R2")).details["needed"].startswith("a person or case in")
    neighbour = refusal(city, "li", "cases.work", row(resident_id="R5"))
    assert neighbour.details["policy"] == "cases.work.officer"
    assert neighbour.details["needed"] == "a case of that resident in the officer's own area"


def test_an_officer_of_the_city_sees_those_with_a_case_in_all_communities(town: City) -> None:
    (rows,) = town.gate.look(town.who("sun"), "cases.work", [Read(RESIDENTS, "rows")])
    assert [r["resident_id"] for r in rows] == ["R1", "R2"]


def test_a_purpose_with_a_case_needs_it_open_about_this_person_in_this_area(city: City) -> None:
    (rows,) = city.gate.look(city.who("li"), "test.respond", [row()], case="c-1")
    assert rows == [{"resident_id": "R1", "name": "居民1", "address": "柳树路 1 号", "phone": "01"}]
    (line,) = city.lines("chen")
    assert line.case == "c-1"
    assert refusal(city, "li", "test.respond", row()).details["policy"] == "purpose.case"
    assert refusal(city, "li", "test.respond", row(), case="c-0").details["policy"] == "purpose.case"
    assert refusal(city, "li", "test.respond", row(), case="nothing").details["policy"] == "purpose.case"
    other = refusal(city, "li", "test.respond", row(resident_id="R3"), case="c-1", person="R3")
    assert other.details == {
        "policy": "test.respond",
        "needed": "the resident of that case",
        "needed_zh": "该居民",
        "journaled": True,
    }
    away = refusal(city, "li", "test.respond", row(), case="c-2")
    assert away.details["needed"] == "the officer's own area, or to have been called"
    city.cases.held["c-1"] = structs.replace(city.cases.held["c-1"], open=False)
    assert refusal(city, "li", "test.respond", row(), case="c-1").details["policy"] == "purpose.case"


def test_whoever_was_called_for_the_case_sees_what_it_needs(town: City) -> None:
    (rows,) = town.gate.look(town.who("wang"), "test.respond", [row()], case="c-1")
    assert rows[0]["phone"] == "01"


def test_a_mandate_opens_what_it_covers_as_long_as_it_lasts(city: City) -> None:
    refused = refusal(city, "wang", "test.family", row(resident_id="R1"))
    assert refused.details["needed"] == "a mandate in force; a mandate that covers readings"
    mandate(city, scopes=["alarms"])
    refused = refusal(city, "wang", "test.family", row(resident_id="R1"))
    assert refused.details["needed"] == "a mandate that covers readings"
    mandate(city, valid_to=city.clock.now + timedelta(days=1))
    (rows,) = city.gate.look(city.who("wang"), "test.family", [row(resident_id="R1")])
    assert rows[0]["name"] == "居民1"
    assert refusal(city, "wang", "test.family", row(resident_id="R2")).details["policy"] == "test.family"
    city.clock.pass_(days=1)
    ended = refusal(city, "wang", "test.family", row(resident_id="R1"))
    assert "m-1" in ended.what
    assert ended.details["policy"] == "mandate.in-force"
    assert [line.result for line in city.lines("chen")] == ["refused", "given", "refused", "refused"]


def test_a_mandate_that_was_taken_back_in_the_register_is_named_too(town: City) -> None:
    mandate(town)
    town.clock.pass_(hours=1)
    town.registers.end(MANDATES, "m-1")
    ended = refusal(town, "wang", "test.family", row(resident_id="R1"))
    assert ended.details["policy"] == "mandate.in-force"


def test_a_carer_who_names_nobody_sees_those_in_her_care(town: City) -> None:
    mandate(town)
    mandate(town, mandate_id="m-2", resident_id="R3")
    (rows,) = town.gate.look(town.who("wang"), "test.family", [Read(RESIDENTS, "rows")])
    assert [r["resident_id"] for r in rows] == ["R1", "R3"]


def test_purposes_are_a_closed_list_with_users_and_ends(town: City) -> None:
    assert refusal(town, "li", "curiosity", row()).details["policy"] == "purpose.listed"
    assert refusal(town, "zhou", "cases.work", row()).details["policy"] == "purpose.kinds"
    assert town.gate.look(town.who("li"), "test.brief", [row(resident_id="R1")])
    town.clock.now = town.clock.now.replace(day=2)
    assert refusal(town, "li", "test.brief", row(resident_id="R1")).details["policy"] == "purpose.in-force"


def test_a_dataset_without_a_use_for_the_purpose_stays_shut(town: City) -> None:
    error = refusal(town, "li", "cases.work", Read(PULSE, "recent", {"resident_id": "R1"}))
    assert error.details["policy"] == "contract.use"
    with pytest.raises(UnknownDataset):
        town.gate.look(town.who("li"), "cases.work", [Read("city.dragons")])


@pytest.mark.parametrize("name", ["phone", "address", "1=1 OR name", "born"])
def test_what_one_may_not_see_one_may_not_search_by(town: City, name: str) -> None:
    for read in (Read(RESIDENTS, "rows", {name: "x"}), Read(RESIDENTS, "rows", order=name)):
        error = refusal(town, "li", "cases.work", read)
        assert error.details["policy"] == "contract.fields"


@pytest.mark.parametrize("value", ["' OR 1=1 --", '"; DROP TABLE register; --', "%", ["east' --"], {"$ne": ""}])
def test_sql_in_a_search_box_is_just_a_value(town: City, value: Any) -> None:
    assert town.gate.look(town.who("li"), "cases.work", [Read(RESIDENTS, "rows", {"name": value})]) == [[]]
    assert len(town.registers.all(RESIDENTS)) == 40


def test_a_principal_who_left_is_refused_at_once_and_nobody_can_promote_himself(town: City) -> None:
    li = town.who("li")
    forged = structs.replace(li, kind="operator", roles=("bureau", "analyst"), org=("cn", "lj"))
    assert refusal_of(lambda: town.gate.look(forged, "cases.inspect", [row()])).details["policy"] == "purpose.kinds"
    town.principals.end("li")
    assert refusal_of(lambda: town.gate.look(li, "cases.work", [row()])).details["policy"] == "principal.in-force"
    stranger = structs.replace(li, id="nobody")
    assert refusal_of(lambda: town.gate.look(stranger, "cases.work", [row()])).details["policy"] == "principal.known"


def refusal_of(act: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        act()
    return caught.value


def test_a_store_that_gives_somebody_elses_rows_hands_out_nothing(town: City) -> None:
    class Leaky:
        def rows(self, contract: Any, read: Any, scope: Any) -> list[dict[str, Any]]:
            return [{"resident_id": "R2", "name": "张"}]

    town.gate.register_store("register", Leaky())
    error = refusal(town, "chen", "self.access", row())
    assert error.details["policy"] == "control.applies"


@pytest.mark.parametrize("whose", ["R2", None])
def test_columns_of_somebody_else_or_of_nobody_are_not_handed_out_either(town: City, whose: str | None) -> None:
    class Leaky:
        def rows(self, contract: Any, read: Any, scope: Any) -> Columns:
            return Columns(1, {"resident_id": whose}, {"value": np.array([70.0])})

    town.gate.register_store("lake", Leaky())
    error = refusal(town, "chen", "self.access", Read(PULSE, "recent"))
    assert error.details["policy"] == "control.applies"


def test_nothing_is_handed_out_when_the_journal_cannot_take_the_entry(town: City) -> None:
    town.journal.close()
    with pytest.raises(HuchengError, match="journal"):
        town.gate.look(town.who("chen"), "self.access", [row()])
    blind = town.gate_with(journal=None)
    with pytest.raises(Unavailable):
        blind.look(town.who("chen"), "self.access", [row()])


def test_deeds_are_permitted_by_policy_and_written_down(city: City) -> None:
    city.gate.authorise(city.who("li"), "cases.take", case="c-1", context={"note": "on my way"})
    (line,) = city.lines("chen")
    assert (line.kind, line.action, line.case, line.detail) == ("deed", "cases.take", "c-1", {"note": "on my way"})
    for name, action, case in [
        ("zhao", "cases.take", "c-1"),
        ("li", "cases.take", "c-0"),
        ("chen", "cases.close", "c-1"),
        ("li", "requests.accept", None),
        ("op", "cases.fly", None),
    ]:
        error = refusal_of(lambda n=name, a=action, c=case: city.gate.authorise(city.who(n), a, case=c))
        assert error.details["policy"]
        assert error.details["needed"]
    city.gate.authorise(city.who("wang"), "cases.take", case="c-1")
    city.gate.authorise(city.who("li"), "test.ring")


def test_an_appeal_is_for_the_resident_or_her_mandate(town: City) -> None:
    town.gate.authorise(town.who("chen"), "decisions.appeal", person="R1")
    assert refusal_of(lambda: town.gate.authorise(town.who("zhang"), "decisions.appeal", person="R1"))
    mandate(town, scopes=["decisions.appeal"])
    town.gate.authorise(town.who("wang"), "decisions.appeal", person="R1")


def test_what_an_app_brings_is_a_request_until_the_bureau_accepts_it(town: City) -> None:
    town.purposes.declare("late", [purpose("late.look", "officer")], "")
    contract = town.catalogue.get(RESIDENTS)
    assert [one.id for one in town.purposes.enrol()] == ["late.look"]
    assert refusal(town, "li", "late.look", row()).details["policy"] == "purpose.accepted"
    boss = town.who("boss")
    with pytest.raises(BadRequest, match="assessment"):
        town.gate.accept(boss, "purpose", "late.look", "fine")
    town.gate.accept(boss, "purpose", "late.look", "It shows nothing beyond what the desk sees anyway.")
    assert refusal(town, "li", "late.look", row()).details["policy"] == "contract.use"
    town.gate.refuse(boss, "purpose", "late.look", "no longer needed")
    assert refusal(town, "li", "late.look", row()).details["policy"] == "purpose.accepted"
    assert contract.id in town.catalogue
    states = {one.id: one.state for one in town.gate.requests(boss)}
    assert states["late.look"] == "refused"
    assert states["test.respond"] == states["self.access"] == "accepted"


def test_a_case_of_another_kind_of_facts_is_not_taken_on_trust(town: City) -> None:
    town.cases.held["c-9"] = CaseFacts("c-9", "test.alarm", "R2", True, "li", "west")
    error = refusal(town, "li", "test.respond", row(), case="c-9")
    assert error.details["needed"] == "the officer's own area, or to have been called"


def test_dates_and_lists_keep_their_kind(town: City) -> None:
    (rows,) = town.gate.look(town.who("chen"), "self.access", [row()])
    assert rows[0]["born"] == date(1941, 2, 1)


def test_a_long_history_is_read_page_by_page_newest_first(town: City, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_PAGE", 3), ("_STRETCHES", 1)):
        monkeypatch.setattr(f"hucheng.gate.rights.{name}", value)
    for n in range(10):
        town.gate.authorise(town.who("li"), "cases.note", case="c-1", context={"n": n})
        town.gate.authorise(town.who("zhao"), "cases.note", case="c-2")
    assert [line.detail["n"] for line in town.lines("chen")] == list(range(9, -1, -1))
    assert [line.detail["n"] for line in town.desk.of_person(town.who("chen"), "R1", 3) if line.detail] == [9]


def test_what_an_app_s_dataset_grants_to_a_purpose_of_the_house_must_be_accepted(town: City) -> None:
    uses = town.catalogue.get(PULSE).uses
    town.purposes.declare("test", (), "", [PULSE])
    look = lambda: town.gate.look(town.who("chen"), "self.access", [Read(PULSE, "last")])  # noqa: E731
    assert [(one.kind, one.id) for one in town.purposes.enrol() if one.kind == "uses"] == [("uses", "test")]
    assert refusal_of(look).details["policy"] == "uses.accepted"
    town.gate.accept(town.who("boss"), "uses", "test", "A resident sees her own readings, and nobody else does.")
    assert look()
    boss = town.purposes.requests()
    uses["cases.work"] = Use("cases.work", ("resident_id", "metric", "value"))
    town.purposes.declare("test", (), "", [PULSE])  # as after a start with the new contract
    assert [(one.kind, one.id) for one in town.purposes.enrol() if one.state == "requested"] == [("uses", "test")]
    assert {one.id: one.digest for one in boss if one.app == "base"} == {
        one.id: one.digest for one in town.purposes.requests() if one.app == "base"
    }
    read = Read(PULSE, "recent", {"resident_id": "R1"})
    assert refusal(town, "li", "cases.work", read).details["policy"] == "uses.accepted"


def test_only_what_is_accepted_is_published(town: City) -> None:
    town.purposes.declare("late", [purpose("late.look", "officer")], "")
    town.purposes.enrol()
    published = {one.id for one in town.gate.purposes()}
    assert "late.look" not in published and {"self.access", "test.respond"} <= published
    town.gate.accept(town.who("boss"), "purpose", "late.look", "It shows nothing beyond what the desk sees anyway.")
    assert "late.look" in {one.id for one in town.gate.purposes()}
    town.gate.refuse(town.who("boss"), "purpose", "late.look", "on trial")
    assert "late.look" not in {one.id for one in town.gate.purposes()}


def test_a_deed_about_nobody_says_in_the_open_what_was_done_and_nothing_that_was_typed(town: City) -> None:
    boss = town.who("boss")
    town.purposes.declare("late", [purpose("late.look", "officer")], "")
    town.purposes.enrol()
    town.gate.accept(boss, "purpose", "late.look", "It shows nothing beyond what the desk sees anyway.")
    assert town.desk.heads(town.who("zhou"), 1)[0].detail == {"kind": "purpose", "id": "late.look"}
    with pytest.raises(HuchengError):
        town.gate.refuse(boss, "purpose", "chen of Willow Street", "no such thing")
    assert town.desk.heads(town.who("zhou"), 1)[0].detail == {}
    town.gate.authorise(town.who("op"), "registers.write", context={"name": "居民1"})
    assert town.desk.heads(town.who("zhou"), 1)[0].detail == {}


def test_a_refusal_inside_an_open_view_is_journaled_once(town: City) -> None:
    seen = town.gate.open(town.who("chen"), "self.access", [RESIDENTS])
    with pytest.raises(Refused):
        seen.row(Read(RESIDENTS, "row", {"nickname": "x"}))
    (line,) = town.lines("chen")
    assert (line.kind, line.action, line.policy) == ("refused", "read", "contract.fields")
    groups = town.gate.open(town.who("li"), "test.groups", [RESIDENTS])
    with pytest.raises(Refused):
        groups.table  # noqa: B018 - it is the look that is refused
    (head,) = town.desk.heads(town.who("zhou"), 1)
    assert (head.kind, head.action, head.policy) == ("refused", "bulk", "contract.smallest-group")
    with pytest.raises(Refused):
        town.gate.look(town.who("chen"), "self.access", [Read(RESIDENTS, "row", {"nickname": "x"})])
    assert len([line for line in town.lines("chen") if line.kind == "refused"]) == 2


def test_a_refused_view_of_many_says_so_and_what_that_purpose_needs(town: City) -> None:
    error = refusal_of(lambda: town.gate.open(town.who("li"), "city.statistics", [RESIDENTS]))
    assert (error.details["policy"], error.details["needed"]) == ("city.statistics", "the role analyst")
    (head,) = town.desk.heads(town.who("zhou"), 1)
    assert (head.kind, head.action) == ("refused", "bulk")
    alone = refusal_of(lambda: town.gate.open(town.who("li"), "cases.work", [RESIDENTS], person="R2"))
    assert alone.details["policy"] == "cases.work.officer"


def test_reading_the_journal_has_its_legal_basis_in_the_entry(town: City) -> None:
    town.desk.of_person(town.who("chen"), "R1")
    town.desk.heads(town.who("zhou"), 1)
    heads = {line.purpose: line.basis for line in town.desk.heads(town.who("zhou"), 5)}
    assert "44" in heads["rights.journal"] and "54" in heads["audit.review"]
