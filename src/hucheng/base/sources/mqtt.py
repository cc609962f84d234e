"""Publishing readings over MQTT as a gateway does: QoS 1, and nothing forgotten before its PUBACK."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from hucheng.base.broker import HOST
from hucheng.base.credentials import Credential
from hucheng.errors import StreamError, Unavailable


class Publisher:
    """One MQTT connection of one user. ``on_ack`` is told each token once its message was acknowledged.

    It comes back by itself when the broker does, and sends again what was not acknowledged (so a message may be stored
    twice: its readings count as duplicates then). ``patience_s``: how long nothing may be acknowledged while `publish`
    waits; None: for ever, as a gateway does.
    """

    def __init__(
        self,
        credential: Credential,
        port: int,
        *,
        in_flight: int = 64,
        on_ack: Callable[[Any], None] | None = None,
        patience_s: float | None = None,
    ) -> None:
        self._tokens: dict[int, Any] = {}
        self._early: set[int] = set()
        self._lock = threading.Condition()
        self._most = in_flight
        self._on_ack = on_ack
        self._patience_s = patience_s
        self._heard = time.monotonic()
        self.acknowledged = 0
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"{credential.user}-{time.monotonic_ns():x}", protocol=mqtt.MQTTv311
        )
        self._client.username_pw_set(credential.user, credential.token)
        self._client.max_inflight_messages_set(in_flight)
        self._client.reconnect_delay_set(0.1, 2)  # type: ignore[arg-type]
        self._client.on_publish = self._acked
        self._refused: str | None = None
        self._client.on_connect = self._connected
        try:
            self._client.connect(HOST, port, keepalive=30)
        except OSError as error:
            raise StreamError("the broker does not answer", where=f"{HOST}:{port}", mend="start the node") from error
        self._client.loop_start()

    def settle(self, timeout_s: float) -> None:
        """Wait until the broker has let us in; StreamError when it does not."""
        deadline = time.monotonic() + timeout_s
        with self._lock:
            while not self._client.is_connected():
                self._check()
                if time.monotonic() >= deadline:
                    raise StreamError("the broker does not let us in", where="MQTT", mend="see the broker's log")
                self._lock.wait(0.05)

    def publish(self, topic: str, body: bytes, token: Any = None) -> None:
        """Hand over a message; waits while too many are not yet acknowledged.

        Raises StreamError when we are refused, Unavailable when the patience is at its end.
        """
        with self._lock:
            if not self._tokens:
                self._heard = time.monotonic()
            while len(self._tokens) >= self._most:
                self._lock.wait(0.5 if self._patience_s is None else min(0.5, self._patience_s))
                self._check()
                if self._patience_s is not None and time.monotonic() - self._heard > self._patience_s:
                    raise Unavailable(
                        f"the broker acknowledged nothing for {self._patience_s:g} seconds",
                        where="MQTT",
                        mend="see `hucheng status`: is the disk full? What was acknowledged is kept: run it again",
                    )
        self._check()
        info = self._client.publish(topic, body, qos=1)
        with self._lock:
            if info.mid in self._early:
                self._early.discard(info.mid)
                self._done(token)
            else:
                self._tokens[info.mid] = token

    def wait(self, timeout_s: float) -> bool:
        """Wait until everything is acknowledged; False when it is not in time."""
        deadline = time.monotonic() + timeout_s
        with self._lock:
            while self._tokens:
                self._check()
                if time.monotonic() >= deadline:
                    return False
                self._lock.wait(0.2)
        return True

    def close(self) -> None:
        """End the connection."""
        self._client.disconnect()
        self._client.loop_stop()

    def _acked(self, client: Any, userdata: Any, mid: int, *rest: Any) -> None:
        with self._lock:
            if mid in self._tokens:
                self._done(self._tokens.pop(mid))
                self._lock.notify_all()
            else:
                self._early.add(mid)

    def _done(self, token: Any) -> None:
        self.acknowledged += 1
        self._heard = time.monotonic()
        if self._on_ack is not None:
            self._on_ack(token)

    def _connected(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refused = str(reason)

    def _check(self) -> None:
        if self._refused:
            raise StreamError(f"the broker refuses us: {self._refused}", where="MQTT", mend="check user and token")
