"""Nowcasts: calibrated where the truth is known, better than the count as reported, and never wise after the event."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import bench.now
import numpy as np
import polars
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner

from hucheng.apps.epidemic import nowcast, nowcast_fan, rt, rt_ribbon
from hucheng.apps.epidemic.now import filling, simulation, triangle
from hucheng.apps.epidemic.now.delays import Delay, generation, reporting
from hucheng.apps.epidemic.now.nowcast import LEVELS
from hucheng.apps.epidemic.now.nowcast import nowcast as now
from hucheng.apps.epidemic.scores import wis
from hucheng.apps.epidemic.series import Note
from hucheng.cli import front
from hucheng.errors import BadRequest

START = np.datetime64("2026-01-05")
LATE = np.array([0.05, 0.2, 0.25, 0.2, 0.15, 0.1, 0.05])


def late(counts: np.ndarray, rng: np.random.Generator, weekends: bool = False) -> triangle.Triangle:
    """Each case reported some days later; at weekends nothing is."""
    days, places = counts.shape
    known = np.zeros((days, days, places))
    for place in range(places):
        for at in range(days):
            when = at + rng.choice(len(LATE), int(counts[at, place]), p=LATE)
            if weekends:
                when = np.where(when % 7 >= 5, when + 7 - when % 7, when)
            np.add.at(known[:, at, place], when[when < days], 1)
    known = np.cumsum(known, axis=0)
    when = np.arange(days)
    known[when[:, None] < when[None, :]] = np.nan
    return triangle.Triangle(START + when, START + when, tuple(f"p{at}" for at in range(places)), known, 1)


def cut(seen: triangle.Triangle, last: int) -> triangle.Triangle:
    kept = seen.known[: last + 1, : last + 1]
    return triangle.Triangle(seen.versions[: last + 1], seen.days[: last + 1], seen.places, kept, seen.step)


def rows(seen: triangle.Triangle, by: str = "as_of") -> pa.Table:
    found = [
        {"event_date": day.item(), by: stood.item(), "location": place, "value": seen.known[v, t, p]}
        for v, stood in enumerate(seen.versions)
        for t, day in enumerate(seen.days)
        for p, place in enumerate(seen.places)
        if not np.isnan(seen.known[v, t, p])
    ]
    return pa.Table.from_pylist(found)


def test_shares_known_by_now_are_those_of_the_delay() -> None:
    rng = np.random.default_rng(2)
    seen = late(rng.poisson(300, (60, 3)).astype(float), rng)
    found = filling.shares(seen).share
    np.testing.assert_allclose(found[-7:][::-1].mean(axis=1), np.cumsum(LATE), atol=0.03)


@pytest.mark.parametrize("weekends", [False, True])
def test_intervals_hold_and_beat_the_count_as_reported(weekends: bool) -> None:
    rng = np.random.default_rng(3)
    inside, score, plain = [], [], []
    for shape in ("wave", "lockdown", "decline"):
        world = simulation.World(generation(5.2, 2.8), shape=shape, days=70, size=60)
        counts = np.stack([simulation.outbreak(world, rng).counts for _ in range(4)], axis=1)
        seen = late(counts, rng, weekends)
        for last in (54, 57, 60, 62):
            found = now(cut(seen, last), back=6)
            y = counts[last - 5 : last + 1].ravel()
            q = found.quantiles.reshape(-1, len(LEVELS))
            inside.append(wis.covered(LEVELS, q, y, 0.9).mean())
            score.append(wis.parts(LEVELS, q, y).wis.mean())
            plain.append(np.abs(found.reported.ravel() - y).mean())
    assert 0.8 <= np.mean(inside) <= 0.99
    assert np.mean(score) < 0.3 * np.mean(plain)


def test_a_day_without_a_report_yet_leans_on_its_neighbours() -> None:
    rng = np.random.default_rng(4)
    counts = rng.poisson(100, (60, 1)).astype(float)
    seen = cut(late(counts, rng), 50)
    seen.known[-1, -1] = 0
    found = now(seen, back=1)
    assert found.quantiles[0, 0, 2] < 100 < found.quantiles[0, 0, -3]
    assert found.quantiles[0, 0, 11] == pytest.approx(100, rel=0.25)


def revised(weeks: int, rng: np.random.Generator) -> tuple[pa.Table, np.ndarray]:
    """Versions of weekly counts that start 20 % off, up in place a and down in place b, and settle in three weeks."""
    final = rng.poisson(400 * np.exp(0.3 * np.sin(np.arange(weeks) / 5)), (2, weeks)).T.astype(float)
    lean = np.array([0.8, 1.2])
    found = []
    for stood in range(6, weeks + 1):
        for at in range(stood):
            age = stood - at
            share = 1 + (lean - 1) * max(0, 1 - (age - 1) / 3)
            found += [
                {"reference_date": (START + 7 * stood).item(), "location": "ab"[place],
                 "target_end_date": (START + 7 * at).item(), "value": round(final[at, place] * share[place])}
                for place in range(2)
            ]  # fmt: skip
    return pa.Table.from_pylist(found), final


def middle(found: pa.Table, place: str) -> np.ndarray:
    mine = [row for row in found.to_pylist() if row["location"] == place and row["output_type_id"] == 0.5]
    return np.array([row["value"] for row in mine])


def test_revisions_up_and_down_are_learned_for_each_place() -> None:
    table, final = revised(60, np.random.default_rng(5))
    found = nowcast(table, back=3)
    assert set(found.column("basis").to_pylist()) == {"revisions"}
    reported = {"a": 0.8, "b": 1.2}
    for at, place in enumerate("ab"):
        assert abs(middle(found, place)[-1] / final[-1, at] - 1) < 0.13
        assert abs(reported[place] - 1) == pytest.approx(0.2)


def test_what_comes_later_changes_nothing() -> None:
    table, _ = revised(40, np.random.default_rng(6))
    day = (START + 7 * 30).item()
    stood = table.column("reference_date").to_pylist()
    before = nowcast(table.filter(pa.array([one <= day for one in stood])))
    assert nowcast(table, as_of=day).equals(before)


def test_a_single_version_gets_a_wide_answer_that_is_called_assumed() -> None:
    table, _ = revised(6, np.random.default_rng(7))
    notes: list[Note] = []
    found = nowcast(table, notes=notes)
    assert set(found.column("basis").to_pylist()) == {"assumed"}
    assert notes[-1].kind == "assumed"
    mine = [row["value"] for row in found.to_pylist() if row["location"] == "a" and row["horizon"] == -1]
    assert mine[-2] > 1.3 * mine[1]


def test_a_delay_of_ones_own_is_used_as_it_is() -> None:
    counts = np.full(40, 200.0)
    own = Delay(np.array([0.0, 0.5, 0.5]))
    share = own.within(np.arange(39, -1, -1))
    seen = pa.table(
        {"event_date": START + np.arange(40), "as_of": [(START + 39).item()] * 40, "value": np.round(counts * share)}
    )
    found = nowcast(seen, delay=own, back=3)
    assert set(found.column("basis").to_pylist()) == {"delays"}
    assert middle(found, "all") == pytest.approx(200, rel=0.12)
    shares = [row["share"] for row in found.to_pylist() if row["output_type_id"] == 0.5]
    assert shares == [1.0, 0.5, 0.0]


def test_three_reports_are_answered_and_said_to_be_few() -> None:
    table = pa.table({"onset_date": ["2026-01-05", "2026-01-06", "2026-01-07"],
                      "report_date": ["2026-01-06", "2026-01-08", "2026-01-09"]})  # fmt: skip
    notes: list[Note] = []
    found = nowcast(table, notes=notes)
    value = found.column("value").to_numpy()
    assert set(found.column("basis").to_pylist()) == {"few reports"}
    assert notes[0].kind == "few"
    assert np.isfinite(value).all() and (value >= 0).all()


def test_quantiles_are_in_order_and_levels_can_be_chosen() -> None:
    table, _ = revised(30, np.random.default_rng(8))
    found = nowcast(table, levels=[0.9, 0.1, 0.5])
    assert sorted(set(found.column("output_type_id").to_pylist())) == [0.1, 0.5, 0.9]
    value = found.column("value").to_numpy().reshape(-1, 3)
    assert (np.diff(value, axis=1) >= 0).all()
    with pytest.raises(BadRequest, match="between 0 and 1"):
        nowcast(table, levels=[0.5, 1.0])
    with pytest.raises(BadRequest, match="cannot be nowcast"):
        nowcast(table, back=0)


@pytest.mark.parametrize("kind", [lambda t: t, polars.from_arrow, lambda t: t.to_pandas()])
def test_the_answer_is_the_kind_of_table_that_was_given(kind: Callable[[pa.Table], Any]) -> None:
    given = kind(revised(20, np.random.default_rng(9))[0])
    assert type(nowcast(given)) is type(given)


def test_r_takes_a_nowcast_with_its_shares() -> None:
    rng = np.random.default_rng(10)
    seen = cut(late(rng.poisson(200, (60, 1)).astype(float), rng), 59)
    found = nowcast(rows(seen), back=40)
    time = generation(5.2, 2.8)
    mended = rt(found, generation_time=time)
    counts = pa.table({"date": seen.days, "value": seen.known[-1, :, 0]})
    naive = rt(counts, generation_time=time)
    assert naive.column("R_0.5").to_numpy()[-1] < 0.8
    ends = mended.column("R_0.05").to_numpy()[-1], mended.column("R_0.95").to_numpy()[-1]
    assert ends[0] < 1 < ends[1]
    assert mended.column("R_0.5").to_numpy()[-4:] == pytest.approx(1, abs=0.2)


def test_real_vintages_are_nowcast_better_than_they_were_reported(shared_data: Callable[[str], Path]) -> None:
    """The goal of the bench, for the season whose counts were revised most: at most 0.6 of the error as reported."""
    shared_data("epidemic/forecast/flusight_truth_asof.parquet")
    bench.now.DATA = shared_data("epidemic/forecast/flusight_truth_asof.parquet").parents[1]
    score, plain, *_, nine, _ = bench.now.walked("flusight", date(2024, 9, 1), date(2025, 8, 1))
    assert score.mean() <= 0.6 * plain.mean()
    assert 0.85 < nine.mean() < 0.95


def test_the_command_reads_a_line_list_and_draws(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    listed = [
        {"onset_date": date(2026, 1, 5) + timedelta(at), "report_date": date(2026, 1, 5) + timedelta(at + int(wait)),
         "city": place}
        for at in range(40) for place in ("x", "y") for wait in rng.choice(7, rng.poisson(20), p=LATE)
        if at + wait < 40
    ]  # fmt: skip
    source, out, chart = tmp_path / "list.csv", tmp_path / "out.parquet", tmp_path / "c.svg"
    csv.write_csv(pa.Table.from_pylist(listed), source)
    words = ["epidemic", "nowcast", "--triangle", str(source), "--out", str(out), "--chart", str(chart)]
    done = CliRunner().invoke(front, words)
    assert done.exit_code == 0, done.output
    found = parquet.read_table(out)
    assert set(found.column("location").to_pylist()) == {"x", "y"}
    assert middle(found, "x")[-10:].mean() == pytest.approx(20, rel=0.3)
    assert "Nowcast, median" in chart.read_text(encoding="utf-8")


def test_an_own_delay_on_the_command_line(tmp_path: Path) -> None:
    table, _ = revised(20, np.random.default_rng(12))
    source, out = tmp_path / "v.csv", tmp_path / "o.csv"
    csv.write_csv(table, source)
    words = [
        "epidemic",
        "nowcast",
        "--triangle",
        str(source),
        "--out",
        str(out),
        "--delay-mean",
        "6",
        "--delay-sd",
        "3",
    ]
    assert CliRunner().invoke(front, words).exit_code == 0
    assert reporting(6, 3).mean == pytest.approx(6, abs=0.05)
    done = CliRunner().invoke(front, [*words, "--delay", str(source)])
    assert "given twice" in str(done.exception) + done.output


@pytest.mark.parametrize(("language", "word"), [("en", "Nowcast, median"), ("zh", "即时预测（中位数）")])
def test_figures_speak_both_languages_and_take_any_table(language: str, word: str) -> None:
    table, _ = revised(20, np.random.default_rng(13))
    frame: Any = polars.from_arrow(table)
    found = nowcast(frame)
    figure = nowcast_fan(frame, found, ["a"], language=language)
    assert word in {text.get_text() for text in figure.legends[0].get_texts()}
    r = rt(found, generation_time=(3, 1.5))
    assert len(rt_ribbon(r, language=language).axes) == 2
    with pytest.raises(BadRequest, match="no place “z”"):
        nowcast_fan(frame, found, ["z"])
    with pytest.raises(BadRequest, match="no place “z”"):
        rt_ribbon(r, ["z"])
