"""The report on scores: one HTML file, Chinese and English, with charts inside; no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from hucheng.apps.epidemic.charts import calibration, paper
from hucheng.errors import BadRequest
from hucheng.portals.words import LANGUAGES, Catalogues

HERE = Path(__file__).parent.parent
MOST_LINES = 7
"""Lines a chart can carry before nobody can tell them apart: one's own, and the best of the others."""


def write(found: Mapping[str, Any], scores: pa.Table, path: Path) -> None:
    """The report as a file; BadRequest where it cannot be written."""
    try:
        path.write_text(page(found, scores), encoding="utf-8")
    except OSError as error:
        raise BadRequest(f"cannot write: {error.strerror or error}", where=str(path), mend="check the folder") from None


def page(found: Mapping[str, Any], scores: pa.Table) -> str:
    """The report as HTML, complete in itself. ``found``: models, levels and seasons as `score.summary` gives them."""
    catalogues = Catalogues([HERE / "locale"], "UTC")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    pages = []
    for language in LANGUAGES:
        say = catalogues[language].say
        seasons = [season | {"charts": _charts(season, found, scores, say, language)} for season in found["seasons"]]
        pages.append({"language": language, "say": say, "seasons": seasons})
    return environment.get_template("scores.html").render(pages=pages, found=found)


def _charts(
    season: Mapping[str, Any], found: Mapping[str, Any], scores: pa.Table, say: Any, language: str
) -> dict[str, Markup]:
    """The figures of one season, as SVG."""
    mine, models = found["models"], season["models"]
    best = sorted(models, key=lambda one: (one["model"] not in mine, one["relative_wis_log"] or one["wis_log"]))
    shown = best[:MOST_LINES]
    rows = scores.filter(pc.field("season") == season["season"])
    made = {
        "parts": calibration.parts(models, mine, say),
        "parts_log": calibration.parts(models, mine, say, log=True),
        "time": calibration.over_time(rows, [one["model"] for one in shown], say),
        "reliability": calibration.reliability(shown, found["levels"], say),
        "pit": calibration.pit(shown, say),
    }
    return {name: Markup(paper.svg(figure, f"{language} {season['season']} {name}")) for name, figure in made.items()}  # noqa: S704  our own SVG
