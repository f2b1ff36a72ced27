"""Hostile sizes in the headers of pictures, with checksums that hold."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from .file_bytes import Change, deflate_bomb

SIZES = (0, 1, 2**15, 65500, 2**24, 2**31 - 1)


def png_size(path: Path, rng: np.random.Generator) -> None:
    """State another width and height in a PNG, with a valid checksum."""
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", *rng.choice(SIZES, 2).tolist())
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)


def png_bomb(path: Path, rng: np.random.Generator) -> None:
    """Replace the pixels of a PNG by a stream that unpacks to 2 GB."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        whole = kind + body
        return struct.pack(">I", len(body)) + whole + struct.pack(">I", zlib.crc32(whole))

    side = int(rng.choice((64, 20000, 46000)))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", deflate_bomb()), chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def jpeg_size(path: Path, rng: np.random.Generator) -> None:
    """State another size in the frame header of a JPEG."""
    data = bytearray(path.read_bytes())
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    if at > 0:
        data[at + 5 : at + 9] = struct.pack(">HH", *rng.choice((1, 17, 65500, 65535), 2).tolist())
    path.write_bytes(data)


def bmp_size(path: Path, rng: np.random.Generator) -> None:
    """State another size in a BMP."""
    data = bytearray(path.read_bytes())
    data[18:26] = struct.pack("<ii", *rng.choice((*SIZES, -1), 2).tolist())
    path.write_bytes(data)


PICTURE_CHANGES: dict[bytes, dict[str, Change]] = {
    b"\x89PNG": {"png_size": png_size, "png_bomb": png_bomb},
    b"\xff\xd8\xff\xe0": {"jpeg_size": jpeg_size},
}
