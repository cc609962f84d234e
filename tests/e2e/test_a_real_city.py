"""A production node from nothing to an alarm, by the commands of docs/operations.md and no others."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.running import RunningNode, until

FILES = {
    "places": "id,parent,level,zh,en\nd1,city,district,一区,District 1\nc1,d1,community,一社区,Community 1\n",
    "people": "id,kind,name,place,roles,resident_id,subject\n"
    "li-hua,officer,李华,c1,duty,,https://id.example|8f2c\n"
    "bureau,officer,数据局,city,bureau,,https://id.example|b1\n"
    "zhou-jing,auditor,周静,city,,,https://id.example|e10b\n",
    "city.residents": "resident_id,name,born,community,phone\nr-17,陈兰,1941-05-06,c1,\n",
    "city.devices": "device_id,resident_id,home_id,gateway_id,dataset,kind,model,simulated,commissioned_at\n"
    "cuff-1,r-17,h-1,gw-c1,home.blood_pressure,cuff,X1,false,2026-01-01T00:00:00+08:00\n",
    "roster": "id,scope,tier,name,who,shifts,weekdays,rank,phone\nl1,c1,1,李华,li-hua,day night holiday,,0,\n",
}
ASKED = ("policies care", "uses care", "purpose care.detect", "purpose care.respond")


@pytest.mark.timeout(300)
def test_from_files_to_the_officer_who_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ISSUER": "https://id.example", "CLIENT_ID": "hucheng", "CLIENT_SECRET": "s"}.items():
        monkeypatch.setenv(f"HUCHENG_OIDC_{name}", value)
    node = RunningNode(tmp_path / "home", "--port", "0", "--no-demo")
    try:
        node.start()
        node.run("gateway", "add", "gw-c1")
        for what, text in FILES.items():
            file = tmp_path / f"{what}.csv"
            file.write_text(text, encoding="utf-8")
            rows = text.count("\n") - 1
            assert node.run("enter", what, str(file)).stdout.startswith(f"{what}: {rows} of {rows} rows")
        assert node.run("enter", "city.residents", str(tmp_path / "city.residents.csv")).stdout.startswith(
            "city.residents: 0 of 1"
        )
        wrong = tmp_path / "wrong.csv"
        wrong.write_text("id,kind,name,place\nx,king,甲,c1\n", encoding="utf-8")
        refused = node.run("enter", "people", str(wrong), check=False)
        assert refused.returncode != 0 and "wrong.csv: people row 1" in refused.stdout + refused.stderr
        intake = node.parts()["intake"]["pid"]
        for asked in ASKED:
            node.run(
                "apps", "accept", *asked.split(), "--assessment", "Assessed for the first community.", "--as", "bureau"
            )
        node.back("intake", intake)
        until(lambda: not node.status()["blind"], 60, "a node that looks for everything")
        now = datetime.now(UTC).isoformat()
        file = tmp_path / "readings.csv"
        file.write_text(
            f"resident_id,device_id,metric,observed_at,value,unit\nr-17,cuff-1,systolic_bp,{now},190,mm[Hg]\n"
        )
        node.run("replay", str(file), "--as", "home.blood_pressure")
        [case] = until(lambda: node.cases("--as", "zhou-jing"), 60, "the alarm")
        assert (case["resident_id"], case["rule"], case["tier"], case["simulated"]) == ("r-17", "bp_crisis", 1, False)
    finally:
        node.stop()
