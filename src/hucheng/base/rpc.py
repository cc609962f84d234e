"""The local socket between the processes of one node: typed calls, many at once on one connection.

A frame is four bytes of length (big endian) and a msgpack array: ``[id, "object.method", arguments]`` one way,
``[id, result, error]`` the other. Arguments and results are whatever msgspec can carry; both sides read them with
the method's own annotations, so that what arrives has the promised types. An error crosses with its class, so that a
refusal in the steward is a refusal in the page.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

import msgspec

from hucheng import errors

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

MAX_FRAME = 64 * 1024 * 1024
_HEAD = struct.Struct(">I")
_PEER = struct.Struct("3i")
_encode = msgspec.msgpack.Encoder().encode
_raw_call = msgspec.msgpack.Decoder(tuple[int, str, msgspec.Raw])
_raw_answer = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw, msgspec.Raw])
_NIL = b"\xc0"


def exposed(method: F) -> F:
    """Mark a method that may be called over the socket."""
    method.__exposed__ = True  # type: ignore[attr-defined]
    return method


class _Signature:
    """Readers for one method's arguments and result, made once from its annotations."""

    def __init__(self, method: Callable[..., Any]) -> None:
        hints = get_type_hints(inspect.unwrap(method))
        self.names = [name for name in inspect.signature(method).parameters if name != "self"]
        fields: list[Any] = []
        for name, parameter in inspect.signature(method).parameters.items():
            if name == "self":
                continue
            kind = hints.get(name, Any)
            if parameter.default is inspect.Parameter.empty:
                fields.append((name, kind))
            elif isinstance(parameter.default, (list, dict)):
                fields.append((name, kind, msgspec.field(default_factory=type(parameter.default))))
            else:
                fields.append((name, kind, parameter.default))
        arguments = msgspec.defstruct("Arguments", fields, forbid_unknown_fields=True, kw_only=True)
        self.arguments = msgspec.msgpack.Decoder(arguments)
        self.result = msgspec.msgpack.Decoder(hints.get("return", Any))


def _signatures(kind: type) -> dict[str, _Signature]:
    return {
        name: _Signature(method)
        for name, method in inspect.getmembers(kind, callable)
        if getattr(method, "__exposed__", False)
    }


class _WireError(msgspec.Struct):
    """An error as it crosses the socket."""

    code: str
    what: str
    where: str | None = None
    mend: str | None = None
    details: dict[str, Any] = {}

    @classmethod
    def of(cls, error: BaseException) -> _WireError:
        if isinstance(error, errors.HuchengError):
            return cls(error.code, error.what, error.where, error.mend, error.details)
        return cls("HuchengError", f"{type(error).__name__}: {error}", "inside the steward", None)

    def rebuild(self) -> errors.HuchengError:
        kind = errors.kinds().get(self.code, errors.HuchengError)
        return kind(self.what, where=self.where, mend=self.mend, **self.details)


_error_reader = msgspec.msgpack.Decoder(_WireError | None)


class Server:
    """Serves the exposed methods of some objects on a Unix socket that only this user can open.

    Plain methods run in a pool of threads, coroutine methods on the loop.
    """

    def __init__(self, path: Path, objects: Mapping[str, object], threads: int = 16) -> None:
        self.path = path
        self._methods: dict[str, tuple[Callable[..., Any], _Signature]] = {}
        for name, served in objects.items():
            for method, signature in _signatures(type(served)).items():
                self._methods[f"{name}.{method}"] = (getattr(served, method), signature)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="rpc")
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. A socket file left behind by a killed process is replaced."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, str(self.path), limit=1 << 20)
        self.path.chmod(0o600)

    async def stop(self) -> None:
        """Stop listening and let go of every connection."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not _same_user(writer.get_extra_info("socket")):
            writer.close()
            return
        self._open.add(writer)
        try:
            while True:
                frame = await _read_frame(reader)
                task = asyncio.create_task(self._answer(frame, writer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, frame: bytes, writer: asyncio.StreamWriter) -> None:
        number = 0
        try:
            number, name, raw = _raw_call.decode(frame)
            found = self._methods.get(name)
            if found is None:
                raise errors.NotFound(f"no method {name!r}", where=str(self.path))
            method, signature = found
            given = signature.arguments.decode(raw)
            arguments = {key: getattr(given, key) for key in signature.names}
            if inspect.iscoroutinefunction(method):
                result = await method(**arguments)
            else:
                loop = asyncio.get_running_loop()
                result = await loop.run_in_executor(self._pool, lambda: method(**arguments))
            body = b"\x93" + _encode(number) + _encode(result) + _NIL
        except msgspec.ValidationError as error:
            wrong = errors.BadRequest(f"arguments do not fit: {error}", where=str(self.path))
            body = b"\x93" + _encode(number) + _NIL + _encode(_WireError.of(wrong))
        except Exception as error:
            body = b"\x93" + _encode(number) + _NIL + _encode(_WireError.of(error))
        with contextlib.suppress(ConnectionError, RuntimeError):
            writer.write(_HEAD.pack(len(body)) + body)
            await writer.drain()


def _same_user(sock: socket.socket) -> bool:
    """True where the other end of a Unix socket runs as this user or as root (without SO_PEERCRED the mode says)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    _, uid, _ = _PEER.unpack(raw)
    return uid in (os.getuid(), 0)


async def _read_frame(reader: asyncio.StreamReader) -> bytes:
    (length,) = _HEAD.unpack(await reader.readexactly(_HEAD.size))
    if length > MAX_FRAME:
        raise ValueError(f"a frame of {length} bytes is over the limit")
    return await reader.readexactly(length)


def _gone(path: Path) -> errors.Unavailable:
    return errors.Unavailable(
        "the steward does not answer", where=str(path), mend="is the node running? start it with `hucheng up`"
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

    async def call(self, name: str, arguments: dict[str, Any]) -> msgspec.Raw:
        """Call a method by its full name; returns the undecoded result or raises the other side's error."""
        writer = await self._connected()
        self._number += 1
        number = self._number
        future: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        body = _encode([number, name, arguments])
        try:
            writer.write(_HEAD.pack(len(body)) + body)
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
                number, result, failed = _raw_answer.decode(await _read_frame(reader))
                future = self._waiting.get(number)
                if future is None or future.done():
                    continue
                if bytes(failed) == _NIL:
                    future.set_result(result)
                else:
                    wire = _error_reader.decode(failed)
                    future.set_exception(cast(_WireError, wire).rebuild())
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
    """A plain blocking connection for the command line: one call at a time."""

    def __init__(self, path: Path, timeout_s: float = 60.0) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise _gone(path) from error
        self._number = 0

    def call(self, name: str, arguments: dict[str, Any]) -> msgspec.Raw:
        """Call a method by its full name; returns the undecoded result or raises the other side's error."""
        self._number += 1
        body = _encode([self._number, name, arguments])
        try:
            self._socket.sendall(_HEAD.pack(len(body)) + body)
            (length,) = _HEAD.unpack(self._exactly(_HEAD.size))
            _, result, failed = _raw_answer.decode(self._exactly(length))
        except OSError as error:
            raise _gone(self.path) from error
        if bytes(failed) != _NIL:
            raise cast(_WireError, _error_reader.decode(failed)).rebuild()
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


def _bound(kind: type, name: str, make: Callable[[str, _Signature], Any]) -> object:
    methods = {method: make(f"{name}.{method}", read) for method, read in _signatures(kind).items()}
    return type(f"{kind.__name__}Proxy", (), {key: staticmethod(value) for key, value in methods.items()})()


def _named(read: _Signature, args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(read.names, args, strict=False)) | named


def _async_method(client: Client, call: str, read: _Signature) -> Callable[..., Awaitable[Any]]:
    async def method(*args: Any, **named: Any) -> Any:
        return read.result.decode(await client.call(call, _named(read, args, named)))

    return method


def _sync_method(client: SyncClient, call: str, read: _Signature) -> Callable[..., Any]:
    def method(*args: Any, **named: Any) -> Any:
        return read.result.decode(client.call(call, _named(read, args, named)))

    return method
