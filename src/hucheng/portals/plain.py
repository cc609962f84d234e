"""Plain words for what programs call by names: kinds of people, owners, uses of data, states of decisions, menus."""

from __future__ import annotations

from collections.abc import Mapping

from hucheng.portals.words import mark

KINDS: Mapping[str, str] = {
    "resident": mark("Resident"),
    "carer": mark("Family carer"),
    "officer": mark("Duty officer"),
    "auditor": mark("Auditor"),
    "operator": mark("Operator"),
    "service": mark("The node's own watch"),
    "gateway": mark("Gateway"),
    "person": mark("Somebody at the site"),
}
SCOPES: Mapping[str, str] = {
    "readings.read": mark("See readings from devices at home"),
    "cases.follow": mark("See alarms, and answer them"),
    "rights.journal": mark("See who looked at the data"),
    "decisions.appeal": mark("Appeal against decisions"),
}
DECISION_STATES: Mapping[str, str] = {
    "in_force": mark("In force"),
    "superseded": mark("Replaced by a later one"),
    "expired": mark("Over"),
}
OWNERS: Mapping[str, str] = {
    "city.civil-affairs": mark("Civil affairs bureau"),
    "city.data-bureau": mark("Data bureau"),
    "city.population": mark("Population office"),
    "city.operations": mark("Operations of the city"),
    "city.devices": mark("Device service of the city"),
    "city.audit": mark("Audit office"),
}
"""Who answers for a purpose, by the names that contracts and purposes carry."""
HOUSE: Mapping[str, str] = {
    "base": mark("The platform itself"),
    "hucheng": mark("The platform itself"),
    "bureau": mark("Data bureau"),
}
"""Who asks for something or decides on it beside the apps and people."""
ACTIONS: Mapping[str, str] = {
    "read": mark("looked at"),
    "register": mark("checked a register"),
    "stand": mark("watches"),
    "bulk": mark("counted"),
    "site.ask": mark("asked to come in at the site"),
    "readings.send": mark("sent readings"),
    "journal.read": mark("read the journal"),
    "journal.verify": mark("checked the journal"),
    "cases.take": mark("took a case"),
    "cases.go": mark("set out"),
    "cases.visit": mark("was there"),
    "cases.note": mark("wrote a note"),
    "cases.hand_over": mark("handed a case over"),
    "cases.answer": mark("gave an answer"),
    "cases.close": mark("closed a case"),
    "cases.open": mark("opened a case"),
    "decisions.appeal": mark("appealed"),
    "decisions.review": mark("answered an appeal"),
    "decisions.supersede": mark("replaced a decision"),
    "devices.enrol": mark("entered devices"),
    "registers.write": mark("wrote a register"),
    "principals.write": mark("entered people who may ask"),
    "gateways.write": mark("entered a gateway"),
    "stream.replay": mark("played readings again"),
    "quarantine.replay": mark("sent quarantined readings again"),
    "requests.accept": mark("accepted a request"),
    "requests.refuse": mark("refused a request"),
    "people.erase": mark("erased a person"),
}
"""What was done, for lists that say who in a column of their own."""
RESULTS: Mapping[str, str] = {
    "given": mark("given"),
    "refused": mark("refused"),
    "done": mark("done"),
    "opened": mark("opened"),
    "closed": mark("closed"),
    "failed": mark("failed"),
}
REQUEST_KINDS: Mapping[str, str] = {
    "purpose": mark("purpose"),
    "policies": mark("policies"),
    "uses": mark("uses of its data"),
}
REQUEST_STATES: Mapping[str, str] = {
    "requested": mark("waits"),
    "accepted": mark("accepted"),
    "refused": mark("refused"),
}
MENUS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "resident": (
        ("/me", mark("Now")),
        ("/me/decisions", mark("Decided about me")),
        ("/me/readings", mark("My readings")),
        ("/me/journal", mark("Who looked at my data")),
    ),
    "carer": (("/family", mark("My family")),),
    "officer": (
        ("/desk", mark("Queue")),
        ("/desk/owed", mark("Still owed")),
        ("/desk/find", mark("Find a case")),
    ),
    "auditor": (
        ("/audit", mark("Overview")),
        ("/audit/journal", mark("Journal")),
        ("/audit/checkpoints", mark("Checkpoints")),
        ("/audit/requests", mark("Requests of apps")),
    ),
}
