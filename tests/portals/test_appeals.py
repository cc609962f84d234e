"""The officer says whether an appeal is right; the person reads both decisions and how one replaced the other."""

from __future__ import annotations

from .conftest import Site
from .fake import OFFICER, WANG

ANSWER = "/desk/cases/c-2/decisions/d-7/answer"


def test_the_officers_page_offers_both_answers_and_takes_none_without_one(site: Site) -> None:
    client = site.client(OFFICER)
    page = client.get("/desk/cases/c-2/decisions?lang=en").text
    assert 'value="upheld"' in page and 'value="rejected"' in page
    form = {"form_word": site.form_word(), "text": "Measured again: 128/82"}
    assert client.post(ANSWER, data=form).status_code == 422
    assert client.post(ANSWER, data={**form, "result": "perhaps"}).status_code == 422
    assert client.post(ANSWER, data={**form, "result": "upheld"}).status_code == 303
    assert site.city.decisions.results == ["upheld"]


def test_the_person_reads_that_it_no_longer_holds_and_what_replaces_it(site: Site) -> None:
    old = site.client(WANG).get("/me/decisions/d-8?lang=en").text
    assert "no longer holds" in old and 'href="/me/decisions/d-9"' in old and "复测正常" in old
    new = site.client(WANG).get("/me/decisions/d-9").text
    assert 'href="/me/decisions/d-8"' in new
