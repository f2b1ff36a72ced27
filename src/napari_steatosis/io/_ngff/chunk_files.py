"""Files of zarr chunks that cannot be what they stand for: cut off, a device, a bomb."""

from __future__ import annotations

import math
import os
import stat
from itertools import product
from typing import Any

BLOSC_HEADER, HEAD_BYTES, ZSTD_MAGIC = 16, 18, b"\x28\xb5\x2f\xfd"
ROOM_BYTES = 65536
"""What a chunk that does not compress may take on top of its pixels, and a shard its index."""


def check_chunk_files(folder: str, array: Any, key: tuple[slice, ...]) -> None:
    """Look at the files of the chunks that a read touches, before they are decoded.

    The decoders do not notice everything: numcodecs gives whatever lies in memory for a blosc
    chunk that was cut off, and unpacks what a hostile one asks for. So the sizes that blosc
    and zstd state at their start must be those of the file and of the chunk.

    Parameters
    ----------
    folder : str
        Of the array.
    array : zarr.Array
        Opened from it.
    key : tuple of slice
        What will be read, with start and stop for every axis.

    Raises
    ------
    OSError
        Naming the file. One that is missing is not looked at.
    """
    stored = array.shards or array.chunks
    expected = math.prod(stored) * array.dtype.itemsize
    codec = None if array.shards else codec_name(array)
    spans = [
        range(part.start // side, -(-part.stop // side))
        for part, side in zip(key, stored, strict=True)
    ]
    for index in product(*spans):
        name = array.metadata.encode_chunk_key(index)
        try:
            size = checked_size(f"{folder}/{name}", expected)
        except FileNotFoundError:
            continue
        with open(f"{folder}/{name}", "rb") as file:
            check_head(name, file.read(HEAD_BYTES), size, expected, codec)


def codec_name(array: Any) -> str | None:
    """Return the name of the one codec that packs the bytes; None where there is another."""
    codecs = array.compressors
    if len(codecs) != 1 or array.filters:
        return None
    stated = codecs[0].to_dict() if hasattr(codecs[0], "to_dict") else codecs[0].get_config()
    return str(stated.get("name") or stated.get("id"))


def checked_size(path: str, expected: int) -> int:
    """Return the size of a file of `expected` bytes of pixels, if it can be that."""
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(f"{path} is no file")
    if found.st_size > expected + expected // 8 + ROOM_BYTES:
        raise OSError(f"{path} has {found.st_size} bytes, more than its {expected} bytes of pixels")
    return found.st_size


def check_head(name: str, head: bytes, size: int, expected: int, codec: str | None) -> None:
    """Refuse a packed chunk of `size` bytes whose start does not fit its pixels.

    Parameters
    ----------
    name : str
        Of the chunk, for messages.
    head : bytes
        At least its first `HEAD_BYTES`, or all of it.
    size, expected : int
        Bytes that it has, and that its pixels take.
    codec : str, optional
        What packed it; others than blosc and zstd are not looked at.
    """
    if codec not in ("blosc", "zstd"):
        return
    if codec == "zstd":
        unpacked = _zstd_size(head)
    else:
        unpacked = int.from_bytes(head[4:8], "little")
        stated = int.from_bytes(head[12:16], "little")
        if len(head) < BLOSC_HEADER or stated != size:
            raise OSError(f"{name} has {size} bytes where its header states {stated}")
    if unpacked not in (None, expected):
        raise OSError(f"{name} unpacks to {unpacked} bytes where its pixels take {expected}")


def _zstd_size(head: bytes) -> int | None:
    """Return the content size in the header of a zstd frame (RFC 8878); None where not stated."""
    if not head.startswith(ZSTD_MAGIC) or len(head) < 6:
        raise OSError("a chunk does not begin as zstd does")
    descriptor = head[4]
    single = bool(descriptor & 0x20)
    at = 5 + (not single) + (0, 1, 2, 4)[descriptor & 3]
    length = (int(single), 2, 4, 8)[descriptor >> 6]
    value = int.from_bytes(head[at : at + length], "little")
    return None if length == 0 else value + 256 * (length == 2)
