"""``hucheng cases``: list cases under the purpose ``cases.inspect``, journaled like any other look."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from hucheng.cli import print_json
from hucheng.cli.beside import Beside, node_options

PAGE = 500


@click.command()
@click.option("--kind", help="Only this kind, e.g. care.alarm.")
@click.option("--open", "open_only", is_flag=True, help="Only cases that are not closed.")
@click.option("--json", "as_json", is_flag=True, help="A list of objects.")
@node_options
def cases(kind: str | None, open_only: bool, as_json: bool, home: Path | None, principal_id: str | None) -> None:
    """List cases, the oldest first.

    Where the purpose does not show what a case says of the person, rule and reasons say it in words.
    """
    from hucheng.cases.desk import Desk
    from hucheng.cases.views import CaseRow
    from hucheng.cli.words import CaseWords

    rows: list[CaseRow] = []
    with Beside(home, principal_id) as node:
        settings, principal = node.settings, node.principal()
        desk = node.ask(Desk, "desk")
        while True:
            page = desk.queue(principal, kind=kind, open_only=open_only, limit=PAGE, offset=len(rows), order="oldest")
            rows += page.cases
            if not page.cases or len(rows) >= page.total:
                break
    said = CaseWords(settings)
    rows = [msgspec.structs.replace(row, title=said.title(row), text=said.text(row)) for row in rows]
    if as_json:
        print_json(msgspec.to_builtins(rows))
        return
    simulated = {"zh": "  [模拟]", "en": "  [simulated]"}[settings.language]
    for row in rows:
        text = f"{row.title[settings.language]}: {row.text[settings.language]}"
        click.echo(
            f"{row.id}  {row.opened_at:%Y-%m-%d %H:%M:%S}  {row.kind:<12} {row.rule:<18} {row.state:<9} "
            f"{row.resident_id}  {text}{simulated if row.simulated else ''}"
        )
    click.echo(f"{len(rows)} cases", err=True)
