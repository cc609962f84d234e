"""Property tests here assert promises, never seconds."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("promises", deadline=None)
settings.load_profile("promises")
