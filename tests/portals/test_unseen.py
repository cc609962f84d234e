"""The officer's screen says what it is blind for, in both languages, and says nothing where nothing is."""

from __future__ import annotations

from .conftest import Site
from .fake import OFFICER


def test_the_queue_says_what_is_not_looked_for(site: Site) -> None:
    assert "夜间离床未归" in site.client(OFFICER).get("/desk").text
    english = site.client(OFFICER).get("/desk?lang=en").text
    assert "Not everything is looked for" in english and "Out of bed at night" in english


def test_a_queue_that_sees_all_says_nothing_of_it(site: Site) -> None:
    site.city.status.blind.clear()
    assert "Not everything is looked for" not in site.client(OFFICER).get("/desk?lang=en").text
