"""The local socket between the processes of one node, as callers have it: every call ends, answered or not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from hucheng import errors
from hucheng.base.rpc import HEAD, NIL, WITHIN_S, Signature, WireError, call_frame, read_frame, signatures

T = TypeVar("T")

_raw_answer = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw, msgspec.Raw])
_error_reader = msgspec.msgpack.Decoder(WireError | None)


def _gone(path: Path) -> errors.Unavailable:
    return errors.Unavailable(
        "the steward does not answer", where=str(path), mend="is the node running? start it with `hucheng up`"
    )


def _late(path: Path, within_s: float) -> errors.Unavailable:
    return errors.Unavailable(
        f"the steward did not answer in {within_s:g} s", where=str(path), mend="try again; `hucheng status` says more"
    )


class Client:
    """One connection to a Server, shared by many callers; opened when first needed and again after a loss."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._number = 0
        self._writer: asyncio.StreamWriter | None = None
        self._listener: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    async def call(self, name: str, arguments: dict[str, Any], within_s: float = WITHIN_S) -> msgspec.Raw:
        """Call a method by its full name; returns the undecoded result or raises the other side's error.

        Raises Unavailable where nobody answers in that time, also where the other side only stands still.
        """
        try:
            async with asyncio.timeout(within_s) as limit:
                return await self._called(name, arguments)
        except TimeoutError as error:
            if limit.expired():
                raise _late(self.path, within_s) from error
            raise

    async def _called(self, name: str, arguments: dict[str, Any]) -> msgspec.Raw:
        self._number += 1
        number = self._number
        frame = call_frame(number, name, arguments)
        writer = await self._connected()
        future: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            writer.write(frame)
            return await future
        except (ConnectionError, RuntimeError) as error:
            raise _gone(self.path) from error
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()
        self._writer = self._listener = None

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._lock:
            if self._writer is None or self._writer.is_closing():
                try:
                    reader, self._writer = await asyncio.open_unix_connection(str(self.path), limit=1 << 20)
                except OSError as error:
                    raise _gone(self.path) from error
                self._listener = asyncio.create_task(self._listen(reader, self._writer))
            return self._writer

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                number, result, failed = _raw_answer.decode(await read_frame(reader))
                future = self._waiting.get(number)
                if future is None or future.done():
                    continue
                if bytes(failed) == NIL:
                    future.set_result(result)
                else:
                    wire = _error_reader.decode(failed)
                    future.set_exception(cast(WireError, wire).rebuild())
        except (asyncio.IncompleteReadError, ConnectionError, ValueError, msgspec.DecodeError):
            pass
        finally:
            writer.close()
            if self._writer is writer:
                self._writer = None
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(_gone(self.path))


class SyncClient:
    """A plain blocking connection for the command line: one call at a time.

    ``timeout_s``: what each call waits for its answer, instead of what its method says.
    """

    def __init__(self, path: Path, timeout_s: float | None = None) -> None:
        self.path = path
        self._timeout_s = timeout_s
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s or WITHIN_S)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise _gone(path) from error
        self._number = 0

    def call(self, name: str, arguments: dict[str, Any], within_s: float = WITHIN_S) -> msgspec.Raw:
        """Call a method by its full name; returns the undecoded result or raises the other side's error.

        Raises Unavailable where nobody answers in that time; the connection is of no more use then.
        """
        self._number += 1
        within_s = self._timeout_s or within_s
        self._socket.settimeout(within_s)
        frame = call_frame(self._number, name, arguments)
        try:
            self._socket.sendall(frame)
            (length,) = HEAD.unpack(self._exactly(HEAD.size))
            _, result, failed = _raw_answer.decode(self._exactly(length))
        except TimeoutError as error:
            self.close()  # the answer may still come, and would be taken for the next one's
            raise _late(self.path, within_s) from error
        except OSError as error:
            raise _gone(self.path) from error
        if bytes(failed) != NIL:
            raise cast(WireError, _error_reader.decode(failed)).rebuild()
        return result

    def close(self) -> None:
        """Let go of the connection."""
        self._socket.close()

    def __enter__(self) -> SyncClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _exactly(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self._socket.recv(min(1 << 20, count - len(parts)))
            if not part:
                raise ConnectionResetError("closed")
            parts += part
        return bytes(parts)


def proxy(kind: type[T], client: Client, name: str) -> T:
    """An object with the exposed methods of ``kind``, each a coroutine that calls ``name.<method>``."""
    return cast(T, _bound(kind, name, lambda call, read: _async_method(client, call, read)))


def sync_proxy(kind: type[T], client: SyncClient, name: str) -> T:
    """The same over a blocking connection: each method returns its result."""
    return cast(T, _bound(kind, name, lambda call, read: _sync_method(client, call, read)))


def _bound(kind: type, name: str, make: Callable[[str, Signature], Any]) -> object:
    methods = {method: make(f"{name}.{method}", read) for method, read in signatures(kind).items()}
    return type(f"{kind.__name__}Proxy", (), {key: staticmethod(value) for key, value in methods.items()})()


def _named(read: Signature, args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(read.names, args, strict=False)) | named


def _async_method(client: Client, call: str, read: Signature) -> Callable[..., Awaitable[Any]]:
    async def method(*args: Any, **named: Any) -> Any:
        return read.result.decode(await client.call(call, _named(read, args, named), read.within_s))

    return method


def _sync_method(client: SyncClient, call: str, read: Signature) -> Callable[..., Any]:
    def method(*args: Any, **named: Any) -> Any:
        return read.result.decode(client.call(call, _named(read, args, named), read.within_s))

    return method
