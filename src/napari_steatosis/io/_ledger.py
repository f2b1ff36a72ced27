"""The list of finished tiles beside a growing result: what survives a killed process."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from ..core.geometry import Region


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one tile.

    Parameters
    ----------
    tile : int
        Index in the grid.
    inner : Region, optional
        The pixels that it owns; None where it failed.
    content : str
        SHA-256 of the tile's class map; empty where it failed.
    probabilities : str
        SHA-256 of its probabilities, where they are kept.
    error : str
        Why it could not be read; empty where it is done.
    """

    tile: int
    inner: Region | None = None
    content: str = ""
    probabilities: str = ""
    error: str = ""

    def to_line(self) -> bytes:
        """Return the entry as a line of JSON."""
        values: dict[str, Any] = {"tile": self.tile}
        if self.inner is not None:
            values["yxhw"] = [self.inner.y, self.inner.x, self.inner.height, self.inner.width]
        for name in ("content", "probabilities", "error"):
            if value := getattr(self, name):
                values[name] = value
        return json.dumps(values).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Entry | None:
        """Read a line of `to_line`; None where it is no such line."""
        try:
            values = json.loads(line)
            place = values.pop("yxhw", None)
            if place is not None:
                values["inner"] = _region(*place)
            entry = cls(**values)
        except (ValueError, TypeError, AttributeError):
            return None
        return entry if entry.error or (entry.inner and entry.content) else None


class Ledger:
    """Append-only record, one JSON line per tile, written after the tile's pixels.

    A line that was torn by a killed process or lost its bytes with the power is dropped: its
    tile is computed again, to the same bytes.

    Parameters
    ----------
    path : Path, optional
        The file; None keeps the record in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.entries: dict[int, Entry] = {}
        self._file: FileIO | None = None
        if path is not None:
            self._load(path)
            self._file = FileIO(path, "a")

    def _load(self, path: Path) -> None:
        data = path.read_bytes() if path.exists() else b""
        lines = data.splitlines(keepends=True)
        read = [Entry.from_line(line) if line.endswith(b"\n") else None for line in lines]
        self.entries = {entry.tile: entry for entry in read if entry is not None}
        if None in read:
            self._replace(path)

    def _replace(self, path: Path) -> None:
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            file.writelines(self.entries[tile].to_line() for tile in sorted(self.entries))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    def add_all(self, entries: Sequence[Entry]) -> None:
        """Record tiles; their lines are on the disk when this returns."""
        if self._file is not None:
            length = os.fstat(self._file.fileno()).st_size
            try:
                _write(self._file, b"".join(entry.to_line() for entry in entries))
                os.fsync(self._file.fileno())
            except OSError:
                self._file.truncate(length)
                raise
        self.entries.update((entry.tile, entry) for entry in entries)

    def drop(self, tiles: Iterable[int]) -> None:
        """Forget tiles, so that they are computed again."""
        for tile in tiles:
            del self.entries[tile]
        self.settle()

    def settle(self) -> None:
        """Write the file anew, one line per tile in the order of their index."""
        if self.path is None or self._file is None:
            return
        self.close()
        self._replace(self.path)
        self._file = FileIO(self.path, "a")

    def check_in_place(self) -> None:
        """Raise `FileNotFoundError` where the file is no longer at its path."""
        if self.path is None or self._file is None:
            return
        found, own = os.stat(self.path), os.fstat(self._file.fileno())
        if not os.path.samestat(found, own):
            raise FileNotFoundError(f"{self.path} has been replaced")

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def done(self) -> list[int]:
        """Indices of the tiles whose pixels are stored, ascending."""
        return sorted(tile for tile, entry in self.entries.items() if not entry.error)

    @property
    def failed(self) -> list[Entry]:
        """The tiles that could not be read, in order of their index."""
        return sorted((e for e in self.entries.values() if e.error), key=lambda e: e.tile)

    def content(self) -> str:
        """Return one SHA-256 over all finished tiles: equal results have equal content."""
        total = hashlib.sha256()
        for tile in self.done:
            total.update(f"{tile}:{self.entries[tile].content};".encode())
        return total.hexdigest()


def _write(file: FileIO, data: bytes) -> None:
    """Write all of it: the system may take a part when the disk fills up."""
    while data:
        data = data[file.write(data) :]


def _region(y: int, x: int, height: int, width: int) -> Region:
    return Region(y=y, x=x, height=height, width=width)
