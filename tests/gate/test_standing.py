"""Standing views: only the granted fields leave, and everybody who was watched finds it in her journal."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from gate.gatekit import PULSE, City, readings
from hucheng.errors import Refused, Unavailable
from hucheng.gate import Entry, Read
from hucheng.gate.entries import from_stream, to_stream
from hucheng.gate.standing import Crowd


def ids(people: list[str]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(people, pa.string())])


def stand(city: City, why: str = "test.watch", name: str = "node", **more: Any) -> Any:
    return city.gate.stand(city.who(name), why, PULSE, **more)


def test_opened_each_hour_with_counts_and_people_and_closed(city: City) -> None:
    view = stand(city)
    batch = view.select(readings().slice(0, 20))
    assert batch.column_names == ["resident_id", "device_id", "metric", "observed_at", "value"]
    view.seen(ids(["R1", "R2"]))
    assert city.lines("chen") == []  # it was opened, but nobody was seen yet
    city.clock.pass_(hours=1)
    view.seen(ids(["R1"]))
    (line,) = city.lines("chen")
    assert (line.kind, line.action, line.counts, line.purpose) == (
        "standing",
        "hourly",
        {"rows": 20, "people": 2},
        "test.watch",
    )
    assert len(city.lines("zhang")) == 1
    view.seen(ids(["R1"]))
    view.close()
    assert [line.action for line in city.lines("chen")] == ["closed", "hourly"]
    assert len(city.lines("zhang")) == 1
    heads = [head.action for head in city.desk.heads(city.who("zhou"), 20) if head.kind == "standing"]
    assert heads == ["closed", "hourly", "opened"]
    with pytest.raises(Refused, match="closed"):
        view.select(readings())


def test_a_condition_keeps_rows_back_from_the_stream(town: City) -> None:
    view = stand(town, "test.careful")
    result = view.select(readings()).to_pylist()
    expected = [r for r in readings().to_pylist() if r["value"] >= 60 and not r["simulated"]]
    assert result == [{"resident_id": r["resident_id"], "value": r["value"]} for r in expected]


def test_who_may_not_stand_is_refused(town: City) -> None:
    for name, why, more, policy in [
        ("li", "test.watch", {}, "purpose.kinds"),
        ("li", "test.careful", {}, "test.watch"),
        ("node", "cases.work", {}, "purpose.standing"),
        ("node", "test.watch", {"fields": ["unit"]}, "contract.fields"),
    ]:
        with pytest.raises(Refused) as caught:
            stand(town, why, name, **more)
        assert caught.value.details["policy"] == policy


def test_registers_come_with_the_granted_fields_opened_and_are_noted(city: City) -> None:
    view = stand(city)
    table = view.register("city.residents")
    assert table.column_names == ["resident_id", "born", "phone"]
    assert table.to_pylist()[0]["phone"] == "01"
    (line,) = city.lines("chen")
    assert (line.kind, line.action, line.counts["people"]) == ("standing", "register", 40)


def test_entries_travel_by_the_stream_and_count_once(town: City) -> None:
    sent: list[Entry] = []
    away = town.gate_with(journal=None, sink=sent.append)
    view = away.stand(town.who("node"), "test.watch", PULSE)
    view.seen(ids(["R1"]))
    town.clock.pass_(hours=2)
    view.seen(ids([]))
    assert [entry.action for entry in sent] == ["opened", "hourly"]
    messages = [message for entry in sent for message in to_stream(entry)]
    for _ in range(2):  # redelivered after a crash
        town.journal.append([from_stream(message) for message in messages])
    assert [line.action for line in town.lines("chen")] == ["hourly"]
    with pytest.raises(Unavailable):
        away.look(town.who("chen"), "self.access", [Read("city.residents")])


def test_many_people_travel_in_several_messages(town: City) -> None:
    people = [f"R{n}" for n in range(45_000)]
    entry = Entry(town.clock(), "standing", "node", "service", "lj", "test.watch", "law", people=people, ref="x")
    messages = to_stream(entry)
    assert len(messages) == 3
    assert all(len(message) < 1_000_000 for message in messages)
    back = [from_stream(message) for message in messages]
    assert sorted(rid for one in back for rid in one.people) == sorted(people)
    assert len({one.ref for one in back}) == 3


def test_what_could_not_be_sent_is_still_owed(town: City) -> None:
    sent: list[Entry] = []
    broken = [False]

    def sink(entry: Entry) -> None:
        if broken[0]:
            raise Unavailable("the stream is away")
        sent.append(entry)

    view = town.gate_with(journal=None, sink=sink).stand(town.who("node"), "test.watch", PULSE)
    view.seen(ids(["R1"]))
    broken[0] = True
    with pytest.raises(Unavailable):
        view.beat(town.clock() + timedelta(hours=1))
    broken[0] = False
    view.beat(town.clock() + timedelta(hours=1))
    assert list(sent[-1].people) == ["R1"]


def test_people_are_the_same_whether_their_names_come_in_a_dictionary_or_not() -> None:
    crowd, names = Crowd(), pa.array(["R1", "R2", "R3", "R4"])
    assert not crowd
    crowd.add(pa.DictionaryArray.from_arrays(pa.array([0, 0, 2], pa.int32()), names))
    crowd.add(pa.DictionaryArray.from_arrays(pa.array([3], pa.int32()), names))
    crowd.add(pa.DictionaryArray.from_arrays(pa.array([None, 0], pa.int32()), pa.array(["R9", "R8"])))
    crowd.add(pa.array(["R5", None]))
    assert crowd and sorted(crowd) == ["R1", "R3", "R4", "R5", "R9"]
