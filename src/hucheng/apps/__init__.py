"""The kinds of protection a city gives, one app each; and the one door by which an app comes in.

An app is a declaration, `App`, found under the entry-point group ``hucheng.apps``. The built-in ones come in by
the same door as a package from outside. Its folder holds ``contracts/*.yaml``, ``policies.cedar``,
``rules/*.yaml`` and ``processes/*.bpmn``. What it declares is a *request*: the gate opens nothing until the data
bureau has accepted it.

May touch: `hucheng.gate`, `hucheng.rules`, `hucheng.decisions`, `hucheng.cases`, `hucheng.portals`.
Never: `hucheng.base`, another app, a clock, a file outside its own folder.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hucheng.errors import HuchengError

if TYPE_CHECKING:
    import pyarrow as pa

    from hucheng.gate import Purpose

GROUP = "hucheng.apps"
"""Entry-point group by which apps are found."""

USES = ".uses.yaml"

ROW = ("resident_id", "device_id", "observed_at")
"""Columns every table of facts begins with; all others are facts, but for those that end in ``AT``."""

AT = "__at"
"""A column ``<fact>__at`` (timestamp, UTC) says when that fact was observed, where not at ``observed_at``."""


class Facts(Protocol):
    """Readings in, facts out."""

    def __call__(self, batch: pa.Table, state: Any, registers: Mapping[str, pa.Table], now: datetime) -> pa.Table:
        """Update ``state`` from the batch (READINGS, permitted fields) and give the rows to decide on."""
        ...


class Tick(Protocol):
    """Time in, facts out. ``now`` is aware, in the time zone of the city."""

    def __call__(self, state: Any, registers: Mapping[str, pa.Table], now: datetime) -> pa.Table:
        """Give the rows that time alone makes due; the same row again gives the same finding id."""
        ...


@dataclass(frozen=True)
class Detector:
    """One thing that is looked for in one dataset: facts by a pure function, the verdict by a published pack.

    Rows of ``facts`` and ``tick`` whose ``outcome`` in ``pack`` is TRUE become findings with the id
    ``finding_id(rule, device_id, observed_at)``; whoever runs the detector publishes each id once, and calls
    ``tick`` only when it is not behind the stream. At start the last values of every device go through ``facts``
    once with the result thrown away: the state is rebuilt, nothing is alarmed twice.
    """

    name: str
    dataset: str
    purpose: str
    pack: str
    """Name of the rule pack in the app's ``rules`` folder, without suffix."""
    outcome: str
    """Boolean outcome of the pack that makes a finding."""
    rule: str
    """Rule id the finding and the case carry."""
    kind: str
    """Kind of case, e.g. ``care.alarm``."""
    facts: Facts
    urgent: bool = False
    """Goes to a human at once, not with the next batch."""
    start: Callable[[], Any] = dict
    """Makes an empty state."""
    tick: Tick | None = None
    registers: tuple[str, ...] = ()
    """Datasets whose permitted columns ``facts`` and ``tick`` are given as tables."""
    every_s: float = 30
    """Seconds between two ticks."""
    expires: timedelta | None = None
    """How long the finding counts after its observation; None: until somebody closes it."""
    metrics: tuple[str, ...] = ()
    """Metrics of the dataset it needs; empty: all."""


@dataclass(frozen=True)
class Panel:
    """What an app shows on the page of its cases: a template and what it is filled with."""

    titles: Mapping[str, str]
    template: str
    """Template in the app's ``templates`` folder."""
    load: Callable[..., Awaitable[dict[str, Any]]]
    """``load(services, principal, view)`` gives the template's values, read through the gate for this case."""


@dataclass(frozen=True)
class App:
    """The one declaration of an app."""

    name: str
    titles: Mapping[str, str]
    folder: Path
    purposes: tuple[Purpose, ...] = ()
    detectors: tuple[Detector, ...] = ()
    panels: Mapping[str, Panel] = field(default_factory=dict)
    """Kind of case → what its page shows beside the history."""
    pages: Callable[..., Any] | None = None
    """Called by the site with the shell; gives a router with the app's own pages."""
    processes: Mapping[str, str] = field(default_factory=dict)
    """Kind of case → file name in ``processes``."""
    commands: Callable[..., Any] | None = None
    """``commands(beside, options)`` gives a Click group, called under the app's name: ``hucheng <app> <command>``.

    ``options`` adds ``--home`` and ``--as`` to a command, ``beside(home, principal_id)`` is the running node:
    ``with beside(…) as node: node.ask(Gate, "gate").look(node.principal(), …)``.
    """
    help: tuple[str, str] | None = None
    """Dataset and metric of which a press on the help button is a reading; None: the app answers no such button."""
    shown_first: str | None = None
    """Dataset that is shown first where somebody looks at readings."""
    erasers: tuple[Callable[..., Any], ...] = ()
    """Called with a resident_id whose data is to go, for what the app keeps outside registers and lake."""

    @property
    def contracts(self) -> tuple[Path, ...]:
        """Contract files of the app: the datasets it brings."""
        found = (self.folder / "contracts").glob("*.yaml")
        return tuple(sorted(path for path in found if not path.name.endswith(USES)))

    @property
    def uses(self) -> Mapping[str, Path]:
        """Dataset of somebody else → file ``<dataset>.uses.yaml`` that says what the app's purposes ask of it."""
        found = sorted((self.folder / "contracts").glob(f"*{USES}"))
        return {path.name.removesuffix(USES): path for path in found}

    @property
    def packs(self) -> tuple[Path, ...]:
        """Rule packs of the app."""
        return tuple(sorted((self.folder / "rules").glob("*.yaml")))

    @property
    def policies(self) -> str:
        """Text of the app's Cedar policies; empty when it asks for none."""
        path = self.folder / "policies.cedar"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @property
    def rules(self) -> Path:
        """Folder of the rule packs."""
        return self.folder / "rules"

    def process(self, kind: str) -> Path:
        """File of the process that a case of this kind follows. Raises KeyError where the app has none."""
        return self.folder / "processes" / self.processes[kind]


def load_apps() -> list[App]:
    """Every app installed, by name. Raises HuchengError where a declaration cannot be loaded or clashes."""
    found: dict[str, App] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        where = f"entry point {point.name} = {point.value}"
        try:
            app = point.load()
        except Exception as error:
            raise HuchengError(
                f"the app cannot be loaded: {error}", where=where, mend="mend or uninstall that package"
            ) from error
        if not isinstance(app, App):
            raise HuchengError("it is not a hucheng.apps.App", where=where, mend="let it name an App")
        if app.name in found:
            raise HuchengError(f"two apps are called {app.name!r}", where=where, mend="uninstall one of them")
        _check(app, list(found.values()), where)
        found[app.name] = app
    return list(found.values())


def load_app(name: str) -> App | None:
    """One app by its name, None where there is none; no other is loaded where its entry point has the same name.

    Raises HuchengError as `load_apps` does.
    """
    points = [point for point in entry_points(group=GROUP) if point.name == name]
    if len(points) == 1:
        try:
            app = points[0].load()
        except Exception:
            app = None  # said by load_apps, with the place
        if isinstance(app, App) and app.name == name:
            return app
    return next((app for app in load_apps() if app.name == name), None)


def _check(app: App, others: list[App], where: str) -> None:
    """Refuse what could not work later: a missing file, a rule id or kind that is already somebody's."""
    packs = {path.stem for path in app.packs}
    for detector in app.detectors:
        if detector.pack not in packs:
            raise HuchengError(
                f"detector {detector.name!r} wants the pack {detector.pack!r}",
                where=where,
                mend=f"in its rules folder are: {', '.join(sorted(packs)) or 'none'}",
            )
    for kind in app.processes:
        if not app.process(kind).exists():
            raise HuchengError(f"process of {kind} is missing", where=where, mend=f"add {app.process(kind).name}")
    for what in ("rule", "name"):
        taken = {getattr(d, what): other.name for other in others for d in other.detectors}
        for detector in app.detectors:
            if (value := getattr(detector, what)) in taken:
                raise HuchengError(
                    f"{what} {value!r} belongs to the app {taken[value]!r}",
                    where=where,
                    mend="choose another id",
                )
