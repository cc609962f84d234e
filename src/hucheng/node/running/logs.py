"""Structured logs: one JSON object a line, without personal data.

A message is a fixed text; what varies goes into ``extra={"fields": {...}}``. Ids of cases, readings and parts are
allowed there, names, addresses, values and identity numbers never.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime


class JsonLines(logging.Formatter):
    """Writes a record as one JSON object."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self.part = part

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "part": self.part,
            "room": record.name,
            "event": record.getMessage(),
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            line |= fields
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(part: str, level: int = logging.INFO) -> None:
    """Send this process's log to standard error as JSON lines; the supervisor keeps it in ``logs/<part>.jsonl``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(part))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)  # a warning of a library is a line like any other
    for chatty in ("httpx", "httpcore", "asyncio", "nats", "apprise", "SpiffWorkflow", "spiff", "alembic", "multipart"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
