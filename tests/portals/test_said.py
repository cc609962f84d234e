"""An error on a page speaks the reader's language: in Chinese, or not at all where it has no words in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import hucheng
from hucheng import errors
from hucheng.portals.words import Catalogues

from .conftest import Site, made
from .people import OFFICER, WANG

HERE = Path(hucheng.__file__).parent
ROOMS = (
    *(path for path in sorted((HERE / "portals").glob("*.py")) if path.name not in ("armour.py", "calls.py")),
    *(HERE / name for name in ("cases/deeds.py", "cases/moving.py", "decisions/office.py", "node/web.py")),
    HERE / "node/home/people.py",
)
"""What raises errors that end on a page; programs read English from ``calls.py`` and the API."""
NOT_FOR_READERS = {"SettingsError"}
SENTENCE = re.compile(r"[A-Za-z]{2,}(?: [a-z'’]{2,}){2,}")
"""Three English words in a row."""


def fixed() -> list[tuple[str, str]]:
    """Every fixed text of an error, with where it stands."""
    found = []
    for path in ROOMS:
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(call.func, "id", "") if isinstance(call, ast.Call) else ""
            if not isinstance(call, ast.Call) or name not in errors.kinds() or name in NOT_FOR_READERS:
                continue
            given = [*call.args[:1], *(word.value for word in call.keywords if word.arg in ("mend", "needed"))]
            found += [
                (one.value, f"{path.name}:{call.lineno}")
                for one in given
                if isinstance(one, ast.Constant) and isinstance(one.value, str)
            ]
    return found


def test_what_an_error_says_on_a_page_has_chinese_words() -> None:
    words = Catalogues([], "Asia/Shanghai")["zh"]
    program = {"accept one that does", "`to` is the id of what was owed"}
    program |= {"the portals' scripts and styles were not built"}
    program |= {"install the package again with pip (its build makes them)"}
    left = [(text, where) for text, where in fixed() if text not in program and words.say(text) == text]
    assert fixed() and left == []


@pytest.fixture
def site() -> Site:
    return made()


def prose(page: str) -> str:
    """What a page says, without its frame."""
    main = page.partition("<main")[2].partition("</main>")[0]
    return re.sub(r"<[^>]+>", " ", re.sub(r"<code>.*?</code>", " ", main, flags=re.S))


@pytest.mark.parametrize("path", ["/help/broken", "/nowhere", "/me/readings?dataset=x", "/me/decisions/none", "/desk"])
def test_a_chinese_page_of_an_error_holds_no_english_sentence(site: Site, path: str) -> None:
    answer = site.client(WANG).get(path)
    assert answer.status_code >= 400
    assert not SENTENCE.search(prose(answer.text)), prose(answer.text)


def test_what_is_blind_is_a_desk_s_affair_and_a_citizen_is_told_what_she_can_do(site: Site) -> None:
    site.city.desk.down = True
    assert "本屏目前看不见" in site.client(OFFICER).get("/desk").text
    page = site.client(WANG).get("/me")
    assert page.status_code == 503 and page.headers["retry-after"] == "5"
    assert "本屏目前看不见" not in page.text and "120" in prose(page.text)
    assert not SENTENCE.search(prose(page.text)), prose(page.text)


def test_a_sign_in_service_that_is_away_is_said_to_be_it_and_the_node_is_not_blind() -> None:
    site = made(demo=False, oidc_issuer="http://127.0.0.1:9", oidc_client_id="hucheng")
    answer = site.client().post("/sign-in/go", data={"form_word": site.form_word()})
    assert answer.status_code == 503
    assert "城市统一登录服务没有响应" in answer.text and "本屏" not in answer.text
    english = site.client()
    english.cookies.set("lang", "en")
    text = english.post("/sign-in/go", data={"form_word": site.form_word()}, headers={"accept-language": "en"}).text
    assert "sign-in service does not answer" in text and "blind" not in text
