"""Read R data files (.rda): as much of R's serialisation format as published test data needs, no more.

The format is that of "R Internals", section 1.8 (serialization formats), version 2 or 3, big-endian (XDR).
"""

import bz2
import gzip
import lzma
import struct
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["read_rda"]

_OPENERS = {b"\x1f\x8b": gzip.decompress, b"BZ": bz2.decompress, b"\xfd7": lzma.decompress}


class RVector(list):  # type: ignore[type-arg]
    """A list of R with its attributes."""

    attributes: dict[str, Any]


def read_rda(path: Path) -> dict[str, Any]:
    """Return the objects of a file by name: lists as `RVector`, numbers as arrays; attributes are kept for lists."""
    raw = path.read_bytes()
    data = _OPENERS[raw[:2]](raw) if raw[:2] in _OPENERS else raw
    assert data[:5] in {b"RDX2\n", b"RDX3\n"}
    reader = _Reader(data, 5)
    assert reader.take(2) == b"X\n"
    version, *_ = struct.unpack(">3i", reader.take(12))
    if version == 3:
        reader.take(struct.unpack(">i", reader.take(4))[0])
    found = reader.item()
    return {str(name): value for name, value in found}


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at
        self.known: list[Any] = []

    def take(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]

    def whole(self) -> int:
        return int(struct.unpack(">i", self.take(4))[0])

    def array(self, kind: str, size: int) -> np.ndarray:
        found = np.frombuffer(self.data, dtype=kind, count=size, offset=self.at)
        self.at += found.nbytes
        return found.astype(found.dtype.newbyteorder("="))

    def item(self) -> Any:  # noqa: PLR0911 - one return for each type of R
        flags = self.whole()
        kind, has_attributes, has_tag = flags & 255, flags & 512, flags & 1024
        if kind in {254, 242, 253, 251, 252, 250, 241}:  # NULL and other constants
            return None
        if kind == 255:  # a reference to something read before
            return self.known[(flags >> 8 or self.whole()) - 1]
        if kind == 1:  # a symbol
            self.known.append(None)
            place = len(self.known) - 1
            self.known[place] = self.item()
            return self.known[place]
        if kind == 9:  # a string
            size = self.whole()
            return None if size < 0 else self.take(size).decode("utf-8", "replace")
        if kind in {2, 6}:  # a pairlist (or call): pairs of tag and value
            pairs = []
            while kind in {2, 6}:
                if has_attributes:
                    self.item()
                tag = self.item() if has_tag else None
                pairs.append((tag, self.item()))
                flags = self.whole()
                kind, has_attributes, has_tag = flags & 255, flags & 512, flags & 1024
            return pairs
        if kind == 4:  # an environment
            self.whole()
            self.known.append("environment")
            for _ in range(4):
                self.item()
            return "environment"
        if kind == 238:  # a compact form: class, state, attributes
            about, state, _ = self.item(), self.item(), self.item()
            if "compact_intseq" in str(about):
                size, first, step = (float(v) for v in state)
                return np.arange(size) * step + first
            return state[0] if isinstance(state, list) else state
        if kind in {10, 13, 14}:
            value: Any = self.array(">f8" if kind == 14 else ">i4", self.whole())
        elif kind in {16, 19}:
            value = RVector(self.item() for _ in range(self.whole()))
        else:
            raise NotImplementedError(f"type {kind} of R at byte {self.at}")
        attributes = dict(self.item() or []) if has_attributes else {}
        if isinstance(value, RVector):
            value.attributes = attributes
        elif "dim" in attributes:
            value = value.reshape([int(v) for v in attributes["dim"]], order="F")
        return value
