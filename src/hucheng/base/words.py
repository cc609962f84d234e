"""A column of texts in pieces, of which many come again: a gateway names the same devices each second."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from typing import overload

import msgspec
import numpy as np
from numpy.typing import NDArray

WORTH = 16
"""Shorter pieces are not worth remembering."""
MOST_TEXTS = 1_000_000
MOST_BYTES = 64 << 20
"""So much is remembered; beyond that everything is forgotten and begins anew."""


class Words(Sequence[str]):
    """Texts one behind the other; ``pieces`` are tuples worth remembering, or lists of what came in small ones."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, ...] | list[str]] = []

    def add(self, piece: Sequence[str]) -> None:
        """Put texts behind the others."""
        if len(piece) >= WORTH:
            self.pieces.append(tuple(piece))
        elif self.pieces and isinstance(self.pieces[-1], list):
            self.pieces[-1].extend(piece)
        elif piece:
            self.pieces.append(list(piece))

    def chosen(self, places: Sequence[int]) -> Words:
        """The texts at these places."""
        texts = list(self)
        found = Words()
        found.add([texts[i] for i in places])
        return found

    def __len__(self) -> int:
        return sum(map(len, self.pieces))

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self.pieces)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return list(self)[place]
        for piece, end in zip(self.pieces, accumulate(map(len, self.pieces)), strict=True):
            if place < end:
                return piece[place - end + len(piece)]
        raise IndexError(place)


class Numbers(dict[str, int]):
    """Names to numbers; -1 for a name that is not there. Names may be added, never taken out or numbered anew."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)
        self._pieces: dict[tuple[str, ...], NDArray[np.int64]] = {}
        self._texts = self._names = 0

    def __missing__(self, name: str) -> int:
        return -1

    def of(self, names: Sequence[str]) -> NDArray[np.int64]:
        """The numbers of many names, in an array of its own."""
        if not isinstance(names, Words):
            return np.fromiter(map(self.__getitem__, names), np.int64, len(names))
        found = [self._of_piece(piece) for piece in names.pieces]
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def _of_piece(self, piece: tuple[str, ...] | list[str]) -> NDArray[np.int64]:
        if isinstance(piece, list):
            return self.of(piece)
        if self._names != len(self) or self._texts > MOST_TEXTS:
            self._pieces.clear()
            self._names, self._texts = len(self), 0
        known = self._pieces.get(piece)
        if known is None:
            known = self._pieces[piece] = self.of(list(piece))
            self._texts += len(piece)
        return known


class Texts:
    """Decodes JSON that is one text or a list of texts; the same bytes are decoded once, to the same object."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(str | tuple[str, ...]).decode
        self._known: dict[bytes, str | tuple[str, ...]] = {}
        self._bytes = 0

    def of(self, raw: msgspec.Raw) -> str | tuple[str, ...]:
        """The text or texts. Raises msgspec.ValidationError."""
        data = bytes(raw)
        found = self._known.get(data)
        if found is None:
            found = self._decode(data)
            if self._bytes > MOST_BYTES:
                self._known.clear()
                self._bytes = 0
            self._known[data] = found
            self._bytes += 5 * len(data)  # the texts take some times what their JSON takes
        return found
