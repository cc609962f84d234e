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
    """List cases, the oldest first."""
    from hucheng.cases.desk import Desk
    from hucheng.cases.views import CaseRow

    rows: list[CaseRow] = []
    with Beside(home, principal_id) as node:
        principal = node.principal()
        desk = node.ask(Desk, "desk")
        while True:
            page = desk.queue(principal, kind=kind, open_only=open_only, limit=PAGE, offset=len(rows), order="oldest")
            rows += page.cases
            if not page.cases or len(rows) >= page.total:
                break
    if as_json:
        print_json(msgspec.to_builtins(rows))
        return
    for row in rows:
        click.echo(
            f"{row.id}  {row.opened_at:%Y-%m-%d %H:%M:%S}  {row.kind:<12} {row.rule:<18} {row.state:<9} "
            f"{row.resident_id}  {row.text.get('zh', '')}{'  [模拟 simulated]' if row.simulated else ''}"
        )
    click.echo(f"{len(rows)} cases", err=True)
