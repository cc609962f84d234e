"""A group of commands that answer a program in one JSON document, also where something is wrong."""

from __future__ import annotations

from typing import Any, NoReturn

import click

from hucheng.cli import print_json
from hucheng.errors import HuchengError

ASKED = "hucheng.cli.answering"


class Answering(click.Group):
    """With ``--json`` an error is ``{"error": {"kind", "what", "where", "mend", …}}`` on standard output.

    The exit status is that of the error without ``--json``.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[ASKED] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        if not ctx.meta[ASKED]:
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except HuchengError as error:
            _answer(error.exit_code, error.code, error.what, error.where, error.mend, error.details)
        except click.ClickException as error:
            inner = error.ctx if isinstance(error, click.UsageError) and error.ctx else ctx
            mend = f"see: {inner.command_path} --help"
            _answer(error.exit_code, type(error).__name__, error.format_message(), inner.command_path, mend, {})


def _answer(
    status: int, kind: str, what: str, where: str | None, mend: str | None, details: dict[str, Any]
) -> NoReturn:
    print_json({"error": {"kind": kind, "what": what, "where": where, "mend": mend, **details}})
    raise SystemExit(status)
