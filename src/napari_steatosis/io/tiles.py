"""Folders of tiles whose names say where they lie, read as the one plane that they form."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core.errors import CannotOpenError
from ..core.geometry import Region
from ..core.slide import Slide, virtual_levels
from ._colour import profile_of
from ._decoded import DecodedTiles
from ._handles import HANDLES
from ._header import SAMPLED_FILES, fingerprint, read_size
from ._tiles.plan import TilePlan, plan_tiles, tile_names
from .picture import COMPRESSIONS, decoded

MEASURED_FILES = 4096
"""Tiles whose file size enters the fingerprint: to ask for 100 000 takes long over a network."""


@dataclass(frozen=True)
class TilesSource:
    """Pixels of a folder of tiles.

    Where no tile lies it is white, like glass that was not scanned. Where tiles overlap, the
    lower one is shown, and of one row the right one.

    Parameters
    ----------
    path : str
        The folder.
    digest : str
        Identity of the names of its tiles: with another name the others may lie elsewhere.
    """

    path: str
    digest: str

    def read(self, level: int, region: Region) -> NDArray[np.uint8]:
        """Return ``(height, width, 3) uint8`` RGB of a region inside the plane."""
        with HANDLES.borrow(self.path, _open_handle) as handle:
            if handle.digest != self.digest:
                raise CannotOpenError("tiles were added or removed since it was opened")
            return handle.read(region)

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Raise `KeyError`: tiles have no label, macro or thumbnail."""
        raise KeyError(name)


class _Tiles:
    """The places of the tiles of a folder, and those that were decoded last."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.plan = folder, plan_tiles(folder)
        self.digest = self.plan.digest()
        self._kept = DecodedTiles()

    def close(self) -> None:
        self._kept.clear()

    def read(self, region: Region) -> NDArray[np.uint8]:
        out = np.full((region.height, region.width, 3), 255, np.uint8)
        for number in self.plan.touching((region.y, region.x), (region.y_end, region.x_end)):
            (y, x), (height, width) = self.plan.corners[number], self.plan.sizes[number]
            tile = Region(y=int(y), x=int(x), height=int(height), width=int(width))
            wanted = tile.intersect(region)
            assert wanted is not None
            out[wanted.within(region)] = self._tile(number)[wanted.within(tile)]
        return out

    def _tile(self, number: int) -> NDArray[np.uint8]:
        path = self.folder / self.plan.names[number]
        status = os.stat(path)
        key = (number, status.st_mtime_ns, status.st_size)
        return self._kept.get(key, lambda: self._decode(path, number))

    def _decode(self, path: Path, number: int) -> NDArray[np.uint8]:
        try:
            pixels = decoded(path)
        except CannotOpenError as error:
            raise CannotOpenError(f"tile {path.name!r}: {error}") from error
        height, width = (int(side) for side in self.plan.sizes[number])
        if pixels.shape[:2] != (height, width):
            raise CannotOpenError(
                f"tile {path.name!r} has {pixels.shape[0]} x {pixels.shape[1]} px where "
                f"{height} x {width} are expected"
            )
        return pixels


def _open_handle(path: str) -> _Tiles:
    return _Tiles(Path(path))


def recognises(path: Path) -> bool:
    """Say whether a folder holds pictures of which most have a position in their names."""
    try:
        return bool(tile_names(path))
    except CannotOpenError:
        return False


def open_slide(path: Path) -> Slide:
    """Open a folder of PNG, JPEG, BMP or WebP tiles as one plane, at the tiles' resolution.

    Names that are understood, at the end of the file name:

    - ``[x=1024,y=512,w=512,h=512]``, as QuPath writes them: px of full resolution. With
      ``d=2``, or where `w` is twice the width of the picture, the plane is half as large.
    - ``x1024_y512`` or ``row1_col2`` (also ``y512_x1024``, ``x=1024,y=512``, ``c2_r1``): px
      where they differ by an eighth of a tile or more, else columns and rows.
    - ``1024_512`` or ``2_1``: the same, and which number counts across is what makes the
      tissue go on from tile to tile. Where that is not clear, the folder is refused.

    The plane begins at the topmost and the leftmost tile; ``properties`` say where that is,
    and how many of how many places have no tile: there it is white. The size of a tile is
    that of one whose header is read; one of another size is an error when it is read. The
    pixel size is never stated.

    Raises
    ------
    CannotOpenError
        For a folder of pictures without positions, and for positions that can be understood
        in two ways.
    """
    if not path.is_dir():
        raise CannotOpenError("not a folder, as tiles are")
    with HANDLES.borrow(str(path), _open_handle) as handle:
        plan, digest = handle.plan, handle.digest
    height, width = plan.shape
    return Slide(
        path=str(path),
        reader="tiles",
        source=TilesSource(str(path), digest),
        levels=tuple(virtual_levels([(height, width, 1.0)])),
        fingerprint=_fingerprint(path, plan.names),
        scale_source="the names of tiles state no pixel size",
        tile_px=read_size(plan.tile.shape),
        properties=_properties(plan),
        compression=COMPRESSIONS[plan.tile.format],
        profile=profile_of(plan.tile.icc),
    )


def _properties(plan: TilePlan) -> dict[str, str]:
    absent = plan.absent()
    return {
        "tiles.format": plan.tile.format,
        "tiles.count": str(len(plan.names)),
        "tiles.absent": f"{absent[0]} of {absent[1]}" if absent else "unknown: no regular grid",
        **plan.properties,
    }


def _fingerprint(folder: Path, names: list[str]) -> str:
    """Return the identity of the tiles: all names, sizes of 4096 and the ends of 64 of them."""
    whole = hashlib.sha256(os.fsencode("\0".join(names)))
    for name in names[:: -(-len(names) // MEASURED_FILES)]:
        whole.update(f"{os.stat(folder / name).st_size}\0".encode())
    for name in names[:: -(-len(names) // SAMPLED_FILES)]:
        whole.update(fingerprint(folder / name).encode())
    return whole.hexdigest()
