"""The list of finished tiles beside a growing result: what survives a killed process."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """What became of one tile.

    Parameters
    ----------
    tile : int
        Index in the grid.
    content : str
        SHA-256 of the tile's class map; empty where it failed.
    error : str
        Why it could not be read; empty where it is done.
    """

    tile: int
    content: str = ""
    error: str = ""


class Ledger:
    """Append-only record, one JSON line per tile, written after the tile's pixels.

    A line torn by a killed process is dropped: its tile is computed again, to the same bytes.

    Parameters
    ----------
    path : Path, optional
        The file; None keeps the record in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.entries: dict[int, Entry] = {}
        if path is not None and path.exists():
            self._load(path)

    def _load(self, path: Path) -> None:
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.splitlines():
            entry = Entry(**json.loads(line))
            self.entries[entry.tile] = entry
        if len(whole) != len(data):
            with path.open("r+b") as file:
                file.truncate(len(whole))

    def add(self, entry: Entry) -> None:
        """Record a tile; the line is on the disk when this returns."""
        self.entries[entry.tile] = entry
        if self.path is None:
            return
        record = {k: v for k, v in vars(entry).items() if v != ""}
        with self.path.open("ab") as file:
            file.write(json.dumps(record).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

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
