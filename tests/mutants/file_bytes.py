"""Damage to the bytes of a file, whatever its format."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

Change = Callable[[Path, np.random.Generator], None]


def _target(path: Path, rng: np.random.Generator) -> Path:
    """Return the file, or one of a folder's files."""
    if path.is_file():
        return path
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return files[int(rng.integers(len(files)))]


def truncate(path: Path, rng: np.random.Generator) -> None:
    """Cut the end off, as an interrupted copy does."""
    file = _target(path, rng)
    os.truncate(file, int(file.stat().st_size * rng.random()))


def flip_bytes(path: Path, rng: np.random.Generator) -> None:
    """Change up to 16 bytes anywhere."""
    _scatter(path, rng, lambda size: rng.integers(size, size=rng.integers(1, 17)))


def flip_header(path: Path, rng: np.random.Generator) -> None:
    """Change up to 8 of the first 256 bytes."""
    _scatter(path, rng, lambda size: rng.integers(min(size, 256), size=rng.integers(1, 9)))


def flip_end(path: Path, rng: np.random.Generator) -> None:
    """Change up to 8 of the last 2048 bytes, where directories stand."""
    _scatter(path, rng, lambda size: size - 1 - rng.integers(min(size, 2048), size=8))


def blank_block(path: Path, rng: np.random.Generator) -> None:
    """Overwrite a stretch with zeros or ones, as a bad disk block does."""
    file = _target(path, rng)
    data = bytearray(file.read_bytes())
    start = int(rng.integers(max(1, len(data))))
    length = int(rng.integers(1, 4096))
    fill = b"\0" if rng.random() < 0.5 else b"\xff"
    data[start : start + length] = fill * len(data[start : start + length])
    file.write_bytes(data)


def insert_bytes(path: Path, rng: np.random.Generator) -> None:
    """Insert bytes, so that everything behind them is displaced."""
    file = _target(path, rng)
    data = file.read_bytes()
    at = int(rng.integers(len(data) + 1))
    file.write_bytes(data[:at] + rng.bytes(int(rng.integers(1, 64))) + data[at:])


def remove_bytes(path: Path, rng: np.random.Generator) -> None:
    """Leave bytes out."""
    file = _target(path, rng)
    data = file.read_bytes()
    at = int(rng.integers(len(data) + 1))
    file.write_bytes(data[:at] + data[at + int(rng.integers(1, 512)) :])


def shuffle_halves(path: Path, rng: np.random.Generator) -> None:
    """Write the second half before the first."""
    file = _target(path, rng)
    data = file.read_bytes()
    file.write_bytes(data[len(data) // 2 :] + data[: len(data) // 2])


def empty(path: Path, rng: np.random.Generator) -> None:
    """Leave nothing in the file."""
    _target(path, rng).write_bytes(b"")


@cache
def deflate_bomb() -> bytes:
    """Return two megabytes of deflate that unpack to two gigabytes."""
    packer = zlib.compressobj(9)
    zeros = bytes(2**24)
    return b"".join(packer.compress(zeros) for _ in range(128)) + packer.flush()


def _scatter(path: Path, rng: np.random.Generator, places: Callable[[int], np.ndarray]) -> None:
    file = _target(path, rng)
    data = bytearray(file.read_bytes())
    if data:
        for place in places(len(data)):
            data[int(place)] ^= int(rng.integers(1, 256))
    file.write_bytes(data)


BYTE_CHANGES: dict[str, Change] = {
    change.__name__: change
    for change in (
        truncate,
        flip_bytes,
        flip_header,
        flip_end,
        blank_block,
        insert_bytes,
        remove_bytes,
        shuffle_halves,
        empty,
    )
}
