"""Whether policies can tell one person from another: if not, a decision holds for all in the same relation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SEEN = {"principal": {"kind", "roles"}, "resource": {"kind", "owner"}}
"""The attributes that name nobody; of the context, all but ``person``."""


def impersonal(policy: Mapping[str, Any]) -> bool:
    """Whether a policy (Cedar's JSON form) looks at kinds, roles, places and facts only, never at who it is."""
    who = policy["principal"]
    places = [who["entity"]] if "entity" in who else who.get("entities", [])
    if any(place.get("type") != "Org" for place in places) or who["op"] not in ("All", "in"):
        return False
    return all(_blind(condition["body"]) for condition in policy["conditions"])


def _blind(node: Any) -> bool:
    """Whether an expression cannot see a person. What is not known to be blind is taken to see."""
    if isinstance(node, list):
        return all(_blind(one) for one in node)
    if not isinstance(node, Mapping):
        return True
    if "Var" in node:
        return node["Var"] in ("action", "resource")
    if "__entity" in node:
        return bool(node["__entity"].get("type") != "Principal")
    for name, inside in node.items():
        if name in (".", "has") and (var := _var(inside["left"])) is not None:
            attr = inside["attr"]
            if not (attr != "person" if var == "context" else attr in _SEEN.get(var, ())):
                return False
        elif name == "in" and _var(inside["left"]) == "principal":
            if not _blind(inside["right"]):
                return False
        elif not _blind(inside):
            return False
    return True


def _var(node: Any) -> str | None:
    return str(node["Var"]) if isinstance(node, Mapping) and "Var" in node else None
