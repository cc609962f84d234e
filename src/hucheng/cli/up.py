"""``hucheng up``: start a node and keep it running until Ctrl-C."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import click

HOME = click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False), help="Folder of the node (default: home)."
)


@click.command()
@HOME
@click.option("--port", type=int, help="Port of the site (default 8640).")
@click.option("--residents", type=int, help="Size of the synthetic city (default 20000); at the first start only.")
@click.option("--no-demo", is_flag=True, help="A real start: identities from OpenID Connect, no synthetic city.")
@click.option("--no-feed", is_flag=True, help="Demo city without simulated devices.")
@click.option("--intakes", type=int, help="Partitions of homes, 1 to 4; at the first start only.")
@click.option("--sync", type=click.Choice(["always", "interval"]), help="When the broker writes through to the disk.")
def up(
    home: Path | None,
    port: int | None,
    residents: int | None,
    no_demo: bool,
    no_feed: bool,
    intakes: int | None,
    sync: str | None,
) -> None:
    """Start a node: broker, intake, steward, web. Ctrl-C stops all of it.

    The first start makes the home: keys, ledger and, unless --no-demo, the synthetic city Linjiang with simulated home
    devices. Later starts find everything as it was.
    """
    began = time.monotonic()
    from hucheng.node.home import creation
    from hucheng.node.running import logs, remains
    from hucheng.node.running.assembly import specs
    from hucheng.node.running.supervisor import HomeLock, Supervisor, with_free_ports
    from hucheng.settings import Settings

    given: dict[str, Any] = {"port": port, "residents": residents, "intakes": intakes, "sync": sync}
    settings = Settings.load(home, **given, demo=False if no_demo else None, feed=False if no_feed else None)
    creation.kept(settings, given)  # refused before anything is made
    creation.fit(settings)
    os.umask(0o077)  # of this process and its parts: what the node writes is for its own user
    lock = HomeLock(settings.home)
    try:
        logs.configure("up")
        remains.end_remains(settings)
        settings = with_free_ports(creation.kept(settings, given))
        if creation.is_new(settings):
            click.echo(f"首次启动 / first start: {settings.home}")
            rooms = creation.create(settings)
            try:
                if settings.demo:
                    from hucheng.city.create import create as create_city

                    click.echo(f"  创建临江市 / making the city Linjiang: {settings.residents:,} …")
                    create_city(settings, rooms=rooms)
                creation.seal(settings, rooms)
            finally:
                rooms.close()
        else:
            creation.upgrade(settings)
        settings.write_running()
        extra = {"feed": "hucheng.city.feeds"} if settings.demo and settings.feed else {}
        supervisor = Supervisor(settings.home, specs(settings, extra))
        supervisor.run(lambda: _greet(settings, time.monotonic() - began))
        click.echo("已停止 / stopped")
    finally:
        lock.release()


def _greet(settings: Any, seconds: float) -> None:
    """Say where to go."""
    click.echo(f"\n护城 Hucheng 就绪 / ready in {seconds:.1f} s   {settings.site}")
    click.echo(f"  MQTT      127.0.0.1:{settings.mqtt_port}")
    click.echo(f"  home      {settings.home}")
    if settings.demo:
        from hucheng.city.create import personas

        click.echo("\n演示身份（全部为虚构人物）/ demo identities (nobody real) – sign in here:")
        for persona in personas(settings):
            click.echo(
                f"  {persona.title['zh']} / {persona.title['en']}: {settings.site}/sign-in?as={persona.principal.id}"
            )
    else:
        click.echo(f"\n登录 / sign in: {settings.site}/sign-in  (OpenID Connect: {settings.oidc_issuer})")
    for line in _waiting(settings):
        click.echo(line)
    click.echo("\nCtrl-C 停止 / stops it.\n")


def _waiting(settings: Any) -> list[str]:
    """What apps ask for and the bureau has not accepted: until it does, these apps do not look, or show nothing."""
    from hucheng.node.home.rooms import open_rooms

    rooms = open_rooms(settings, migrate=False)
    try:
        asked = rooms.purposes.waiting()
    finally:
        rooms.close()
    if not asked:
        return []
    told = {
        "requested": "等待批准 / waits",
        "refused": "已拒绝 / refused",
        "accepted": "已变更，须重新批准 / changed since",
    }
    lines = [f"  {told[one.state]}: {one.kind} {one.id}  (app {one.app})" for one in asked]
    how = '  hucheng apps accept KIND ID --assessment "…"'
    return ["\n数据局尚未批准的申请 / requests the data bureau has not accepted:", *lines, how]
