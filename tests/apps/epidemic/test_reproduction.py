"""R_t: equal to what is published and to what can be worked out, honest where data hardly speak, whatever the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet
import pytest
from bench.now import coverage, simulated
from click.testing import CliRunner

from hucheng.apps.epidemic import rt
from hucheng.apps.epidemic.now import breaks, cori, reproduction, simulation, weekdays
from hucheng.apps.epidemic.now.delays import Delay, generation, reporting
from hucheng.apps.epidemic.series import Columns, Note
from hucheng.cli import front
from hucheng.errors import BadRequest
from hucheng.files import read

TIME = generation(5.2, 2.8)
START = np.datetime64("2026-01-05")
SCHOOL = [1, 1, 0, 2, 5, 3, 3, 3, 6, 2, 5, 9, 13, 12, 13, 11, 12, 6, 6, 6, 3, 1, 0, 2, 0, 0, 0, 0, 2, 0, 2, 0]
SERIAL = [0.0, 0.233, 0.359, 0.198, 0.103, 0.053, 0.027, 0.014, 0.007, 0.003, 0.002, 0.001]


def table(counts: Any, place: str = "a", step: int = 1) -> pa.Table:
    days = START + step * np.arange(len(counts))
    return pa.table({"date": days, "location": [place] * len(counts), "value": np.asarray(counts, dtype=float)})


def growing(rate: float, days: int = 70, level: float = 200) -> np.ndarray:
    return np.round(level * np.exp(rate * (np.arange(days) - days / 2)))


def test_the_window_method_gives_epiestims_published_figures() -> None:
    """Anchor: EpiEstim, "Example 1 matches saved output" (influenza in a school, 2009; Cori et al. 2013)."""
    found = cori.cori(np.array(SCHOOL, dtype=float), Delay(np.array(SERIAL)))
    assert len(found.mean) == 25
    np.testing.assert_allclose(found.mean[[0, 1, 5, 13, 24]], [1.7356089, 1.7490494, 1.6349410, 0.8194289, 1.0040161],
                               rtol=1e-6)  # fmt: skip
    low, middle, high = found.quantiles(np.array([0.025, 0.5, 0.975]))
    np.testing.assert_allclose([low[0], middle[0], high[0]], [1.02863184, 1.7035760, 2.6244959], rtol=1e-6)
    np.testing.assert_allclose([low[24], middle[24], high[24]], [0.32600128, 0.9379335, 2.0565439], rtol=1e-6)


@pytest.mark.parametrize("rate", [-0.06, 0.0, 0.08])
@pytest.mark.parametrize("step", [1, 7])
def test_steady_growth_has_the_r_that_follows_from_it(rate: float, step: int) -> None:
    """Wallinga, Lipsitch 2007, Proc R Soc B 274, equation 2.7: 1 / R = sum of g_s exp(-r s)."""
    counts = growing(rate, 84)
    if step == 7:
        counts = counts.reshape(-1, 7).sum(axis=1)
    found = rt(table(counts, step=step), generation_time=TIME)
    late = {name: found.column(name).to_numpy()[len(counts) // 2] for name in found.column_names if name[0] in "Rg"}
    exact = 1 / (TIME.chances @ np.exp(-rate * np.arange(len(TIME.chances))))
    assert late["R_0.5"] == pytest.approx(exact, rel=0.06)
    assert late["R_0.05"] < exact < late["R_0.95"]
    assert late["growth_0.05"] < rate < late["growth_0.95"]


def test_a_delay_dates_r_by_infection() -> None:
    world = simulation.World(TIME, shape="lockdown", size=300, noise=0.01, weekend=False, delay=reporting(8, 2))
    series, truth = simulated(world, 6, 2)
    with_delay = coverage(series, truth, reproduction.Counted(TIME, world.delay), 7)
    without = coverage(series, truth, reproduction.Counted(TIME), 7)
    assert with_delay[0] > max(0.85, without[0] + 0.1)


@pytest.mark.parametrize("step", [1, 7])
def test_intervals_hold_most_of_the_truth_on_epidemics_the_model_does_not_assume(step: int) -> None:
    """The bench holds 90 % intervals to .90 ± .03 over many more outbreaks; here a look that takes seconds."""
    shares = [
        coverage(
            *simulated(simulation.World(TIME, shape=shape, days=90 if step == 1 else 140), 6, 7, step),
            reproduction.Counted(TIME), 7 // step,
        )[0]
        for shape in simulation.SHAPES
    ]  # fmt: skip
    assert 0.8 < np.mean(shares) < 0.98


def test_weekdays_are_learned_and_do_not_show_in_r() -> None:
    rng = np.random.default_rng(6)
    factor = np.array([1.3, 1.2, 1.1, 1.1, 1.0, 0.8, 0.5])
    counts = rng.poisson(100 * factor[np.arange(70) % 7]).astype(float)
    found = weekdays.factors(counts[:, None], np.arange(70) % 7)
    np.testing.assert_allclose(found[:, 0], factor, atol=0.08)
    r = rt(table(counts), generation_time=TIME).column("R_0.5").to_numpy()[7:-7]
    assert np.abs(np.log(r)).max() < 0.12


def test_days_with_few_cases_are_said_to_rest_on_assumptions() -> None:
    found = rt(table([0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0]), generation_time=TIME)
    assert set(found.column("basis").to_pylist()) == {"few cases"}
    width = found.column("R_0.95").to_numpy() - found.column("R_0.05").to_numpy()
    assert width.min() > 0.5
    many = rt(table([100.0] * 40), generation_time=TIME)
    assert many.column("basis").to_pylist()[-1] == "data"


def test_a_batch_of_old_cases_is_left_out_and_said() -> None:
    counts = np.full(50, 40.0)
    counts[30] = 900
    notes: list[Note] = []
    found = rt(table(counts), generation_time=TIME, notes=notes)
    assert [note.days for note in notes if note.kind == "batch"] == [(date(2026, 2, 4),)]
    basis = found.column("basis").to_pylist()
    assert basis[30] == "break" and basis[15] == "data" and basis[45] == "data"
    assert np.abs(np.log(found.column("R_0.5").to_numpy()[10:])).max() < 0.1


def test_another_case_definition_is_marked_around_its_day() -> None:
    rng = np.random.default_rng(8)
    counts = np.concatenate([rng.poisson(20, 30), rng.poisson(150, 30)]).astype(float)
    notes: list[Note] = []
    found = rt(table(counts), generation_time=TIME, notes=notes)
    shift = next(note for note in notes if note.kind == "shift")
    assert shift.days[0] == date(2026, 2, 4)
    basis = np.array(found.column("basis").to_pylist())
    assert (basis[26:35] == "break").all() and (basis[:20] == "data").all() and (basis[45:] == "data").all()


def test_fast_growth_is_no_break() -> None:
    rng = np.random.default_rng(9)
    for _ in range(30):
        counts = rng.poisson(5 * np.exp(0.25 * np.arange(25))).astype(float)
        assert not breaks.shifts(counts).any() and not breaks.batches(counts).any()


def test_the_peak_of_a_season_is_no_batch() -> None:
    weeks = np.arange(40)
    counts = np.round(3000 * np.exp(-np.abs(weeks - 20) * 0.69) + 5)
    assert not breaks.batches(counts).any()


def test_no_week_of_two_real_seasons_is_taken_for_a_batch(shared_data: Callable[[str], Path]) -> None:
    notes: list[Note] = []
    rows = read(shared_data("epidemic/forecast/flusight_truth_final.csv"))
    some = rows.filter(pa.array([place in ("US", "06", "33", "41") for place in rows.column("location").to_pylist()]))
    rt(some, generation_time=(3.0, 1.5), notes=notes)
    assert not [note for note in notes if note.kind in ("batch", "shift")]


def test_totals_that_fall_and_days_that_are_missing_are_answered_and_told() -> None:
    totals = np.cumsum(np.full(60, 30.0))
    totals[40] -= 200
    rows = table(totals).filter(pa.array(~np.isin(np.arange(60), [10, 11])))
    both = pa.concat_tables([rows, table(np.cumsum(np.full(60, 9.0)), "b")])
    notes: list[Note] = []
    found = rt(both, generation_time=TIME, notes=notes)
    assert {"fall", "gap", "cumulative"} <= {note.kind for note in notes}
    assert np.isfinite(found.column("R_0.5").to_numpy()).all()


def test_counts_that_never_fall_are_asked_about() -> None:
    notes: list[Note] = []
    rt(table(np.cumsum(np.arange(25.0))), generation_time=TIME, notes=notes)
    assert [note.kind for note in notes] == ["rising"]


def test_a_place_with_too_few_reports_gets_a_note_and_the_others_their_answer() -> None:
    notes: list[Note] = []
    rows = pa.concat_tables(
        [table([20.0] * 30), table([3.0, 4.0], "b"), table([0.0] * 30, "c"), table([5, 6, 8.0], "d")]
    )
    found = rt(rows, generation_time=TIME, notes=notes)
    assert set(found.column("location").to_pylist()) == {"a", "d"}
    assert {note.place for note in notes if note.kind == "short"} == {"b", "c"}
    with pytest.raises(BadRequest, match="no place has counts"):
        rt(table([0.0] * 20), generation_time=TIME)


def test_dates_after_today_are_left_out_and_told() -> None:
    notes: list[Note] = []
    found = rt(table([20.0] * 30), generation_time=TIME, today=date(2026, 1, 25), notes=notes)
    assert max(found.column("date").to_pylist()) == date(2026, 1, 25)
    assert [note.kind for note in notes] == ["future"]


def test_an_assumed_generation_time_is_said_and_one_of_zero_days_refused() -> None:
    notes: list[Note] = []
    rt(table([20.0] * 20), notes=notes)
    assert notes[0].kind == "assumed"
    with pytest.raises(BadRequest, match="chance of 0 days"):
        rt(table([20.0] * 20), generation_time=Delay(np.array([0.5, 0.5])))


def test_counts_that_are_still_filling_up_are_filled_by_the_reporting_delay() -> None:
    late = reporting(3, 2)
    whole = np.full(60, 200.0)
    seen = np.round(whole * late.within(np.arange(59, -1, -1)))
    naive = rt(table(seen), generation_time=TIME).column("R_0.5").to_numpy()
    mended = rt(table(seen), generation_time=TIME, reporting_delay=late).column("R_0.5").to_numpy()
    assert naive[-2] < 0.8
    assert mended[-3:] == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize("kind", [lambda t: t, polars.from_arrow, lambda t: t.to_pandas()])
def test_the_answer_is_the_kind_of_table_that_was_given(kind: Callable[[pa.Table], Any]) -> None:
    given = kind(table([20.0] * 20))
    assert type(rt(given, generation_time=TIME)) is type(given)


def test_the_same_seed_gives_the_same_answer() -> None:
    rows = table(growing(0.03, 30))
    assert rt(rows, generation_time=TIME).equals(rt(rows, generation_time=TIME))


def test_the_command_reads_files_of_ones_own_and_draws(tmp_path: Path) -> None:
    counts, times, out, chart = (tmp_path / name for name in ("c.csv", "g.csv", "r.parquet", "r.svg"))
    csv.write_csv(table(growing(0.05, 40)), counts)
    csv.write_csv(pa.table({"days": [1, 2, 3], "probability": [0.2, 0.5, 0.3]}), times)
    done = CliRunner().invoke(
        front, ["epidemic", "rt", "--observed", str(counts), "--out", str(out), "--generation", str(times),
                  "--chart", str(chart)],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    found = parquet.read_table(out)
    exact = 1 / (np.array([0.2, 0.5, 0.3]) @ np.exp(-0.05 * np.arange(1, 4)))
    assert found.column("R_0.5").to_numpy()[20] == pytest.approx(exact, rel=0.05)
    assert "Reproduction number" in chart.read_text(encoding="utf-8")
    first = chart.read_bytes()
    CliRunner().invoke(front, ["epidemic", "rt", "--observed", str(counts), "--out", str(out), "--generation",
                                 str(times), "--chart", str(chart)])  # fmt: skip
    assert chart.read_bytes() == first


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the file is empty"),
        ("date,value\n", "no rows"),
        ("a,b\n1,2\n", "no column says"),
        ("date,value\nx,1\n", "no dates"),
    ],
)
def test_files_that_cannot_be_understood_are_refused_in_words(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "c.csv"
    path.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(front, ["epidemic", "rt", "--observed", str(path), "--out", str(tmp_path / "o.csv")])
    assert done.exit_code != 0
    assert why in str(done.exception) + done.output


def test_half_a_generation_time_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    csv.write_csv(table([20.0] * 20), path)
    done = CliRunner().invoke(
        front, ["epidemic", "rt", "--observed", str(path), "--out", str(tmp_path / "o.csv"), "--generation-mean", "5"]
    )
    assert "half of the generation time" in str(done.exception) + done.output


def test_the_real_cities_are_answered_with_their_strange_days_told(shared_data: Callable[[str], Path]) -> None:
    notes: list[Note] = []
    rows = read(shared_data("epidemic/cases/china_city_day.csv.gz"))
    wuhan = rows.filter(pa.array([code in ("420100", "330300") for code in rows.column("cityCode").to_pylist()]))
    found = rt(wuhan, generation_time=TIME, named=Columns(cumulative=True), notes=notes)
    assert json.dumps([note.kind for note in notes])
    assert any(note.kind == "batch" and note.place == "420100" for note in notes)
    assert any(note.kind == "gap" and note.place == "420100" for note in notes)
    there = found.filter(pa.array([place == "330300" for place in found.column("location").to_pylist()]))
    assert there.column("R_0.5").to_numpy()[-1] < 1
