"""The one door: what an app declares is found, checked, and refused where it could not work."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints

import pytest

import hucheng.apps as door
from hucheng.apps import App, load_app, load_apps
from hucheng.apps.care.app import app as care
from hucheng.base.contracts import load_folder, shipped
from hucheng.errors import HuchengError
from hucheng.gate import policy
from hucheng.node.home.rooms import catalogue_of
from hucheng.rules import load

OTHER = replace(care, name="other")
NO_PACK = replace(care, name="no-pack", detectors=(replace(care.detectors[0], pack="gone", rule="r", name="n"),))
NO_PROCESS = replace(care, name="no-process", detectors=(), processes={"x.case": "gone.bpmn"})


def found(monkeypatch: pytest.MonkeyPatch, *names: str) -> list[App]:
    """What `load_apps` gives when these objects of this module, or of others, are installed."""
    points = EntryPoints(EntryPoint(name.rpartition(":")[2], name, door.GROUP) for name in names)
    monkeypatch.setattr(door, "entry_points", lambda group: points)
    return load_apps()


def test_care_comes_in_by_the_door_of_outsiders() -> None:
    assert "care" in [app.name for app in load_apps()]


def test_two_apps_may_not_speak_for_the_same_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HuchengError, match=r"rule 'bp_crisis' belongs to the app"):
        found(monkeypatch, "hucheng.apps.care.app:app", f"{__name__}:OTHER")


def test_what_could_not_work_later_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HuchengError, match=r"wants the pack 'gone'.*blood-pressure"):
        found(monkeypatch, f"{__name__}:NO_PACK")
    with pytest.raises(HuchengError, match=r"process of x.case is missing.*gone\.bpmn"):
        found(monkeypatch, f"{__name__}:NO_PROCESS")
    with pytest.raises(HuchengError, match="two apps are called 'care'"):
        found(monkeypatch, "hucheng.apps.care.app:app", "hucheng.apps.care.app:app")


def test_an_app_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HuchengError, match=r"no_such_module.*mend or uninstall"):
        found(monkeypatch, "no_such_module:app")
    with pytest.raises(HuchengError, match=r"is not a hucheng.apps.App"):
        found(monkeypatch, "hucheng.errors:HuchengError")


def test_every_detector_finds_its_contract_purpose_process_and_the_facts_of_its_pack() -> None:
    contracts = {c.id: c for c in catalogue_of([care])}
    purposes = {purpose.id for purpose in care.purposes}
    for detector in care.detectors:
        contract = contracts[detector.dataset]
        assert set(detector.metrics) <= set(contract.metrics)
        assert detector.purpose in purposes
        assert {"resident_id", "device_id", "metric", "observed_at", "value"} <= set(
            contract.uses[detector.purpose].fields
        )
        for register in detector.registers:
            assert detector.purpose in contracts[register].uses
        assert care.process(detector.kind).exists()
        assert load(care.rules / f"{detector.pack}.yaml").id == detector.pack


def test_its_policies_validate_and_speak_of_its_purposes_only() -> None:
    policy.check(care.name, care.policies, [*shipped(), *load_folder(care.folder / "contracts")])


def test_one_app_is_loaded_without_the_others() -> None:
    code = "import sys, hucheng.apps as door; print(door.load_app('epidemic').name, 'hucheng.apps.care' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "epidemic False"
    assert load_app("care") is care and load_app("nobody") is None
