"""All settings of a node: one frozen object, read once, with the place each value came from in errors.

A value is looked for, in this order: the command line, the environment (``HUCHENG_PORT=8650``), the file
``hucheng.toml`` in the node's home, the default below.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hucheng.errors import SettingsError, Unavailable

DEFAULT_HOME = Path("home")
SOCKET_BYTES = 107 if sys.platform == "linux" else 103
"""Longest path of a local socket that the system takes (``sun_path``, without its closing zero)."""
LIMITS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("port", "mqtt_port", "nats_port", "monitor_port"), (0, 65535)),
    "residents": (0, 100_000_000),
    "intakes": (1, 4),
    "sync_interval_s": (0.1, 3600),
    "stream_max_gb": (0.01, 100_000),
    "max_body_mb": (0.01, 64),
}
"""What numbers may be, both ends included."""
DATABASES: dict[str, str | None] = {
    **dict.fromkeys(("sqlite", "sqlite+pysqlite")),
    **dict.fromkeys(("postgresql", "postgres", "postgresql+psycopg"), "psycopg"),
}
"""Kinds of databases an address may name, and the module that speaks to each where it is an extra."""


@dataclass(frozen=True)
class Settings:
    """What a node is told from outside. Ports of 0 are chosen free at start and written to ``run/node.json``."""

    home: Path = DEFAULT_HOME
    """Folder that holds everything of this node."""
    host: str = "127.0.0.1"
    """Address the site listens on."""
    port: int = 8640
    """Port of the site."""
    mqtt_port: int = 0
    """Port of the broker's MQTT listener."""
    nats_port: int = 0
    """Port of the broker's own protocol."""
    monitor_port: int = 0
    """Port of the broker's monitoring pages (loopback only)."""
    residents: int = 20_000
    """Size of the synthetic city, where one is made."""
    demo: bool = True
    """A demo city with demo identities; False takes identities from OpenID Connect only."""
    seed: int = 20260101
    """Seed of the synthetic city."""
    intakes: int = 1
    """Number of partitions of homes, each with its own intake process; fixed when the home is made (1 to 4)."""
    sync: Literal["always", "interval"] = "interval"
    """Broker: one fsync a message, or every ``sync_interval_s``."""
    sync_interval_s: float = 120.0
    """Seconds between the broker's fsyncs where ``sync`` is ``interval``: what a power loss may cost."""
    stream_max_gb: float = 8.0
    """Room for readings in the stream; when it is full, nothing is acknowledged."""
    ledger_url: str = field(default="", repr=False)
    """SQLAlchemy address of the ledger, with its password; empty: SQLite in the home."""
    journal_url: str = field(default="", repr=False)
    """SQLAlchemy address of the journal, with its password; empty: SQLite in the home."""
    timezone: str = "Asia/Shanghai"
    """Time zone of the city, for rosters and screens."""
    language: str = "zh"
    """Language of the screens when a person has not chosen one."""
    oidc_issuer: str = ""
    """OpenID Connect issuer (production)."""
    oidc_client_id: str = ""
    """OpenID Connect client."""
    oidc_client_secret: str = field(default="", repr=False)
    """OpenID Connect client's secret; better given in the environment, which wins over the file."""
    public_url: str = ""
    """Address under which people reach the site; empty: http://host:port."""
    max_body_mb: float = 8.0
    """Largest body of a request and of a message."""
    notice_urls: str = field(default="", repr=False)
    """Apprise addresses for notices to the duty desk, separated by spaces; the roster may name its own."""
    feed: bool = True
    """Simulated home devices send readings (demo city only)."""

    @property
    def ledger(self) -> str:
        """Address of the ledger in force."""
        return self.ledger_url or f"sqlite:///{self.home / 'ledger.db'}"

    @property
    def journal(self) -> str:
        """Address of the journal in force."""
        return self.journal_url or f"sqlite:///{self.home / 'journal.db'}"

    @property
    def socket(self) -> Path:
        """The steward's local socket."""
        return self.home / "run" / "steward.sock"

    @property
    def site(self) -> str:
        """Address of the site."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @classmethod
    def load(cls, home: Path | str | None = None, **given: Any) -> Settings:
        """Read the settings of a home; ``given`` (from the command line) wins where it is not None.

        Raises SettingsError naming the setting, where it was found, and what it may be.
        """
        settings = cls._read(home, **given)
        settings._check()
        return settings

    @classmethod
    def _read(cls, home: Path | str | None, **given: Any) -> Settings:
        base = Path(home or os.environ.get("HUCHENG_HOME") or DEFAULT_HOME).expanduser().resolve()
        known = {f.name: f for f in fields(cls)}
        values: dict[str, tuple[Any, str]] = {}
        path = base / "hucheng.toml"
        if path.exists():
            try:
                text = tomllib.loads(path.read_text(encoding="utf-8"))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise SettingsError(f"cannot read it: {error}", where=str(path), mend="mend the TOML") from error
            values |= {name: (value, str(path)) for name, value in text.items()}
        for name in known:
            if (raw := os.environ.get(f"HUCHENG_{name.upper()}")) is not None and name != "home":
                values[name] = (raw, f"environment HUCHENG_{name.upper()}")
        values |= {name: (value, "command line") for name, value in given.items() if value is not None}
        for name, (_, place) in values.items():
            if name not in known:
                raise SettingsError(f"unknown setting {name!r}", where=place, mend="known: " + ", ".join(sorted(known)))
        typed = {name: _typed(name, known[name].default, value, place) for name, (value, place) in values.items()}
        return cls(**{**typed, "home": base})

    @classmethod
    def running(cls, home: Path | str | None = None) -> Settings:
        """The settings of the node that runs in this home, with the ports it took.

        Raises Unavailable where no node has been started there.
        """
        now = cls._read(home)
        base = now.home
        path = running_file(base)
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Unavailable(
                "no node is running here", where=str(base), mend="start it with `hucheng up`, or name another --home"
            ) from error
        return cls(**{**values, "home": base, **{name: getattr(now, name) for name in secret()}})

    def write_running(self) -> None:
        """Write the settings in force for the other processes of this node; secrets stay where they were read from.

        Those processes read them there themselves: in the environment, which they inherit, or in ``hucheng.toml``.
        """
        values = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self).items() if k not in secret()}
        path = running_file(self.home)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(values, indent=1), encoding="utf-8")
        fresh.replace(path)

    def _check(self) -> None:
        """Refuse now what would only fail later, in some part's log."""
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingsError(f"{name} = {value}", mend=f"choose between {low:g} and {high:g}")
        if self.sync not in ("always", "interval"):
            raise SettingsError(f"sync = {self.sync!r}", mend="choose 'always' or 'interval'")
        if self.language not in ("zh", "en"):
            raise SettingsError(f"language = {self.language!r}", mend="choose 'zh' or 'en'")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise SettingsError(
                f"timezone = {self.timezone!r} is no time zone", mend="name one of the IANA list, e.g. 'Asia/Shanghai'"
            ) from error
        if (length := len(os.fsencode(self.socket))) > SOCKET_BYTES:
            raise SettingsError(
                f"home: its path is {length - SOCKET_BYTES} bytes too long for a local socket",
                where=str(self.home),
                mend="choose a shorter --home",
            )
        for name in ("ledger_url", "journal_url"):
            _check_database(name, getattr(self, name))
        self._check_notices()

    def _check_notices(self) -> None:
        """An address that no carrier knows is named by its place and kind only: addresses hold passwords."""
        if not self.notice_urls.strip():
            return
        from apprise import Apprise  # half a second, for those who set it

        for number, url in enumerate(self.notice_urls.split(), 1):
            kind = f"{url.partition('://')[0][:20]}://…" if "://" in url else "no address at all"
            if not Apprise().add(url):
                raise SettingsError(
                    f"notice_urls: number {number} ({kind}) is not one that Apprise knows",
                    mend="addresses as Apprise writes them, separated by spaces, e.g. 'mailto://user:password@host'",
                )


def secret() -> frozenset[str]:
    """Settings that hold passwords: shown nowhere, and written to no file."""
    return frozenset(one.name for one in fields(Settings) if not one.repr)


def _check_database(name: str, address: str) -> None:
    """Refuse an address of a kind that is not known, or whose driver is not installed. Says nothing else of it."""
    if not address:
        return
    kind, there, _ = address.partition("://")
    if not there or kind not in DATABASES:
        said = f"{kind[:20]}://…" if there else "no address at all"
        raise SettingsError(f"{name}: {said} is none that is known", mend="sqlite:///file or postgresql://…")
    if DATABASES[kind] is not None:
        try:
            importlib.import_module(DATABASES[kind] or "")
        except ImportError as error:
            raise SettingsError(
                f"{name}: what speaks to PostgreSQL is not installed ({error})",
                mend='pip install "hucheng[postgresql]"',
            ) from error


def _typed(name: str, default: Any, value: Any, place: str) -> Any:
    """The value in the type of its default; text from the environment is read as such."""
    if isinstance(default, Path):
        return Path(value)
    if isinstance(default, bool):
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("1", "true", "yes", "on"):
            return True
        if str(value).lower() in ("0", "false", "no", "off"):
            return False
    elif isinstance(default, (int, float)) and not isinstance(value, bool):
        try:
            return type(default)(value)
        except (TypeError, ValueError):
            pass
    elif isinstance(default, str) and isinstance(value, str):
        return value
    raise SettingsError(f"{name} = {value!r} is not a {type(default).__name__}", where=place, mend=f"e.g. {default!r}")


def running_file(home: Path) -> Path:
    """Where a running node wrote the settings in force (ports included)."""
    return home / "run" / "node.json"
