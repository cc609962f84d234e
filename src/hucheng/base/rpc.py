"""The local socket between the processes of one node, as the serving side has it; `rpcclient` is the other.

A frame is four bytes of length (big endian) and a msgpack array: ``[id, "object.method", arguments]`` one way,
``[id, result, error]`` the other. Arguments and results are whatever msgspec can carry; both sides read them with
the method's own annotations, so that what arrives has the promised types. An error crosses with its class, so that a
refusal in the steward is a refusal in the page. Many calls are under way at once on one connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import socket
import struct
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, get_type_hints, overload

import msgspec

from hucheng import errors
from hucheng.base.misfits import misfit
from hucheng.base.nul import refuse_nul

F = TypeVar("F", bound=Callable[..., Any])
Refusing = Callable[[str, Mapping[str, Any], errors.Refused], errors.Refused]

WITHIN_S = 10.0
"""What a caller waits for an answer, where the method says nothing else."""
MAX_FRAME = 64 * 1024 * 1024
HEAD = struct.Struct(">I")
_PEER = struct.Struct("3i")
encode = msgspec.msgpack.Encoder().encode
_raw_call = msgspec.msgpack.Decoder(tuple[int, str, msgspec.Raw])
NIL = b"\xc0"


@overload
def exposed(method: F) -> F: ...
@overload
def exposed(*, within_s: float) -> Callable[[F], F]: ...
def exposed(method: F | None = None, *, within_s: float = WITHIN_S) -> F | Callable[[F], F]:
    """Mark a method that may be called over the socket; whoever calls it waits ``within_s`` seconds for the answer."""

    def marked(method: F) -> F:
        method.__exposed__ = within_s  # type: ignore[attr-defined]
        return method

    return marked if method is None else marked(method)


class Signature:
    """Readers for one method's arguments and result, made once from its annotations."""

    def __init__(self, method: Callable[..., Any]) -> None:
        parameters = [p for p in inspect.signature(method).parameters.values() if p.name != "self"]
        self.takes = ", ".join(map(_spelt, parameters))
        hints = get_type_hints(inspect.unwrap(method))
        self.within_s: float = getattr(method, "__exposed__", WITHIN_S)
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

    def read(self, call: str, raw: msgspec.Raw) -> dict[str, Any]:
        """The arguments of a call, by name. Raises BadRequest naming call and argument."""
        try:
            refuse_nul(raw, call)
            given = self.arguments.decode(raw)
        except msgspec.DecodeError as error:
            raise misfit(call, error, f"it takes ({self.takes})") from None
        return {name: getattr(given, name) for name in self.names}


def _spelt(parameter: inspect.Parameter) -> str:
    """A parameter as its author wrote it."""
    kind, default = parameter.annotation, parameter.default
    shown = kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
    return f"{parameter.name}: {shown}" + ("" if default is inspect.Parameter.empty else f" = {default!r}")


def call_frame(number: int, call: str, arguments: dict[str, Any]) -> bytes:
    """A call as it crosses the socket. Raises BadRequest for what cannot be sent, TooLarge."""
    try:
        body = encode([number, call, arguments])
    except (TypeError, ValueError, OverflowError) as error:
        what = f"an argument cannot be sent: {error}"
        raise errors.BadRequest(what, where=call, mend="texts, numbers, times and lists of these can be") from None
    if len(body) > MAX_FRAME:
        what = f"a call of {len(body) >> 20} MB, at most {MAX_FRAME >> 20}"
        raise errors.TooLarge(what, where=call, mend="give less at once")
    return HEAD.pack(len(body)) + body


def signatures(kind: type) -> dict[str, Signature]:
    """The exposed methods of a class, by name."""
    return {
        name: Signature(method)
        for name, method in inspect.getmembers(kind, callable)
        if getattr(method, "__exposed__", None)
    }


class WireError(msgspec.Struct):
    """An error as it crosses the socket."""

    code: str
    what: str
    where: str | None = None
    mend: str | None = None
    details: dict[str, Any] = {}

    @classmethod
    def of(cls, error: BaseException) -> WireError:
        """As it is told; an error that is not ours by its class and text."""
        if isinstance(error, errors.HuchengError):
            return cls(error.code, error.what, error.where, error.mend, error.details)
        return cls("HuchengError", f"{type(error).__name__}: {error}", "inside the steward", None)

    def rebuild(self) -> errors.HuchengError:
        """As it is raised again on the other side."""
        kind = errors.kinds().get(self.code, errors.HuchengError)
        return kind(self.what, where=self.where, mend=self.mend, **self.details)


class Server:
    """Serves the exposed methods of some objects on a Unix socket that only this user can open.

    Plain methods run in a pool of threads, coroutine methods on the loop. Every refusal goes out through ``refused``
    (call, arguments, refusal), which may write it down.
    """

    def __init__(
        self, path: Path, objects: Mapping[str, object], threads: int = 16, refused: Refusing | None = None
    ) -> None:
        self.path = path
        self._refused = refused
        self._methods: dict[str, tuple[Callable[..., Any], Signature]] = {}
        for name, served in objects.items():
            for method, signature in signatures(type(served)).items():
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
                frame = await read_frame(reader)
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
            body = b"\x93" + encode(number) + encode(await self._called(name, raw)) + NIL
        except Exception as error:
            body = b"\x93" + encode(number) + NIL + encode(WireError.of(error))
        with contextlib.suppress(ConnectionError, RuntimeError):
            writer.write(HEAD.pack(len(body)) + body)
            await writer.drain()

    async def _called(self, name: str, raw: msgspec.Raw) -> Any:
        found = self._methods.get(name)
        if found is None:
            mend = "is the node of another version? restart it"
            raise errors.NotFound(f"no method {name!r}", where=str(self.path), mend=mend)
        method, signature = found
        arguments = signature.read(name, raw)
        loop = asyncio.get_running_loop()
        try:
            if inspect.iscoroutinefunction(method):
                return await method(**arguments)
            return await loop.run_in_executor(self._pool, lambda: method(**arguments))
        except errors.Refused as refusal:
            if self._refused is None:
                raise
            raise await loop.run_in_executor(self._pool, self._refused, name, arguments, refusal) from refusal


def _same_user(sock: socket.socket) -> bool:
    """True where the other end of a Unix socket runs as this user or as root (without SO_PEERCRED the mode says)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    _, uid, _ = _PEER.unpack(raw)
    return uid in (os.getuid(), 0)


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The next frame. Raises ValueError for one that is too large."""
    (length,) = HEAD.unpack(await reader.readexactly(HEAD.size))
    if length > MAX_FRAME:
        raise ValueError(f"a frame of {length} bytes is over the limit")
    return await reader.readexactly(length)
