"""Damage to the directories of a TIFF: hostile values, swapped tags, loops, bombs."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .file_bytes import Change, deflate_bomb

HOSTILE = (0, 1, 3, 255, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 12: 8, 16: 8, 13: 4, 18: 8}
NAMED = {
    "width": (256,), "height": (257,), "bits": (258,), "compression": (259,),
    "photometric": (262,), "samples": (277,), "rows_per_strip": (278,), "planar": (284,),
    "tile_width": (322,), "tile_height": (323,), "offsets": (273, 324), "counts": (279, 325),
    "predictor": (317,), "sub_ifds": (330,), "description": (270,), "resolution": (282, 283),
    "subfile_type": (254,),
}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How numbers lie in this file."""

    order: str
    big: bool

    @property
    def entry(self) -> int:
        return 20 if self.big else 12

    def number(self, data: bytearray, at: int) -> int:
        return struct.unpack_from(self.order + ("Q" if self.big else "I"), data, at)[0]


def entries(data: bytearray) -> tuple[Layout, list[tuple[int, int]]]:
    """Return the layout, and (tag, offset of its entry) of every directory in the chain."""
    layout = Layout("<" if data[:2] == b"II" else ">", data[2:4] in (b"+\0", b"\0+"))
    found: list[tuple[int, int]] = []
    at, seen = layout.number(data, 8 if layout.big else 4), set()
    while at and at not in seen and at + 8 < len(data):
        seen.add(at)
        count = struct.unpack_from(layout.order + ("Q" if layout.big else "H"), data, at)[0]
        first = at + (8 if layout.big else 2)
        if count > 200:
            break
        for index in range(count):
            place = first + index * layout.entry
            found.append((struct.unpack_from(layout.order + "H", data, place)[0], place))
        at = layout.number(data, first + count * layout.entry)
    return layout, found


def _hostile_value(name: str) -> Change:
    tags = NAMED[name]

    def change(path: Path, rng: np.random.Generator) -> None:
        data = bytearray(path.read_bytes())
        layout, found = entries(data)
        places = [place for tag, place in found if tag in tags]
        if places:
            place = places[int(rng.integers(len(places)))]
            value = int(rng.choice(HOSTILE))
            wide = layout.order + ("Q" if layout.big else "I")
            struct.pack_into(layout.order + "H", data, place + 2, 4)
            struct.pack_into(wide, data, place + 4, 1)
            struct.pack_into(layout.order + "I", data, place + (12 if layout.big else 8), value)
        path.write_bytes(data)

    change.__name__ = f"hostile_{name}"
    return change


def hostile_count(path: Path, rng: np.random.Generator) -> None:
    """State that a tag has 2^31 values."""
    data = bytearray(path.read_bytes())
    layout, found = entries(data)
    _, place = found[int(rng.integers(len(found)))]
    struct.pack_into(
        layout.order + ("Q" if layout.big else "I"), data, place + 4, int(rng.choice(HOSTILE))
    )
    path.write_bytes(data)


def hostile_size(path: Path, rng: np.random.Generator) -> None:
    """Make the image 2^31 x 2^31, with the tiles that it has."""
    data = bytearray(path.read_bytes())
    layout, found = entries(data)
    for tag, place in found:
        if tag in (256, 257):
            struct.pack_into(layout.order + "H", data, place + 2, 4)
            struct.pack_into(layout.order + "I", data, place + (12 if layout.big else 8), 2**31)
    path.write_bytes(data)


def swap_tags(path: Path, rng: np.random.Generator) -> None:
    """Exchange the values of two tags."""
    data = bytearray(path.read_bytes())
    layout, found = entries(data)
    one, other = (found[int(i)][1] for i in rng.integers(len(found), size=2))
    length = layout.entry - 2
    first = data[one + 2 : one + 2 + length]
    data[one + 2 : one + 2 + length] = data[other + 2 : other + 2 + length]
    data[other + 2 : other + 2 + length] = first
    path.write_bytes(data)


def loop_directories(path: Path, rng: np.random.Generator) -> None:
    """Let the last directory point at the first, or at itself."""
    data = bytearray(path.read_bytes())
    layout, found = entries(data)
    first = layout.number(data, 8 if layout.big else 4)
    end = found[-1][1] + layout.entry
    target = first if rng.random() < 0.5 else int(rng.integers(len(data)))
    struct.pack_into(layout.order + ("Q" if layout.big else "I"), data, end, target)
    path.write_bytes(data)


def tile_bomb(path: Path, rng: np.random.Generator) -> None:
    """Let the first tile or strip be a deflate stream that unpacks to 2 GB."""
    data = bytearray(path.read_bytes())
    layout, found = entries(data)
    bomb = deflate_bomb()
    at = len(data)
    data += bomb
    value = 12 if layout.big else 8
    for tag, place in found:
        number = {273: at, 324: at, 279: len(bomb), 325: len(bomb)}.get(tag)
        if number is None:
            continue
        count = layout.number(data, place + 4)
        kind = struct.unpack_from(layout.order + "H", data, place + 2)[0]
        size = SIZES.get(kind, 4)
        where = place + value
        if count * size > (8 if layout.big else 4):
            where = layout.number(data, where)
        struct.pack_into(layout.order + {2: "H", 4: "I", 8: "Q"}.get(size, "I"), data, where,
                         number % 2 ** (8 * size))  # fmt: skip
    path.write_bytes(data)


TIFF_CHANGES: dict[str, Change] = {
    **{f"hostile_{name}": _hostile_value(name) for name in NAMED},
    "hostile_count": hostile_count,
    "hostile_size": hostile_size,
    "swap_tags": swap_tags,
    "loop_directories": loop_directories,
    "tile_bomb": tile_bomb,
}
