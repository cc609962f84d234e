"""Scores: equal to their definitions, to the published script on real forecasts, and fair where tasks are missing."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from hucheng.apps.epidemic.scores import compare, submissions, wis
from hucheng.apps.epidemic.scores import score as scoring
from hucheng.cli import front
from hucheng.errors import BadRequest

HUB = np.array([0.01, 0.025] + [round(0.05 * i, 2) for i in range(1, 20)] + [0.975, 0.99])
REFERENCE = date(2026, 1, 3)


@given(
    st.lists(st.floats(0, 1e4), min_size=23, max_size=23),
    st.floats(0, 1e4),
)
def test_the_score_is_twice_the_mean_pinball_loss_and_the_sum_of_its_parts(values: list[float], y: float) -> None:
    quantiles = np.sort(np.array([values]))
    found = wis.parts(HUB, quantiles, np.array([y]))
    miss = y - quantiles[0]
    assert found.wis[0] == pytest.approx(2 * np.where(miss >= 0, HUB * miss, (HUB - 1) * miss).mean(), abs=1e-6)
    # and, by its definition, the weighted sum of interval scores (Bracher et al. 2021, eq. 1 and 2)
    total = 0.5 * abs(y - quantiles[0, 11])
    for low, high, alpha in zip(quantiles[0, :11], quantiles[0, ::-1][:11], 2 * HUB[:11], strict=True):
        outside = 2 / alpha * max(low - y, 0) + 2 / alpha * max(y - high, 0)
        total += alpha / 2 * (high - low + outside)
    assert found.wis[0] == pytest.approx(total / 11.5, abs=1e-6)
    assert min(found.dispersion[0], found.overprediction[0], found.underprediction[0]) >= 0
    assert min(found.overprediction[0], found.underprediction[0]) == 0


@pytest.mark.parametrize("levels", [[0.1, 0.5], [0.1, 0.5, 0.8], [0.5, 0.1, 0.9], [0.0, 0.5, 1.0]])
def test_levels_that_are_no_intervals_are_refused(levels: list[float]) -> None:
    with pytest.raises(BadRequest, match="are not those of intervals"):
        wis.parts(np.array(levels), np.zeros((1, len(levels))), np.zeros(1))


def test_an_interval_that_is_not_among_the_levels_is_refused() -> None:
    with pytest.raises(BadRequest, match="no 37% interval"):
        wis.covered(HUB, np.zeros((1, 23)), np.zeros(1), 0.37)


def test_calibrated_forecasts_have_a_flat_transform_also_for_counts_of_zero() -> None:
    rng = np.random.default_rng(7)
    rate = rng.gamma(2.0, 1.0, 20_000)
    from scipy.stats import poisson

    quantiles = poisson.ppf(HUB[None, :], rate[:, None])
    y = rng.poisson(rate).astype(float)
    np.testing.assert_allclose(wis.pit(HUB, quantiles, y), 0.1, atol=0.02)
    assert wis.pit(HUB, quantiles, y + 30)[-1] == pytest.approx(1, abs=0.1)


def test_relative_scores_are_taken_on_shared_tasks_only() -> None:
    rng = np.random.default_rng(3)
    hard = np.concatenate([np.ones(80), np.full(20, 100.0)])
    whole = hard[:, None] * np.array([1.0, 0.8, 0.8]) * rng.uniform(0.99, 1.01, (100, 3))
    skips = whole.copy()
    skips[80:, 2] = np.nan  # a twin of the second model which skips what is hard
    assert np.nanmean(skips[:, 2]) < 0.1 * np.mean(skips[:, 1])
    found = compare.relative(skips, baseline=0)
    np.testing.assert_allclose(found, [1, 0.8, 0.8], atol=0.02)
    skips[70:, 2] = np.nan
    assert np.isnan(compare.relative(skips, baseline=0)[2]), "below three quarters of the tasks no figure is given"


def submission(model: str, shift: float, places: list[str], skip: int = 0, horizons: int = 4) -> pa.Table:
    """A hubverse table: normal quantiles around 100 + shift."""
    from scipy.stats import norm

    rows = [
        {
            "reference_date": str(REFERENCE), "target": "cases", "horizon": h, "location": place,
            "target_end_date": str(REFERENCE + timedelta(7 * h)), "output_type": "quantile",
            "output_type_id": f"{level:g}", "value": f"{100 + shift + 5 * norm.ppf(level):.4f}", "model_id": model,
        }
        for place in places[skip:]
        for h in range(horizons)
        for level in HUB
    ]  # fmt: skip
    return pa.Table.from_pylist(rows)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    places = [f"{n:02d}" for n in range(8)]
    for model, shift, skip in (("ours", 2, 1), ("simple-baseline", 12, 0), ("theirs", 5, 0)):
        folder = tmp_path / ("mine" if model == "ours" else "others") / model
        folder.mkdir(parents=True)
        csv.write_csv(
            submission(model, shift, places, skip).drop_columns(["model_id"]), folder / f"{REFERENCE}-{model}.csv"
        )
    rows = [
        {"target_end_date": REFERENCE + timedelta(7 * h), "location": place, "value": 100.0}
        for place in places
        for h in range(3)  # of the last horizon nobody knows yet
    ]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "truth.parquet")
    return tmp_path


def run(*words: Any) -> Any:
    return CliRunner().invoke(front, ["epidemic", "score", *map(str, words)])


def test_the_command_scores_a_folder_beside_others(files: Path) -> None:
    done = run(files / "mine", "--truth", files / "truth.parquet", "--against", files / "others", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    [season] = found["seasons"]
    assert season["baseline"] == "simple-baseline" and season["tasks"] == 24 and season["season"] == "2025/26"
    ours = next(one for one in season["models"] if one["model"] == "ours")
    assert (ours["tasks"], ours["complete"], ours["share"]) == (21, False, 21 / 24)
    assert ours["relative_wis"] < 1 and ours["relative_wis_log"] < 1
    assert ours["wis"] == pytest.approx(ours["dispersion"] + ours["overprediction"] + ours["underprediction"])
    assert [one["horizon"] for one in ours["horizons"]] == [0, 1, 2]
    told = run(files / "mine", "--truth", files / "truth.parquet", "--against", files / "others")
    assert "answers 87.5% of the tasks" in told.output


def test_the_report_stands_alone_in_both_languages(files: Path) -> None:
    page = files / "report.html"
    done = run(files / "mine", "--truth", files / "truth.parquet", "--against", files / "others", "--report", page)
    assert done.exit_code == 0, done.output
    text = page.read_text("utf-8")
    assert "预测得分" in text and "Scores of forecasts" in text and text.count("<svg") == 10
    assert "<script" not in text and 'src="' not in text and "只回答了 87.5 %" in text


def test_a_season_begins_when_it_is_told_to(files: Path) -> None:
    done = run(files / "mine", "--truth", files / "truth.parquet", "--season-starts", 1, "--json")
    assert [season["season"] for season in json.loads(done.output)["seasons"]] == ["2026"]


def _table(**change: Any) -> pa.Table:
    rows = submission("m", 0, ["a"], horizons=1).to_pylist()
    rows[3] |= change
    return pa.Table.from_pylist(rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"output_type_id": "1.5"}, "level is between 0 and 1"),
        ({"value": ""}, "must be there in each row"),
        ({"value": "many"}, "are no numbers"),
        ({"target_end_date": "2026-01-04"}, "target_end_date is not"),
        ({"location": ""}, "is empty"),
    ],
)
def test_a_malformed_row_is_named(change: dict[str, str], message: str) -> None:
    with pytest.raises(BadRequest, match=message) as caught:
        submissions.read(_table(**change))
    assert "row 4" in (caught.value.where or "row 4")


def test_a_quantile_twice_is_refused_and_one_missing_leaves_its_task_out() -> None:
    with pytest.raises(BadRequest, match="there twice"):
        submissions.complete(submissions.read(_table(output_type_id="0.01")), HUB)
    short = submission("m", 0, ["a", "b"], horizons=1).slice(1)
    found = submissions.complete(submissions.read(short), HUB)
    assert found.tasks.column("location").to_pylist() == ["b"] and found.incomplete == {"m": 1}


def test_the_last_version_of_the_truth_counts_and_two_values_are_refused() -> None:
    rows = [
        {"as_of": "2026-01-10", "date": "2026-01-03", "location": "a", "observation": "7"},
        {"as_of": "2026-01-17", "date": "2026-01-03", "location": "a", "observation": "9"},
    ]
    assert scoring.truth(pa.Table.from_pylist(rows)).column("truth").to_pylist() == [9]
    with pytest.raises(BadRequest, match="two values"):
        scoring.truth(pa.Table.from_pylist([{k: v for k, v in row.items() if k != "as_of"} for row in rows]))


def test_places_that_never_meet_the_truth_are_explained() -> None:
    forecasts = submissions.complete(submissions.read(submission("m", 0, ["01"])), HUB)
    with pytest.raises(BadRequest, match="do not meet"):
        scoring.score(forecasts, scoring.truth(pa.table({"date": ["2026-01-03"], "place": ["1"], "value": ["3"]})))


def test_no_files_and_no_baseline_are_said(files: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run(tmp_path / "empty", "--truth", files / "truth.parquet")
    assert done.exit_code == 2 and "no quantile forecasts" in done.output
    done = run(files / "mine", "--truth", files / "truth.parquet", "--baseline", "nobody")
    assert done.exit_code == 2 and "no forecasts of 'nobody'" in done.output


@pytest.mark.parametrize("hub", ["flusight", "covidhub"])
def test_real_forecasts_get_the_published_scores(hub: str, shared_data: Callable[[str], Path]) -> None:
    """Equal to the independent script, by season and model, to rounding."""
    data = shared_data(f"epidemic/forecast/{hub}_forecasts.parquet")
    script = data.parents[3] / "checks" / "score_hub.py"
    spec = importlib.util.spec_from_file_location("score_hub", script)
    assert spec is not None and spec.loader is not None
    theirs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(theirs)
    import pandas as pd

    came = pd.read_csv(
        data.with_name(f"{hub}_truth_final.csv"), dtype={"location": str}, parse_dates=["target_end_date"]
    )
    told = theirs.score(pd.read_parquet(data), came[["target_end_date", "location", "value"]])
    rows = submissions.folder(data)
    forecasts = submissions.complete(rows, np.unique(rows.column("level").to_numpy()))
    scores = scoring.score(forecasts, scoring.truth(came[["target_end_date", "location", "value"]]))
    names = sorted(set(scores.column("model").to_pylist()))
    baseline = scoring.baseline_of(names)
    assert baseline == theirs.HUBS[hub][0]
    for season in scoring.summary(scores, forecasts, baseline, names):
        block = told[told.season == season["season"]]
        relative = {column: theirs.pairwise(block, column, baseline) for column in ("wis", "wis_log")}
        assert set(season["pool"]) == set(relative["wis"].index)
        on_anchor = block[block.model == baseline].set_index(theirs.TASK).index
        for one in season["models"]:
            mine = block[block.model == one["model"]].set_index(theirs.TASK)
            mine = mine.loc[mine.index.intersection(on_anchor)]
            assert one["tasks"] == len(mine)
            assert one["wis"] == pytest.approx(mine.wis.mean(), rel=1e-9)
            assert one["wis_log"] == pytest.approx(mine.wis_log.mean(), rel=1e-9)
            assert one["coverage"]["50"] == pytest.approx(mine.c50.mean())
            assert one["coverage"]["95"] == pytest.approx(mine.c95.mean())
            if one["model"] in season["pool"]:
                assert one["relative_wis"] == pytest.approx(relative["wis"][one["model"]], rel=1e-9)
                assert one["relative_wis_log"] == pytest.approx(relative["wis_log"][one["model"]], rel=1e-9)
