"""What was changed about her stands on her page in her language, field by field."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from hucheng.apps import load_apps
from hucheng.node.home.rooms import catalogue_of
from hucheng.portals.changed import changed
from hucheng.portals.lexicon import Lexicon
from hucheng.portals.uses import looked
from hucheng.portals.words import Catalogues


def entry(**more: Any) -> Any:
    row = {"mandate_id": "m9", "carer": "wang-lijuan", "carer_name": "王丽娟", "scopes": ["cases.follow"]}
    given = {
        "kind": "deed", "action": "registers.end", "result": "given", "principal": "operator:local",
        "principal_name": "吴工", "principal_kind": "operator",
        "datasets": ("city.mandates",), "detail": {"rows": [row]},
    } | more  # fmt: skip
    return SimpleNamespace(**given)


@pytest.mark.parametrize(
    ("language", "sentence", "row"),
    [
        ("zh", "吴工（运维人员）终止了关于您的登记：委托", "委托编号：m9；照护人姓名：王丽娟；范围：查看并回应告警"),
        (
            "en",
            "吴工 (Operator) ended what a register says about you: Mandates",
            "Mandate: m9; Carer's name: 王丽娟; Scopes: See alarms, and answer them",
        ),
    ],
)
def test_an_ended_mandate_is_told_in_words(language: str, sentence: str, row: str) -> None:
    apps = load_apps()
    lexicon = Lexicon(catalogue_of(apps), apps)
    words = Catalogues([app.folder / "locale" for app in apps], "Asia/Shanghai")[language]
    assert looked(entry(), None, lexicon, words) == sentence
    assert changed(entry(), lexicon, words) == [row]
    assert changed(entry(detail=None), lexicon, words) == changed(entry(detail={}), lexicon, words) == []
