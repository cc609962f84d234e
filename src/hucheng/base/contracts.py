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

import math
import re
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pydantic
import yaml
from msgspec import Struct, ValidationError, convert, structs
from open_data_contract_standard.model import OpenDataContractStandard, SchemaProperty

from hucheng.base import odcs
from hucheng.base.expressions import checked
from hucheng.errors import ContractError

Classification = Literal["public", "internal", "personal", "sensitive"]
TYPES = ("string", "integer", "number", "boolean", "date", "timestamp", "time", "array", "object")
OBSERVATION_TYPES = {
    "resident_id": "string", "device_id": "string", "metric": "string", "observed_at": "timestamp", "value": "number",
    "unit": "string", "received_at": "timestamp", "seq": "integer", "simulated": "boolean",
}  # fmt: skip
OBSERVATION_FIELDS = tuple(OBSERVATION_TYPES)
OBSERVATION_KEY = ("device_id", "metric", "observed_at")
CONTRACT_KEYS = ("kind", "title", "owner", "person", "store", "hot", "device_rate", "metrics", "uses")
OF_OBSERVATIONS = ("metrics", "freshness", "hot", "device_rate")
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}(?<!_)")
DOTTED = re.compile(r"[a-z][a-z0-9_-]{0,62}(\.[a-z][a-z0-9_-]{0,62}){1,3}")


class Field(Struct, frozen=True):
    """One field of a dataset; ``type`` is the standard's logical type, ``unit`` a UCUM code."""

    name: str
    type: str
    classification: Classification
    required: bool
    title: dict[str, str]
    unit: str | None = None


class Metric(Struct, frozen=True, forbid_unknown_fields=True):
    """One measured quantity with the range physics allows, both ends included, in ``unit`` (UCUM)."""

    name: str
    unit: str
    low: float
    high: float
    loinc: str | None = None
    title: dict[str, str] = {}
    integer: bool = False


class Rate(Struct, frozen=True, forbid_unknown_fields=True):
    """What one device may send: readings a second, and how many at once."""

    per_second: float
    burst: int


class Use(Struct, frozen=True, forbid_unknown_fields=True):
    """What one purpose may see: fields, row condition, coarsening by field, smallest group (1 = single rows)."""

    purpose: str
    fields: tuple[str, ...]
    where: str | None = None
    coarsen: dict[str, str] = {}
    smallest_group: int = 1


class Contract(Struct, frozen=True, dict=True):
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

    @cached_property
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
            _check_use(use, self, f"{self.id} uses.{use.purpose}")
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
        first = error.errors(include_context=False)[0]
        spot = ".".join(str(part) for part in first["loc"])
        raise ContractError(f"{spot}: {first['msg']}", where=where, mend="see the ODCS 3.1 schema") from error
    odcs.refuse_unknown_keys(raw, model.model_dump(by_alias=True, exclude_unset=True), where, "")
    if model.kind != "DataContract" or not str(model.apiVersion).startswith("v3."):
        raise ContractError("not an ODCS 3 contract", where=where, mend="apiVersion: v3.1.0, kind: DataContract")
    if not (model.id and model.version and model.schema_ and len(model.schema_) == 1):
        raise ContractError("id, version and exactly one schema are needed", where=where, mend="add what is missing")
    extra = odcs.ours(model.customProperties, CONTRACT_KEYS, where)
    odcs.ours(model.schema_[0].customProperties, (), f"{where} schema")
    spans = odcs.spans(model.slaProperties, where)
    properties = model.schema_[0].properties or []
    uses = {
        purpose: read_use(purpose, body, f"{where} uses.{purpose}")
        for purpose, body in odcs.mapping(extra.get("uses", {}), f"{where} hucheng.uses").items()
    }
    metrics = {
        name: read_metric(name, body, f"{where} metrics.{name}")
        for name, body in odcs.mapping(extra.get("metrics", {}), f"{where} hucheng.metrics").items()
    }
    rate = _typed(extra["device_rate"], Rate, f"{where} hucheng.device_rate") if "device_rate" in extra else None
    contract: Contract = _typed(
        {
            "id": model.id,
            "version": model.version,
            "kind": extra.get("kind"),
            "owner": extra.get("owner"),
            "title": odcs.title(extra, where),
            "fields": tuple(_field(p, where) for p in properties),
            "key": odcs.key(properties, where),
            "person": extra.get("person"),
            "retention": spans["retention"],
            "freshness": spans.get("freshness"),
            "metrics": metrics,
            "uses": uses,
            "hot": odcs.duration(extra["hot"], f"{where} hucheng.hot") if "hot" in extra else None,
            "device_rate": (rate.per_second, rate.burst) if rate else None,
            "store": extra.get("store", "lake"),
        },
        Contract,
        where,
    )
    _check(contract, where)
    return contract


def read_use(purpose: Any, body: Any, where: str) -> Use:
    """What one purpose may see, from the parsed YAML; `Contract.with_uses` checks it against the fields."""
    _named(purpose, where, dotted=True)
    body = odcs.mapping(body, where)
    if "purpose" in body:
        raise ContractError("a use is named once", where=where, mend="leave out purpose: the name is its key")
    use: Use = _typed({"purpose": purpose, **body}, Use, where)
    return use


def read_metric(name: Any, body: Any, where: str) -> Metric:
    """One metric from the parsed YAML."""
    _named(name, where)
    body = odcs.mapping(body, where)
    if "name" in body:
        raise ContractError("a metric is named once", where=where, mend="leave out name: it is its key")
    metric: Metric = _typed({"name": name, **body}, Metric, where)
    return metric


def _check(contract: Contract, where: str) -> None:
    """What the types cannot say."""
    names = contract.field_names
    _named(contract.id, where, dotted=True)
    if len(set(names)) != len(names):
        raise ContractError("a field is named twice", where=where, mend="name each field once")
    if not contract.owner.strip():
        raise ContractError("no owner", where=where, mend="hucheng.owner: who answers for it")
    for field in contract.fields:
        _named(field.name, f"{where} field {field.name!r}")
        if field.type not in TYPES:
            raise ContractError(f"type {field.type!r}", where=f"{where} field {field.name!r}", mend=" | ".join(TYPES))
        if field.title:
            _titled(field.title, f"{where} field {field.name!r}")
    _titled(contract.title, where)
    if contract.person is not None and contract.person not in names:
        raise ContractError(f"person field {contract.person!r} is not a field", where=where, mend="name a field")
    _check_kind(contract, where)
    for metric in contract.metrics.values():
        _titled(metric.title, f"{where} metrics.{metric.name}")
        if not (math.isfinite(metric.low) and math.isfinite(metric.high) and metric.low < metric.high):
            raise ContractError(f"{metric.name}: low is not below high", where=where, mend="mend the range")
        if not metric.unit.strip():
            raise ContractError(f"{metric.name}: no unit", where=where, mend='its UCUM code, "1" for a number')
    if contract.device_rate and not (0 < contract.device_rate[0] < math.inf and contract.device_rate[1] >= 1):
        raise ContractError("device_rate must be positive", where=where, mend="e.g. {per_second: 1, burst: 60}")
    for use in contract.uses.values():
        _check_use(use, contract, f"{where} uses.{use.purpose}")


def _check_kind(contract: Contract, where: str) -> None:
    """What each kind must say, and what says nothing about it."""
    if contract.kind != "observation":
        given = [name for name in OF_OBSERVATIONS if getattr(contract, name)]
        if given:
            raise ContractError(f"{given[0]} is for observations", where=where, mend="leave it out")
    elif set(contract.field_names) != set(OBSERVATION_FIELDS) or contract.key != OBSERVATION_KEY:
        odd = sorted(set(contract.field_names) ^ set(OBSERVATION_FIELDS)) or contract.key
        raise ContractError(
            f"an observation has other fields: {odd}",
            where=where,
            mend=f"fields {', '.join(OBSERVATION_FIELDS)}; key {', '.join(OBSERVATION_KEY)}",
        )
    elif odd := [f"{f.name}: {f.type}" for f in contract.fields if f.type != OBSERVATION_TYPES[f.name]]:
        types = ", ".join(f"{name} {kind}" for name, kind in OBSERVATION_TYPES.items())
        raise ContractError(f"fields of another type: {', '.join(odd)}", where=where, mend=types)
    elif not contract.metrics or contract.freshness is None:
        raise ContractError("an observation needs metrics and freshness", where=where, mend="add both")
    elif contract.person != "resident_id":
        raise ContractError("an observation is about a person", where=where, mend="hucheng.person: resident_id")
    store = {"register": "register", "observation": "lake"}.get(contract.kind)
    if store is None and contract.store in ("lake", "register"):
        mend = "hucheng.store: the name under which a room registered one"
        raise ContractError("there is no general store for events", where=where, mend=mend)
    if store is not None and contract.store != store:
        raise ContractError(
            f"store {contract.store!r} for a contract of kind {contract.kind}",
            where=where,
            mend=f"hucheng.store: {store}",
        )


def _named(name: Any, where: str, *, dotted: bool = False) -> None:
    """A name becomes a folder, a column, a word in SQL: nothing but small letters, digits and the like."""
    pattern = DOTTED if dotted else NAME
    if not isinstance(name, str) or not pattern.fullmatch(name):
        form = "room.name, small letters, digits, _ and -" if dotted else "small letters, digits and _, no _ at an end"
        raise ContractError(f"{name!r} is no name", where=where, mend=form)


def _titled(title: dict[str, str], where: str) -> None:
    if any(not title.get(language, "").strip() for language in ("zh", "en")):
        raise ContractError("no title in both languages", where=where, mend="title: {zh: …, en: …}")


def telling(contract: Contract, use: Use) -> frozenset[str]:
    """Fields of a use by which one could choose single people or single rows: person and key.

    Of an observation's key the metric singles out nobody, nor does its time where it is coarsened.
    """
    found = {*contract.key, *([contract.person] if contract.person else [])}
    if contract.kind == "observation":
        found -= {"metric", *(["observed_at"] if "observed_at" in use.coarsen else [])}
    return frozenset(found & set(use.fields))


def _check_use(use: Use, contract: Contract, where: str) -> None:
    """A use names only the contract's fields, tells nobody apart in groups, and keeps to the grammar."""
    names = contract.field_names
    for name in (*use.fields, *use.coarsen):
        if name not in names:
            raise ContractError(f"no field {name!r} in this contract", where=where, mend="known: " + ", ".join(names))
    if not use.fields or len(set(use.fields)) != len(use.fields):
        raise ContractError("fields are named once each, and there is one", where=where, mend="fields: [a, b]")
    if stray := sorted(set(use.coarsen) - set(use.fields)):
        raise ContractError(f"{stray[0]!r} is coarsened and not granted", where=where, mend="name it in fields too")
    if use.smallest_group < 1:
        raise ContractError("smallest_group is below 1", where=where, mend="1 allows single rows")
    if use.smallest_group > 1 and (apart := telling(contract, use)):
        raise ContractError(
            f"{min(apart)!r} would choose who is in a group of at least {use.smallest_group}",
            where=where,
            mend=f"leave {', '.join(sorted(apart))} out of its fields (observed_at may stay, coarsened)",
        )
    for text in (use.where, *use.coarsen.values()):
        if text is not None:
            checked(text, names, where=where)


def _field(prop: SchemaProperty, where: str) -> Field:
    where = f"{where} field {prop.name!r}"
    extra = odcs.ours(prop.customProperties, ("title", "unit"), where)
    body = {
        "name": prop.name,
        "type": prop.logicalType,
        "classification": prop.classification,
        "required": bool(prop.required),
        "title": odcs.title(extra, where) if "title" in extra else {},
        "unit": extra.get("unit"),
    }
    field: Field = _typed(body, Field, where)
    return field


def _typed(body: Any, kind: type[Any], where: str) -> Any:
    try:
        return convert(body, kind, from_attributes=True)
    except (ValidationError, TypeError) as error:
        raise ContractError(str(error), where=where, mend="see the list in base/contracts.py") from error
