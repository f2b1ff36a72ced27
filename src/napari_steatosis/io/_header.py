"""What every reader says of a file in the same way: levels, lengths, identity, refusals."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..core.errors import CannotOpenError

UM_PER_UNIT = {
    **dict.fromkeys(("um", "\N{MICRO SIGN}m", "\N{GREEK SMALL LETTER MU}m"), 1.0),
    **dict.fromkeys(("micron", "microns", "micrometer", "micrometre"), 1.0),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-3),
    **dict.fromkeys(("\N{LATIN CAPITAL LETTER A WITH RING ABOVE}", "angstrom"), 1e-4),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e4),
    **dict.fromkeys(("m", "meter", "metre"), 1e6),
    **dict.fromkeys(("in", "inch"), 25400.0),
}
"""Micrometres per unit of length, as OME-XML, OME-Zarr (UDUNITS) and ImageJ spell it."""

EDGE = 256 * 1024
"""Bytes at the start and at the end of a file that enter its fingerprint."""

SAMPLED_FILES = 64
"""Chunk files of a folder whose content enters its fingerprint."""


def stored_levels(sizes: Sequence[tuple[int, int]]) -> list[tuple[int, int, float]]:
    """Return ``(height, width, downsample)`` of the levels that form a pyramid.

    A level whose sides are those of level 0 divided by a whole number, rounded up or down,
    has that number as its downsample: 5477 px stored as 2738 px is a factor of 2, not of
    2.0004, which would shift it by a pixel at the far side. The list ends before the first
    level that is not smaller than the one before or has another aspect.

    Parameters
    ----------
    sizes : sequence of (height, width)
        As the file lists them, finest first, px.

    Examples
    --------
    >>> stored_levels([(5154, 5477), (2577, 2738), (431, 1280)])
    [(5154, 5477, 1.0), (2577, 2738, 2.0)]
    """
    height, width = sizes[0]
    levels = [(height, width, 1.0)]
    for h, w in sizes[1:]:
        ratio = (height / h + width / w) / 2
        slack_px = max(2.0, 0.02 * max(h, w))
        same_aspect = max(abs(height / ratio - h), abs(width / ratio - w)) <= slack_px
        if not same_aspect or h * w >= levels[-1][0] * levels[-1][1]:
            break
        whole = round(ratio)
        fits = all(n // whole <= m <= -(-n // whole) for n, m in ((height, h), (width, w)))
        levels.append((h, w, float(whole) if fits else ratio))
    return levels


def read_size(tile: tuple[int, int]) -> tuple[int, int]:
    """Return the natural read size, px, for a file whose tiles or strips have this size.

    It is the tile itself, unless a side is so thin (a strip) or so long (a whole row) that
    reading in such units would be slow.

    Examples
    --------
    >>> read_size((240, 240)), read_size((8, 46000))
    ((240, 240), (256, 1024))
    """
    height, width = (
        side if 128 <= side <= 1024 else 1024 if side > 1024 else -(-256 // side) * side
        for side in tile
    )
    return height, width


def fingerprint(path: Path) -> str:
    """Return the identity of a file's content, whatever its name or place.

    SHA-256 over its size and its first and last 256 KiB: the header, the first tiles, and
    the end, where TIFF keeps its directories. Reading more would take minutes on a slide
    of many gigabytes.
    """
    whole = hashlib.sha256()
    _add(whole, path)
    return whole.hexdigest()


def folder_fingerprint(metadata: Iterable[bytes], chunks: Path) -> str:
    """Return the identity of a chunked image in a folder.

    SHA-256 over its metadata files, the sorted names and sizes of the files under `chunks`
    (its coarsest level, which depends on every pixel and is short), and the ends of up to
    64 of them: uncompressed chunks of two slides have the same names and sizes. Labels that
    are added to the folder later do not change it.
    """
    whole = hashlib.sha256()
    for text in metadata:
        whole.update(hashlib.sha256(text).digest())
    files = sorted(
        (path.relative_to(chunks).as_posix(), path) for path in chunks.rglob("*") if path.is_file()
    )
    for name, path in files:
        whole.update(f"{name}\0{path.stat().st_size}\0".encode())
    for _, path in files[:: -(-len(files) // SAMPLED_FILES) or 1]:
        _add(whole, path)
    return whole.hexdigest()


def _add(whole: hashlib._Hash, path: Path) -> None:
    size = path.stat().st_size
    whole.update(f"{size}\0".encode())
    with path.open("rb") as file:
        whole.update(file.read(EDGE))
        file.seek(max(EDGE, size - EDGE))
        whole.update(file.read(EDGE))


def not_rgb(found: str) -> CannotOpenError:
    """Return the refusal of an image that is not 8-bit RGB; `found` says what it is."""
    return CannotOpenError(
        f"{found}, where a stained slide has 3 channels (red, green, blue) of uint8. "
        f"Convert it to 8-bit RGB in the program that wrote it"
    )
