"""``hucheng replay``: send a file of readings through the node's broker, and say what became of it."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from hucheng.cli import print_json
from hucheng.cli.beside import Beside

AT_ONCE = 50_000


class Speed(click.ParamType[float]):
    """A number over zero; neither infinity nor what is no number."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            speed = float(value)
        except ValueError:
            speed = math.nan
        if not (math.isfinite(speed) and speed > 0):
            self.fail(f"“{value}” is no speed: a number over 0, e.g. 60", param, ctx)
        return speed


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--as", "dataset", required=True, help="Dataset of the readings, e.g. home.blood_pressure.")
@click.option("--speed", type=Speed(), help="Times real time (default: as acknowledged).")
@click.option("--enrol", is_flag=True, help="Enter the file's residents and devices first (demo city only).")
@click.option("--live", is_flag=True, help="History raises alarms too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="Folder of the node (default: home).")
def replay(
    file: Path, dataset: str, speed: float | None, enrol: bool, live: bool, as_json: bool, home: Path | None
) -> None:
    """Publish FILE (.csv, .csv.gz or .parquet: resident_id, device_id, metric, observed_at, value, unit).

    Goes over MQTT like every reading, keeps observed_at, returns when everything is acknowledged and committed. The
    same file again adds nothing.
    """
    from hucheng.base.devices import DeviceRow
    from hucheng.base.sources.files import FileSource
    from hucheng.errors import BadRequest
    from hucheng.node.home.rooms import catalogue_of
    from hucheng.node.replay import replay as play
    from hucheng.node.steward.enrolment import Enrolment, NewDevice

    with Beside(home) as node:
        from hucheng.apps import load_apps

        contract = catalogue_of(load_apps()).get(dataset)
        source = FileSource(file)
        source.check(contract)
        principal = node.principal()
        desk = node.ask(Enrolment, "enrolment")
        named = source.devices()
        if enrol:
            nameless = [device for device, resident in named if not resident]
            if nameless:
                raise BadRequest(
                    f"device {nameless[0]!r} has no resident_id", where=str(file), mend="--enrol needs it on every row"
                )
            wanted = [NewDevice(device, str(resident), dataset) for device, resident in named]
            for start in range(0, len(wanted), AT_ONCE):
                desk.devices(principal, wanted[start : start + AT_ONCE])
        ids = [device for device, _ in named]
        ways: dict[str, DeviceRow] = {}
        for start in range(0, len(ids), AT_ONCE):
            ways |= {row.device_id: row for row in desk.ways(principal, ids[start : start + AT_ONCE])}
        settings = node.settings

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty() and not as_json:
            click.echo(f"\r{done:,} of {total:,}", err=True, nl=done >= total)

    counts = play(settings, file, contract, ways, speed=speed, live=live, progress=progress)
    told = msgspec.to_builtins(counts)
    if as_json:
        print_json(told)
        return
    for name, value in told.items():
        click.echo(f"{name:<12} {value:>12,}")
