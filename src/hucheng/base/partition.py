"""Which partition a gateway's readings go to: the same function as the broker's own subject mapping."""

from __future__ import annotations


def partition_of(gateway: str, partitions: int) -> int:
    """FNV-1a (32 bit) of the gateway's id modulo the number of partitions, as NATS's ``partition(n, token)``.

    >>> partition_of("gw-1", 1)
    0
    """
    digest = 2166136261
    for byte in gateway.encode():
        digest = ((digest ^ byte) * 16777619) & 0xFFFFFFFF
    return digest % partitions
