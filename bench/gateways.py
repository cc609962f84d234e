"""Community gateways as a program: each sends its homes' readings once a second over MQTT, and one sends urgent ones.

``python -m bench.gateways PLAN.json``: a bare MQTT client on asyncio, because 150 threads of a full one would measure
themselves. Prints what was acknowledged as JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import struct
import sys
import time
from pathlib import Path
from typing import Any


def text(value: str) -> bytes:
    return struct.pack("!H", len(value.encode())) + value.encode()


def packet(kind: int, body: bytes) -> bytes:
    size, length = len(body), bytearray()
    while True:
        size, part = divmod(size, 128)
        length.append(part | (0x80 if size else 0))
        if not size:
            return bytes([kind]) + bytes(length) + body


class Gateway:
    """One connection; ``acknowledged`` counts readings whose PUBACK came."""

    def __init__(self, user: str, token: str, port: int) -> None:
        self.user, self.token, self.port = user, token, port
        self.sent = self.acknowledged = 0
        self._number = 0
        self._open: dict[int, int] = {}

    async def connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        head = text("MQTT") + bytes([4, 0xC2]) + struct.pack("!H", 300)
        self._writer.write(packet(0x10, head + text(self.user) + text(self.user) + text(self.token)))
        answer = await self._reader.readexactly(4)
        assert answer[3] == 0, f"refused: {answer!r}"
        self._listening = asyncio.create_task(self._listen())

    async def publish(self, topic: str, body: bytes, readings: int) -> None:
        self._number = self._number % 65535 + 1
        self._open[self._number] = readings
        self.sent += readings
        self._writer.write(packet(0x32, text(topic) + struct.pack("!H", self._number) + body))
        await self._writer.drain()

    async def _listen(self) -> None:
        while True:
            kind, size = await self._reader.readexactly(2)
            body = await self._reader.readexactly(size)
            if kind == 0x40:
                self.acknowledged += self._open.pop(struct.unpack("!H", body[:2])[0])

    async def close(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while self._open and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        self._listening.cancel()
        self._writer.close()


def columns(devices: list[dict[str, Any]]) -> tuple[str, str]:
    """What stays the same of a batch, before and after its times."""
    names = {
        key: json.dumps([d[key] for d in devices], separators=(",", ":")) for key in ("device_id", "metric", "unit")
    }
    values = json.dumps([d["value"] for d in devices], separators=(",", ":"))
    head = f'{{"columns":{{"device_id":{names["device_id"]},"metric":{names["metric"]},"unit":{names["unit"]},'
    return f'{head}"value":{values},"observed_at":[', "]}}"


async def steady(gateway: Gateway, name: str, devices: list[dict[str, Any]], batch: int, end: float) -> None:
    """All devices once a second, in batches spread over it."""
    pieces = [devices[i : i + batch] for i in range(0, len(devices), batch)]
    parts = [(*columns(piece), len(piece)) for piece in pieces]
    step = 1.0 / len(parts)
    due = time.monotonic() + random.random()
    number = 0
    while due < end:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        head, tail, size = parts[number % len(parts)]
        at = str(time.time_ns() // 1000)
        body = head + ",".join([at] * size) + tail
        await gateway.publish(f"readings/{name}/batch", body.encode(), size)
        number += 1
        due += step


async def urgent(gateway: Gateway, name: str, devices: list[str], per_second: float, end: float) -> None:
    """Single crises, each of another device."""
    for device in devices:
        if time.monotonic() >= end:
            return
        body = {"device_id": device, "metric": "systolic_bp", "observed_at": time.time_ns() // 1000, "value": 190}
        await gateway.publish(f"readings/{name}/{device}", json.dumps({**body, "unit": "mm[Hg]"}).encode(), 1)
        await asyncio.sleep(1 / per_second)


async def main(plan: dict[str, Any]) -> None:
    end = time.monotonic() + plan["seconds"]
    gateways = [Gateway(g["user"], g["token"], plan["port"]) for g in plan["gateways"]]
    for gateway in gateways:
        await gateway.connect()
    tasks = []
    for gateway, given in zip(gateways, plan["gateways"], strict=True):
        if given.get("urgent"):
            tasks.append(urgent(gateway, given["name"], given["urgent"], plan["urgent_per_s"], end))
        else:
            tasks.append(steady(gateway, given["name"], given["devices"], plan["batch"], end))
    began = time.monotonic()
    await asyncio.gather(*tasks)
    took = time.monotonic() - began
    acknowledged = sum(g.acknowledged for g in gateways)
    for gateway in gateways:
        await gateway.close(60)
    print(
        json.dumps(
            {
                "sent": sum(g.sent for g in gateways),
                "acknowledged": sum(g.acknowledged for g in gateways),
                "acknowledged_in_time": acknowledged,
                "seconds": took,
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
