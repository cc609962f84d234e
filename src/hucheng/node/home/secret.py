"""The site's secret: signs sessions and forms, the same in every web process of the node, unlike any other key."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from hucheng.errors import SettingsError

LENGTH = 32


def site_secret(home: Path) -> bytes:
    """The secret from ``keys/site.key``, made (0600) at first use. Raises SettingsError where others may read it."""
    path = home / "keys" / "site.key"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(LENGTH))
    found = path.read_bytes()
    if len(found) != LENGTH or path.stat().st_mode & 0o077:
        raise SettingsError("the site's secret is damaged or open to others", where=str(path), mend="delete it")
    return found
