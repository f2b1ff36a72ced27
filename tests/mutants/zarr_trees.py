"""Damage to OME-Zarr: hostile metadata, paths that leave the store, chunks that lie."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numcodecs import Blosc, Zstd

from .file_bytes import BYTE_CHANGES, Change
from .json_values import with_hostile_value, with_missing_key

METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup")
OUTSIDE = ("..", "../..", "/etc", "../sound", "s0/../../x", "", ".", "a\0b", "s0/s0", "x" * 300)


def _metadata(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.name in METADATA)


def _chunks(path: Path) -> list[Path]:
    files = (file for file in path.rglob("*") if file.is_file())
    return sorted(file for file in files if file.name not in METADATA)


def _edit(path: Path, rng: np.random.Generator, edit: Callable[[Any], Any]) -> None:
    files = _metadata(path)
    file = files[int(rng.integers(len(files)))]
    value = json.loads(file.read_text())
    file.write_text(json.dumps(edit(value)))


def hostile_value(path: Path, rng: np.random.Generator) -> None:
    """Replace any value of the metadata by one of another kind or size."""
    _edit(path, rng, lambda value: with_hostile_value(value, rng))


def missing_key(path: Path, rng: np.random.Generator) -> None:
    """Leave out any key of the metadata."""
    _edit(path, rng, lambda value: with_missing_key(value, rng))


def deep_metadata(path: Path, rng: np.random.Generator) -> None:
    """Nest the metadata a hundred thousand deep."""
    files = _metadata(path)
    file = files[int(rng.integers(len(files)))]
    depth = int(rng.choice((500, 100_000)))
    file.write_text('{"multiscales":' + "[" * depth + "]" * depth + "}")


def huge_metadata(path: Path, rng: np.random.Generator) -> None:
    """State a thousand levels, or fifty megabytes of names."""
    files = _metadata(path)
    file = files[int(rng.integers(len(files)))]
    value = json.loads(file.read_text())
    attributes = value.get("attributes", {}).get("ome", value)
    if rng.random() < 0.5 and "multiscales" in attributes:
        attributes["multiscales"][0]["datasets"] *= 1000
    else:
        value["padding"] = "x" * 50_000_000
    file.write_text(json.dumps(value))


def hostile_shape(path: Path, rng: np.random.Generator) -> None:
    """State that an array is 2^31 x 2^31, or has chunks of another size."""
    arrays = [f for f in _metadata(path) if '"shape"' in f.read_text()]
    file = arrays[int(rng.integers(len(arrays)))]
    value = json.loads(file.read_text())
    side = int(rng.choice((0, 1, 7, 2**20, 2**31, 2**40)))
    kind = int(rng.integers(3))
    if kind != 1:
        value["shape"] = [*value["shape"][:-2], side, side]
    if kind != 0:
        if "chunks" in value:
            value["chunks"] = [*value["chunks"][:-2], side, side]
        else:
            grid = value["chunk_grid"]["configuration"]
            grid["chunk_shape"] = [*grid["chunk_shape"][:-2], side, side]
    file.write_text(json.dumps(value))


def path_outside(path: Path, rng: np.random.Generator) -> None:
    """Let a level lie outside of the store."""
    for file in (path / "zarr.json", path / ".zattrs"):
        if file.is_file():
            value = json.loads(file.read_text())
            image = value.get("attributes", {}).get("ome", value).get("multiscales")
            if not image:
                continue
            datasets = image[0]["datasets"]
            datasets[int(rng.integers(len(datasets)))]["path"] = str(rng.choice(OUTSIDE))
            file.write_text(json.dumps(value))


def link_outside(path: Path, rng: np.random.Generator) -> None:
    """Put a link that leaves the store, or to itself, in the place of a file or folder."""
    places = sorted(path.rglob("*"))
    place = places[int(rng.integers(len(places)))]
    target = (Path(os.devnull).with_name("zero"), Path("/etc"), place, path.parent)[
        int(rng.integers(4))
    ]
    place.rename(path.parent / f"{path.name}.moved")
    place.symlink_to(target)


def missing_chunk(path: Path, rng: np.random.Generator) -> None:
    """Delete a chunk."""
    files = _chunks(path)
    files[int(rng.integers(len(files)))].unlink()


def chunk_bomb(path: Path, rng: np.random.Generator) -> None:
    """Replace a chunk by one that unpacks to a gigabyte."""
    files = _chunks(path)
    file = files[int(rng.integers(len(files)))]
    file.write_bytes(_bombs()[int(rng.integers(3))] * int(rng.choice((1, 4))))


@cache
def _bombs() -> list[bytes]:
    zeros = bytes(2**28)
    return [pack(zeros) for pack in (Zstd(1).encode, Blosc("zstd", 1).encode, gzip.compress)]


def chunk_of_another(path: Path, rng: np.random.Generator) -> None:
    """Replace a chunk by random bytes."""
    files = _chunks(path)
    files[int(rng.integers(len(files)))].write_bytes(rng.bytes(int(rng.integers(1, 5000))))


ZARR_CHANGES: dict[str, Change] = {
    change.__name__: change
    for change in (
        hostile_value,
        missing_key,
        deep_metadata,
        huge_metadata,
        hostile_shape,
        path_outside,
        link_outside,
        missing_chunk,
        chunk_bomb,
        chunk_of_another,
        BYTE_CHANGES["truncate"],
        BYTE_CHANGES["flip_bytes"],
        BYTE_CHANGES["empty"],
    )
}
