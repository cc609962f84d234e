"""Forecasts: valid submissions from whatever history, from that history only, and labelled where data carry little."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from hucheng.apps.epidemic.forecasts import forecast as forecasting
from hucheng.apps.epidemic.forecasts import learned, spread
from hucheng.apps.epidemic.forecasts.implausible import believed
from hucheng.apps.epidemic.forecasts.rows import nothing
from hucheng.apps.epidemic.forecasts.scaling import counts_of, rooted
from hucheng.apps.epidemic.scores import submissions
from hucheng.apps.epidemic.series import Series, population, vintages
from hucheng.cli import front
from hucheng.errors import BadRequest
from hucheng.files import read, write

REFERENCE = date(2022, 3, 5)
"""A Saturday before anything that ships was known: forecasts rest on the history alone, and are quick."""
LATER = date(2026, 3, 7)


def weekly(values: Any, places: tuple[str, ...] | None = None, until: date = REFERENCE - timedelta(7)) -> Series:
    """Weekly counts (T, P) of which the last week ends on ``until``."""
    grid = np.atleast_2d(np.asarray(values, float))
    days = np.datetime64(until) - np.arange(len(grid))[::-1] * np.timedelta64(7, "D")
    return Series(days.astype("datetime64[D]"), places or tuple(f"p{n}" for n in range(grid.shape[1])), grid, 7)


def waves(places: int = 12, weeks: int = 60, seed: int = 0) -> np.ndarray:
    """Epidemic-like counts: a wave of random height and time in each place."""
    rng = np.random.default_rng(seed)
    t = np.arange(weeks)[:, None]
    peak, width, height = rng.uniform(20, 50, places), rng.uniform(4, 9, places), rng.uniform(20, 900, places)
    return rng.poisson(2 + height * np.exp(-0.5 * ((t - peak) / width) ** 2)).astype(float)


def valid(made: forecasting.Forecast) -> None:
    """Rising, not negative, not infinite."""
    assert np.isfinite(made.quantiles).all() and (made.quantiles >= 0).all()
    assert (np.diff(made.quantiles, axis=2) >= 0).all()
    assert made.quantiles.shape[1:] == (4, 23)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(2, 30), st.integers(0, 10_000), st.data())
def test_any_history_gives_a_valid_forecast_or_a_reason(places: int, weeks: int, seed: int, data: Any) -> None:
    rng = np.random.default_rng(seed)
    values = rng.poisson(rng.uniform(0, 50), (weeks, places)).astype(float)
    for _ in range(data.draw(st.integers(0, 6))):
        values[data.draw(st.integers(0, weeks - 1)), data.draw(st.integers(0, places - 1))] = np.nan
    try:
        made = forecasting.forecast(weekly(values), REFERENCE, elsewhere=nothing())
    except BadRequest as error:
        assert error.mend
        return
    valid(made)
    assert set(made.places) == {name for name, how in made.made.items() if how != "refused"}
    assert all(made.why[name] for name, how in made.made.items() if how != "model")


def test_a_long_history_of_many_places_is_forecast_by_the_model_and_the_same_each_time() -> None:
    values = waves()
    made = forecasting.forecast(weekly(values), REFERENCE, elsewhere=nothing())
    valid(made)
    assert set(made.made.values()) == {"model"}
    again = forecasting.forecast(weekly(values), REFERENCE, elsewhere=nothing())
    np.testing.assert_array_equal(made.quantiles, again.quantiles)


def test_how_places_are_called_and_ordered_changes_nothing() -> None:
    values = waves(places=9)
    made = forecasting.forecast(weekly(values), REFERENCE, elsewhere=nothing())
    turned = np.random.default_rng(3).permutation(9)
    other = forecasting.forecast(
        weekly(values[:, turned], places=tuple(f"q{n}" for n in range(9))), REFERENCE, elsewhere=nothing()
    )
    assert other.places == tuple(f"q{n}" for n in range(9))
    np.testing.assert_array_equal(other.quantiles, made.quantiles[turned])


def test_it_beats_the_baseline_on_waves_it_has_not_seen() -> None:
    from hucheng.apps.epidemic.scores import wis

    values = waves(places=30, weeks=80, seed=5)
    lost = {"model": 0.0, "flat": 0.0}
    for end in (38, 44, 50):
        until = REFERENCE - timedelta(7)
        made = forecasting.forecast(weekly(values[:end], until=until), REFERENCE, elsewhere=nothing())
        for step in range(4):
            truth = values[end + step]
            lost["model"] += wis.parts(spread.LEVELS, made.quantiles[:, step], truth).wis.sum()
            lost["flat"] += np.abs(truth - values[end - 1]).sum()
    assert lost["model"] < 0.7 * lost["flat"]


def test_twenty_points_of_one_place_get_the_wide_baseline_and_say_so() -> None:
    made = forecasting.forecast(weekly(np.arange(20.0)[:, None] + 5), REFERENCE, elsewhere=nothing())
    valid(made)
    assert made.made == {"p0": "baseline"} and "too few" in made.why["p0"]
    assert made.quantiles[0, 0, 0] < 24 < made.quantiles[0, 0, -1]


def test_what_was_learned_elsewhere_carries_a_short_history() -> None:
    made = forecasting.forecast(weekly([[30.0, 5], [36, 4]], until=LATER - timedelta(7)), LATER)
    valid(made)
    assert set(made.made.values()) == {"model"}


def test_nothing_is_used_that_was_not_known_before_the_reference_date() -> None:
    assert len(learned.before(date(2023, 10, 14))) == 0 or len(learned.before(date(2000, 1, 1))) == 0
    early, late = learned.before(date(2024, 6, 1)), learned.before(date(2026, 1, 1))
    assert len(early) < len(late)
    week = np.datetime64("2024-06-01").astype("datetime64[D]").astype(int) // 7
    assert (early.week + early.known[:, -1]).max() < week


def test_places_that_stopped_reporting_are_not_modelled() -> None:
    values = waves(places=6)
    values[-1, 0] = np.nan
    values[-12:, 1] = np.nan
    made = forecasting.forecast(weekly(values), REFERENCE, elsewhere=nothing())
    assert (made.made["p0"], made.made["p1"], made.made["p2"]) == ("baseline", "refused", "model")
    assert "p1" not in made.places and "no report" in made.why["p1"]


@pytest.mark.parametrize(
    ("series", "reference", "message"),
    [
        (weekly([[1.0], [2.0]]), REFERENCE + timedelta(28), "nothing was reported for the"),
        (weekly([[1.0], [2.0]]), REFERENCE + timedelta(1), "weeks end on a Saturday"),
        (weekly([[1.0], [2.0]]), date(2020, 1, 4), "nothing was reported before"),
        (weekly([[np.nan], [np.nan]]), REFERENCE, "nothing was reported before"),
        (weekly([[5.0]]), REFERENCE, "two weeks of reports"),
    ],
)
def test_what_cannot_carry_a_forecast_is_refused_with_the_reason(series: Series, reference: date, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        forecasting.forecast(series, reference, elsewhere=nothing())


def test_days_are_summed_to_weeks_that_end_like_the_reference_date() -> None:
    days = np.datetime64("2026-01-01") + np.arange(60) * np.timedelta64(1, "D")
    daily = Series(days, ("a",), np.ones((60, 1)), 1)
    found, notes = forecasting.weeks_before(daily, date(2026, 2, 25))
    assert found.step == 7 and found.days[-1] == np.datetime64("2026-02-18")
    assert found.values[-1, 0] == 7 and notes[0].kind == "later"


def test_a_last_report_far_from_all_others_is_not_believed_until_it_is_repeated() -> None:
    values = np.full((10, 5), 400.0)
    values[-1, 2] = 2400
    scale = np.full(5, 50.0)
    found, doubted = believed(values, scale)
    assert doubted.tolist() == [False, False, True, False, False]
    assert found[-1, 2] == pytest.approx(400, rel=0.01)
    confirmed, doubted = believed(np.vstack([values, values[-1:]]), scale)
    assert not doubted.any() and confirmed[-1, 2] == 2400
    steep = values.copy()
    steep[-3:, 2] = [150, 600, 2400]
    assert not believed(steep, scale)[1].any(), "a place that went up as steeply the week before goes on"
    everywhere = np.vstack([values[:-1], np.full((1, 5), 1200.0)])
    assert not believed(everywhere, scale)[1].any(), "where all places jump, it is the epidemic"


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=8), st.floats(0.001, 4000))
def test_roots_and_counts_are_inverse(counts: list[float], scale: float) -> None:
    given_counts = np.array(counts)
    found = counts_of(rooted(given_counts, np.full(len(counts), scale)), np.full(len(counts), scale))
    np.testing.assert_allclose(found, given_counts, rtol=1e-6, atol=1e-6 * scale)


def _file(path: Path, series: Series, as_of: date | None = None) -> list[dict[str, str]]:
    rows = [
        {"date": str(day), "location": place, "value": f"{series.values[week, at]:g}"}
        | ({"as_of": str(as_of)} if as_of else {})
        for week, day in enumerate(series.days)
        for at, place in enumerate(series.places)
    ]
    write(pa.Table.from_pylist(rows), path)
    return rows


def run(*words: Any) -> Any:
    return CliRunner().invoke(front, ["epidemic", "forecast", *map(str, words)])


def test_the_command_writes_a_submission_a_report_and_a_chart(tmp_path: Path) -> None:
    _file(tmp_path / "counts.csv", weekly(waves(places=8)))
    out = tmp_path / f"{REFERENCE}-team-model.csv"
    done = run("--observed", tmp_path / "counts.csv", "--reference-date", REFERENCE, "--target", "wk inc cases",
               "--model", "team-model", "--out", out, "--chart", tmp_path / "fan.svg")  # fmt: skip
    assert done.exit_code == 0, done.output
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "reference_date", "target", "horizon", "target_end_date", "location", "output_type", "output_type_id", "value",
    ]  # fmt: skip
    assert len(rows) == 8 * 4 * 23
    assert {row["target"] for row in rows} == {"wk inc cases"} and {row["output_type"] for row in rows} == {"quantile"}
    assert [row["output_type_id"] for row in rows[:3]] == ["0.01", "0.025", "0.05"]
    assert {(row["horizon"], row["target_end_date"]) for row in rows} == {
        (str(step), str(REFERENCE + timedelta(7 * step))) for step in range(4)
    }
    whole = submissions.complete(submissions.folder(out), spread.LEVELS)
    assert whole.tasks.num_rows == 32 and not whole.crossing.any() and whole.tasks["model"][0].as_py() == "team-model"
    report = json.loads((tmp_path / f"{REFERENCE}-team-model.report.json").read_text())
    assert report["places"]["p0"] == {"made_by": "model", "why": None}
    assert "<svg" in (tmp_path / "fan.svg").read_text()


def test_each_version_is_forecast_from_its_own_rows_only(tmp_path: Path) -> None:
    values = waves(places=8)
    dates = [REFERENCE - timedelta(7), REFERENCE]
    rows = _file(tmp_path / "a.parquet", weekly(values[:-1], until=dates[0] - timedelta(7)), dates[0])
    rows += _file(tmp_path / "b.parquet", weekly(values, until=dates[1] - timedelta(7)), dates[1])
    write(pa.Table.from_pylist(rows), tmp_path / "both.parquet")
    for source in ("both", "b"):
        done = run("--vintages", tmp_path / f"{source}.parquet", "--target", "x", "--model", "m-m", "--workers", 1,
                   "--out", tmp_path / source)  # fmt: skip
        assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "both").glob("*.csv")) == [f"{one}-m-m.csv" for one in dates]
    assert (tmp_path / "both" / f"{REFERENCE}-m-m.csv").read_bytes() == (
        tmp_path / "b" / f"{REFERENCE}-m-m.csv"
    ).read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--target", "x", "--model", "m"], "give --observed FILE with --reference-date, or --vintages"),
        (["--observed", "counts.csv", "--target", "x", "--model", "m"], "needs --reference-date"),
        (
            ["--observed", "counts.csv", "--reference-date", "7.3.2026", "--target", "x", "--model", "m"],
            "is not a date",
        ),
        (["--observed", "counts.csv", "--reference-date", REFERENCE, "--target", "x", "--model", "m/x"], "no model id"),
        (["--observed", "gone.csv", "--reference-date", REFERENCE, "--target", "x", "--model", "m"], "cannot read"),
    ],
)
def test_what_the_command_cannot_do_it_says(
    words: list[Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _file(Path("counts.csv"), weekly(waves(places=3, weeks=10)))
    done = run(*words, "--out", "out.csv")
    assert done.exit_code == 2 and message in done.output, done.output
    assert not Path("out.csv").exists()


def test_a_version_from_the_future_is_refused(tmp_path: Path) -> None:
    _file(tmp_path / "v.csv", weekly(waves(places=3)), REFERENCE - timedelta(14))
    done = run("--vintages", tmp_path / "v.csv", "--target", "x", "--model", "m-m", "--out", tmp_path / "o")
    assert done.exit_code == 2 and "from the future" in done.output


def test_real_versions_are_forecast_better_than_the_hub_baseline(shared_data: Callable[[str], Path]) -> None:
    """One date in the rise and one after the peak: mean WIS below the baseline's on the same tasks."""
    from hucheng.apps.epidemic.scores import score as scoring

    people = population(read(shared_data("epidemic/forecast/locations.csv")))
    known = dict(vintages(read(shared_data("epidemic/forecast/flusight_truth_asof.parquet"))))
    came = scoring.truth(read(shared_data("epidemic/forecast/flusight_truth_final.csv")).drop_columns(["weekly_rate"]))
    rivals = submissions.folder(shared_data("epidemic/forecast/flusight_forecasts.parquet"))
    from hucheng.apps.epidemic.forecasts import hubverse

    mine = [
        submissions.read(hubverse.table(forecasting.forecast(known[one], one, people), "x"), "ours")
        for one in (date(2023, 12, 2), date(2025, 2, 22))
    ]
    forecasts = submissions.complete(pa.concat_tables([*mine, rivals]), spread.LEVELS)
    scores = scoring.score(forecasts, came)
    baseline = scoring.baseline_of(sorted(set(scores["model"].to_pylist())))
    for season in scoring.summary(scores, forecasts, baseline, ["ours"]):
        assert season["models"][0]["ratio"] < 1 and season["models"][0]["ratio_log"] < 0.9
