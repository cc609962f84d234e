"""Data contracts: the promise about a dataset, read from an Open Data Contract Standard 3.1 file (Bitol, 2025).

What the standard has no word for stands under ``customProperties`` with the prefix ``hucheng.``:

    hucheng.kind         register | observation | event
    hucheng.title        {zh: …, en: …}; the same on every property
    hucheng.person       the field that names the resident, where there is one
    hucheng.store        lake | register | the name under which a room registered its own store
    hucheng.hot          {value, unit}: how far back `current` keeps readings
    hucheng.device_rate  {per_second, burst}: what one device may send
    hucheng.metrics      {name: {unit (UCUM), low, high, loinc, integer, title}}
    hucheng.uses         {purpose: {fields, where, coarsen: {field: expression}, smallest_group}}

``slaProperties`` carry `retention` and, for observations, `freshness` (older readings raise no finding).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pydantic
import yaml
from msgspec import Struct, ValidationError, convert, structs
from open_data_contract_standard.model import OpenDataContractStandard, SchemaProperty

from hucheng.base.expressions import checked
from hucheng.errors import ContractError

Classification = Literal["public", "internal", "personal", "sensitive"]
TYPES = ("string", "integer", "number", "boolean", "date", "timestamp", "time", "array", "object")
OBSERVATION_FIELDS = (
    "resident_id", "device_id", "metric", "observed_at", "value", "unit", "received_at", "seq", "simulated",
)  # fmt: skip
OBSERVATION_KEY = ("device_id", "metric", "observed_at")
DAYS = {"y": 365.0, "mo": 30.0, "d": 1.0, "h": 1 / 24, "min": 1 / 1440, "s": 1 / 86400}


class Field(Struct, frozen=True):
    """One field of a dataset; ``type`` is the standard's logical type, ``unit`` a UCUM code."""

    name: str
    type: str
    classification: Classification
    required: bool
    title: dict[str, str]
    unit: str | None = None


class Metric(Struct, frozen=True):
    """One measured quantity with the range physics allows, both ends included, in ``unit`` (UCUM)."""

    name: str
    unit: str
    low: float
    high: float
    loinc: str | None = None
    title: dict[str, str] = {}
    integer: bool = False


class Use(Struct, frozen=True, forbid_unknown_fields=True):
    """What one purpose may see: fields, row condition, coarsening by field, smallest group (1 = single rows)."""

    purpose: str
    fields: tuple[str, ...]
    where: str | None = None
    coarsen: dict[str, str] = {}
    smallest_group: int = 1


class Contract(Struct, frozen=True):
    """The promise about one dataset."""

    id: str
    version: str
    kind: Literal["register", "observation", "event"]
    owner: str
    title: dict[str, str]
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    person: str | None
    retention: timedelta
    freshness: timedelta | None = None
    metrics: dict[str, Metric] = {}
    uses: dict[str, Use] = {}
    hot: timedelta | None = None
    device_rate: tuple[float, int] | None = None
    store: str = "lake"

    @property
    def field_names(self) -> tuple[str, ...]:
        """Names of all fields in their order."""
        return tuple(field.name for field in self.fields)

    def field(self, name: str) -> Field:
        """One field by name; ContractError when the contract has none of it."""
        for field in self.fields:
            if field.name == name:
                return field
        raise ContractError(f"{self.id} has no field {name!r}", mend="known: " + ", ".join(self.field_names))

    def with_uses(self, uses: dict[str, Use]) -> Contract:
        """The contract with further uses (an app's request, once accepted), checked against its fields."""
        for use in uses.values():
            _check_use(use, self.field_names, f"{self.id} uses.{use.purpose}")
        return structs.replace(self, uses={**self.uses, **uses})


def load_contract(path: Path | str) -> Contract:
    """Read and check one contract file; ContractError names file, field and how to mend it."""
    path = Path(path)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ContractError(f"cannot read the contract: {error}", where=str(path), mend="mend the YAML") from error
    return read_contract(raw, where=path.name)


def load_folder(folder: Path | str) -> list[Contract]:
    """All contracts of a folder (``*.yaml`` except ``*.uses.yaml``), by file name."""
    return [load_contract(path) for path in sorted(Path(folder).glob("*.yaml")) if not path.name.endswith(".uses.yaml")]


def shipped() -> list[Contract]:
    """The contracts of the base itself: city.residents, city.devices, city.mandates."""
    return load_folder(Path(__file__).with_name("contracts_data"))


def read_contract(raw: Any, *, where: str) -> Contract:
    """A contract from the parsed YAML; ``where`` names its source in errors."""
    if not isinstance(raw, dict):
        raise ContractError("a contract is a mapping", where=where, mend="start with apiVersion: v3.1.0")
    try:
        model = OpenDataContractStandard.model_validate(raw)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        spot = ".".join(str(part) for part in first["loc"])
        raise ContractError(f"{spot}: {first['msg']}", where=where, mend="see the ODCS 3.1 schema") from error
    _refuse_unknown_keys(raw, model.model_dump(by_alias=True, exclude_unset=True), where, "")
    if model.kind != "DataContract" or not str(model.apiVersion).startswith("v3."):
        raise ContractError("not an ODCS 3 contract", where=where, mend="apiVersion: v3.1.0, kind: DataContract")
    if not (model.id and model.version and model.schema_ and len(model.schema_) == 1):
        raise ContractError("id, version and exactly one schema are needed", where=where, mend="add what is missing")
    ours = _ours(model.customProperties, where)
    sla = {p.property: {"value": p.value, "unit": p.unit} for p in model.slaProperties or []}
    properties = model.schema_[0].properties or []
    fields = tuple(_field(p, where) for p in properties)
    names = tuple(f.name for f in fields)
    keyed = sorted((p for p in properties if p.primaryKey), key=lambda p: p.primaryKeyPosition or 0)
    if not keyed:
        raise ContractError("no key", where=where, mend="mark at least one property with primaryKey: true")
    if "retention" not in sla:
        raise ContractError("no retention", where=where, mend="add {property: retention, value: …, unit: d}")
    uses = {
        purpose: _typed({"purpose": purpose, **(body or {})}, Use, f"{where} uses.{purpose}")
        for purpose, body in (ours.pop("uses", None) or {}).items()
    }
    for use in uses.values():
        _check_use(use, names, f"{where} uses.{use.purpose}")
    rate = ours.pop("device_rate", None)
    hot = ours.pop("hot", None)
    contract: Contract = _typed(
        {
            "id": model.id,
            "version": model.version,
            "kind": ours.pop("kind", None),
            "owner": ours.pop("owner", None),
            "title": ours.pop("title", None) or {},
            "fields": fields,
            "key": tuple(str(p.name) for p in keyed),
            "person": ours.pop("person", None),
            "retention": _duration(sla["retention"], f"{where} retention"),
            "freshness": _duration(sla["freshness"], f"{where} freshness") if "freshness" in sla else None,
            "metrics": {name: {"name": name, **body} for name, body in (ours.pop("metrics", None) or {}).items()},
            "uses": uses,
            "hot": _duration(hot, f"{where} hucheng.hot") if hot else None,
            "device_rate": (rate["per_second"], rate["burst"]) if rate else None,
            "store": ours.pop("store", "lake"),
        },
        Contract,
        where,
    )
    if ours:
        raise ContractError(f"unknown hucheng.{min(ours)}", where=where, mend="see the list in base/contracts.py")
    _check(contract, where)
    return contract


def _check(contract: Contract, where: str) -> None:
    """What the types cannot say."""
    names = contract.field_names
    if len(set(names)) != len(names):
        raise ContractError("a field is named twice", where=where, mend="name each field once")
    if contract.person is not None and contract.person not in names:
        raise ContractError(f"person field {contract.person!r} is not a field", where=where, mend="name a field")
    if contract.kind == "observation":
        if set(names) != set(OBSERVATION_FIELDS) or contract.key != OBSERVATION_KEY:
            raise ContractError(
                f"an observation has other fields: {sorted(set(names) ^ set(OBSERVATION_FIELDS)) or contract.key}",
                where=where,
                mend=f"fields {', '.join(OBSERVATION_FIELDS)}; key {', '.join(OBSERVATION_KEY)}",
            )
        if not contract.metrics or contract.freshness is None:
            raise ContractError("an observation needs metrics and freshness", where=where, mend="add both")
    for metric in contract.metrics.values():
        if not metric.low < metric.high:
            raise ContractError(f"{metric.name}: low is not below high", where=where, mend="mend the range")
    if contract.device_rate and (contract.device_rate[0] <= 0 or contract.device_rate[1] < 1):
        raise ContractError("device_rate must be positive", where=where, mend="e.g. {per_second: 1, burst: 60}")


def _check_use(use: Use, names: tuple[str, ...], where: str) -> None:
    """A use names only the contract's fields, and its expressions keep to the grammar."""
    for name in (*use.fields, *use.coarsen):
        if name not in names:
            raise ContractError(f"no field {name!r} in this contract", where=where, mend="known: " + ", ".join(names))
    if use.smallest_group < 1:
        raise ContractError("smallest_group is below 1", where=where, mend="1 allows single rows")
    for text in (use.where, *use.coarsen.values()):
        if text is not None:
            checked(text, names, where=where)


def _field(prop: SchemaProperty, where: str) -> Field:
    ours = _ours(prop.customProperties, where)
    body = {
        "name": prop.name,
        "type": prop.logicalType,
        "classification": prop.classification,
        "required": bool(prop.required),
        "title": ours.get("title") or {},
        "unit": ours.get("unit"),
    }
    field: Field = _typed(body, Field, f"{where} field {prop.name!r}")
    if field.type not in TYPES:
        raise ContractError(f"type {field.type!r}", where=f"{where} field {field.name!r}", mend=" | ".join(TYPES))
    return field


def _typed(body: dict[str, Any], kind: type[Any], where: str) -> Any:
    try:
        return convert(body, kind, from_attributes=True)
    except (ValidationError, TypeError) as error:
        raise ContractError(str(error), where=where, mend="see the list in base/contracts.py") from error


def _ours(properties: Any, where: str) -> dict[str, Any]:
    """Our own additions without their prefix."""
    found: dict[str, Any] = {}
    for item in properties or []:
        if str(item.property).startswith("hucheng."):
            name = str(item.property).removeprefix("hucheng.")
            if name in found:
                raise ContractError(f"hucheng.{name} stands twice", where=where, mend="keep one")
            found[name] = item.value
    return found


def _duration(body: Any, where: str) -> timedelta:
    """{value, unit} as a time span; a year is 365 days, a month (mo) 30."""
    try:
        return timedelta(days=float(body["value"]) * DAYS[body["unit"]])
    except (KeyError, TypeError, ValueError) as error:
        raise ContractError(
            f"{body!r} is no time span", where=where, mend="{value: 30, unit: " + " | ".join(DAYS)
        ) from error


def _refuse_unknown_keys(raw: Any, known: Any, where: str, spot: str) -> None:
    """A misspelt key must not be ignored: a promise that is not read is not kept."""
    if isinstance(raw, dict) and isinstance(known, dict):
        for key, value in raw.items():
            if key not in known:
                raise ContractError(f"unknown key {spot}{key}", where=where, mend="see the ODCS 3.1 schema")
            _refuse_unknown_keys(value, known[key], where, f"{spot}{key}.")
    elif isinstance(raw, list) and isinstance(known, list):
        for number, (one, other) in enumerate(zip(raw, known, strict=False)):
            _refuse_unknown_keys(one, other, where, f"{spot}{number}.")
