"""May this principal do this, for this purpose: Cedar policies, parsed once, default deny; a refusal says why.

Each permit carries ``@id`` and ``@needs`` (one text for each ``when``, in their order, ``zh|en``, parted by ``;``).
An app's policies hold for its own purposes and its own deeds only; one that does not validate is refused.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cedarpy
from msgspec import Struct, structs

from hucheng.base.contracts import Contract
from hucheng.errors import BadRequest, Refused
from hucheng.gate.impersonal import impersonal
from hucheng.gate.principals import Principal

READS = ("read", "bulk", "stand")
DEEDS = (
    "cases.take", "cases.go", "cases.visit", "cases.hand_over", "cases.note", "cases.answer",
    "cases.close", "decisions.appeal", "decisions.review", "decisions.supersede",
    "registers.write", "devices.enrol", "gateways.write", "principals.write",
    "requests.accept", "requests.refuse", "people.erase",
    "journal.read", "journal.verify", "stream.replay", "quarantine.replay", "node.status",
)  # fmt: skip
_FOLDER = Path(__file__).parent / "policies"
_HANDLES = 4096


class Facts(Struct, frozen=True):
    """What a policy may ask about a request; the schema ``facts.cedarschema`` says what each means."""

    purpose: str = ""
    person: str = ""
    single: bool = False
    own: bool = False
    in_area: bool = False
    mandate: bool = False
    scopes: tuple[str, ...] = ()
    case: bool = False
    case_kind: str = ""
    case_about: bool = False
    case_mine: bool = False
    case_called: bool = False
    case_known: bool = False


@dataclass(frozen=True)
class Permit:
    """One permit taken apart, to say which of its conditions was not met."""

    id: str
    scope: str
    """The policy without conditions."""
    clauses: tuple[str, ...]
    """The policy with one condition each."""
    needs: tuple[str, ...]


class Policies:
    """The base's policies and those of apps, as accepted. Immutable: a change makes a new one.

    ``impersonal``: none of them can tell one person from another of the same kind, roles and place.
    """

    def __init__(self, datasets: Iterable[Contract], apps: Mapping[str, str] | None = None) -> None:
        """Raises BadRequest naming the policy that does not parse, validate, or keep to what it may speak of."""
        self._datasets = [
            {"uid": {"type": "Dataset", "id": c.id}, "attrs": {"kind": c.kind, "owner": c.owner}, "parents": []}
            for c in datasets
        ]
        base = (_FOLDER / "base.cedar").read_text(encoding="utf-8")
        texts = {"base": base, **(apps or {})}
        self._sets: dict[str, cedarpy.PolicySet] = {}
        self._permits: dict[str, list[Permit]] = {}
        self._deeds: dict[str, str] = dict.fromkeys(DEEDS, "base")
        base_permits, _, self.impersonal = _parsed("base", base)
        for app, text in texts.items():
            permits, actions, blind = (base_permits, set(DEEDS), True) if app == "base" else _parsed(app, text)
            self.impersonal &= blind
            own = {action for action in actions if action.startswith(f"{app}.")} if app != "base" else set()
            schema = _schema(own)
            verdict = cedarpy.validate_policies(text, schema)
            if not verdict.validation_passed:
                names = verdict.id_annotations_by_policy_id
                said = "; ".join(f"{names.get(e.policy_id, e.policy_id)}: {e.error}" for e in verdict.errors)
                raise BadRequest(f"the policies of {app} do not validate: {said}", where=f"{app}/policies.cedar")
            self._deeds |= dict.fromkeys(own, app)
            self._sets[app] = cedarpy.PolicySet.from_str(base if app == "base" else base + "\n" + text)
            self._permits[app] = base_permits if app == "base" else [*permits, *base_permits]
        self._handles: dict[tuple[Any, ...], cedarpy.Entities] = {}
        self._lock = threading.Lock()

    def decide(self, who: Principal, action: str, resource: str | None, facts: Facts, *, owner: str = "base") -> str:
        """The id of the policy that permits it. ``owner``: the app whose purpose it is.

        Raises Refused naming the policy that came closest and what would be needed.
        """
        if action not in READS:
            if action not in self._deeds:
                raise Refused(f"no policy speaks of {action!r}", policy="default.deny", needed="a deed from the list")
            owner = self._deeds[action]
        asked = _request(who, action, resource, facts)
        entities = self._entities(who)
        policies = self._sets.get(owner, self._sets["base"])
        verdict = cedarpy.is_authorized(asked, policies, entities)
        if verdict.allowed and not verdict.diagnostics.errors:
            return min(verdict.diagnostics.id_annotations_by_reason.values(), default="")
        what = f"{who.kind} {who.id} may not {action} {resource or ''}".rstrip()
        if verdict.diagnostics.errors:
            said = "; ".join(str(error) for error in verdict.diagnostics.errors)
            raise Refused(
                f"{what}: a policy could not be applied: {said}", policy="default.deny", needed="mend the policy"
            )
        forbidding = list(verdict.diagnostics.id_annotations_by_reason.values())
        if forbidding:
            raise Refused(what, policy=forbidding[0], needed="nothing: it is forbidden")
        policy, needed = self._nearest(self._permits.get(owner, self._permits["base"]), asked, entities)
        zh, en = _languages(needed)
        raise Refused(what, where=facts.purpose or None, mend=f"needed: {en}", policy=policy, needed=en, needed_zh=zh)

    def speaks(self, action: str, purpose: str) -> bool:
        """Whether some permit names both an action and a purpose: what a refusal of it should tell of."""
        return any(
            f'"{action}"' in permit.scope and any(f'"{purpose}"' in clause for clause in permit.clauses)
            for permits in self._permits.values()
            for permit in permits
        )

    def _nearest(
        self, permits: list[Permit], asked: dict[str, Any], entities: cedarpy.Entities
    ) -> tuple[str, list[str]]:
        """The permit with the fewest conditions unmet (the purpose weighs most), and those conditions."""
        best: tuple[int, str, list[str]] | None = None
        for permit in permits:
            if not cedarpy.is_authorized(asked, permit.scope, entities).allowed:
                continue
            unmet = [
                (clause, need)
                for clause, need in zip(permit.clauses, permit.needs, strict=True)
                if not cedarpy.is_authorized(asked, clause, entities).allowed
            ]
            weight = sum(
                100 if "context.purpose" in clause or 'context["purpose"]' in clause else 1 for clause, _ in unmet
            )
            if best is None or weight < best[0]:
                best = weight, permit.id, [need for _, need in unmet]
        return (best[1], best[2]) if best else ("default.deny", ["允许此事的策略|a policy that permits it"])

    def _entities(self, who: Principal) -> cedarpy.Entities:
        key = structs.astuple(who)
        found = self._handles.get(key)
        if found is None:
            places = [
                {
                    "uid": {"type": "Org", "id": place},
                    "attrs": {},
                    "parents": [{"type": "Org", "id": parent}] if parent else [],
                }
                for place, parent in zip(who.org, (None, *who.org), strict=False)
            ]
            self_ = {
                "uid": {"type": "Principal", "id": who.id},
                "attrs": {"kind": who.kind, "roles": list(who.roles)},
                "parents": [{"type": "Org", "id": who.org[-1]}] if who.org else [],
            }
            found = cedarpy.Entities.from_json_str(json.dumps([self_, *places, *self._datasets]))
            with self._lock:
                if len(self._handles) >= _HANDLES:
                    self._handles.clear()
                self._handles[key] = found
        return found


def check(app: str, text: str, datasets: Iterable[Contract]) -> None:
    """Check an app's policies before they are even a request. Raises BadRequest naming what is wrong."""
    Policies(datasets, {app: text})


def _request(who: Principal, action: str, resource: str | None, facts: Facts) -> dict[str, Any]:
    return {
        "principal": {"type": "Principal", "id": who.id},
        "action": {"type": "Action", "id": action},
        "resource": {"type": "Dataset", "id": resource} if resource else {"type": "City", "id": "city"},
        "context": structs.asdict(facts) | {"scopes": list(facts.scopes)},
    }


def _schema(own: Iterable[str]) -> str:
    text = (_FOLDER / "facts.cedarschema").read_text(encoding="utf-8")
    applies = "appliesTo {{ principal: [Principal], resource: [{}], context: Facts }};"
    reads = ", ".join(f'"{name}"' for name in READS)
    deeds = ", ".join(f'"{name}"' for name in (*DEEDS, *sorted(own)))
    both = applies.format("Dataset"), applies.format("Dataset, City")
    return f"{text}\naction {reads} {both[0]}\naction {deeds} {both[1]}\n"


def _parsed(app: str, text: str) -> tuple[list[Permit], set[str], bool]:
    """The permits of a text taken apart, the actions it names, whether it can tell nobody apart. Raises BadRequest."""
    where = f"{app}/policies.cedar"
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as error:
        raise BadRequest(f"the policies of {app} do not parse: {error}", where=where, mend="mend the syntax") from error
    if parsed.get("templates"):
        raise BadRequest("templates are not used here", where=where, mend="write the policy out")
    permits: list[Permit] = []
    actions: set[str] = set()
    seen: set[str] = set()
    for policy in parsed["staticPolicies"].values():
        notes = policy.get("annotations") or {}
        name = notes.get("id") or ""
        if not name or name in seen:
            raise BadRequest(f"a policy has no @id of its own ({name!r})", where=where, mend="give each its @id")
        if app != "base" and not name.startswith(f"{app}."):
            raise BadRequest(f"policy {name!r} is not named after its app", where=where, mend=f"call it {app}.…")
        seen.add(name)
        actions |= _actions(policy["action"])
        if policy["effect"] != "permit":
            continue
        clauses = [{**policy, "conditions": [condition]} for condition in policy["conditions"]]
        needs = tuple(part.strip() for part in notes.get("needs", "").split(";") if part.strip())
        if len(needs) != len(clauses):
            raise BadRequest(
                f"policy {name!r} has {len(clauses)} conditions and {len(needs)} @needs",
                where=where,
                mend="one text for each `when`, parted by ;",
            )
        if not clauses:
            raise BadRequest(f"policy {name!r} has no condition", where=where, mend="say when it holds")
        bare = _text({**policy, "conditions": []})
        permits.append(Permit(name, bare, tuple(_text(clause) for clause in clauses), needs))
    return permits, actions, all(impersonal(policy) for policy in parsed["staticPolicies"].values())


def _languages(needs: Iterable[str]) -> tuple[str, str]:
    """The needs in Chinese and in English."""
    parts = [(zh, en or zh) for zh, _, en in (need.partition("|") for need in needs)]
    return "；".join(zh for zh, _ in parts), "; ".join(en for _, en in parts)


def _actions(scope: Mapping[str, Any]) -> set[str]:
    entities = [scope["entity"]] if "entity" in scope else scope.get("entities", [])
    return {str(entity["id"]) for entity in entities}


def _text(policy: Mapping[str, Any]) -> str:
    whole = {"staticPolicies": {"policy0": policy}, "templates": {}, "templateLinks": []}
    return str(cedarpy.policies_from_json_str(json.dumps(whole)))
