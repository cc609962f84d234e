"""Publishing over MQTT: nobody waits for ever for a broker that acknowledges nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from hucheng.base.broker import HOST
from hucheng.base.credentials import Credential
from hucheng.base.sources.mqtt import Publisher
from hucheng.errors import Unavailable

CONNACK = bytes([0x20, 2, 0, 0])
PUBACK = 0x40


@pytest.fixture
def mute() -> Iterator[int]:
    """The port of a broker that lets everybody in, acknowledges the first message, and no other."""
    with socket.create_server((HOST, 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(1024)
                peer.sendall(CONNACK)
                peer.recv(1024)
                peer.sendall(bytes([PUBACK, 2, 0, 1]))
                while peer.recv(1024):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_waiting_ends_when_nothing_is_acknowledged(mute: int) -> None:
    publisher = Publisher(Credential("gw-1", "token"), mute, in_flight=2, patience_s=3)
    try:
        publisher.publish("readings/gw-1/d", b"1")
        assert publisher.wait(10) and publisher.acknowledged == 1
        with pytest.raises(Unavailable, match=r"acknowledged nothing.*hucheng status"):
            for n in range(3):
                publisher.publish("readings/gw-1/d", b"%d" % n)
        assert publisher.acknowledged == 1
    finally:
        publisher.close()
