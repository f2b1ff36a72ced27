"""Regions of TIFF pages, decoded from only the tiles or strips that they touch."""

from __future__ import annotations

import struct
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import CannotOpenError
from ...core.geometry import Region
from .._decoded import DecodedTiles

Planes = tuple[Any, ...]
"""The pages of one level: one, or those of red, green and blue."""


class PageReader:
    """Reads regions of the pages of one open TIFF file from any thread.

    The bytes are read under a lock, as threads share the file's position; they are decoded
    outside of it.

    Parameters
    ----------
    file : tifffile.TiffFile
        Owned by the reader from now on.
    levels : list of tuple of tifffile.TiffPage
        The pages of each level, finest first.
    others : dict of str to tifffile.TiffPage
        Pages of other images by name: label, macro, thumbnail.
    """

    def __init__(self, file: Any, levels: list[Planes], others: dict[str, Any]) -> None:
        self.file, self.levels, self.others = file, levels, others
        self._lock = threading.Lock()
        self._kept = DecodedTiles()
        # tifffile loads these when they are first asked for, which is not thread-safe.
        for page in [*sum(levels, ()), *others.values()]:
            _ = page.dataoffsets, page.databytecounts, page.jpegtables, page.jpegheader, page.decode

    def close(self) -> None:
        """Close the file and drop the decoded tiles."""
        self._kept.clear()
        self.file.close()

    def read(self, level: int, region: Region) -> NDArray[np.uint8]:
        """Return ``(height, width, sample) uint8`` of a region inside a level."""
        parts = [self._read_page(page, region) for page in self.levels[level]]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)

    def other(self, name: str) -> NDArray[np.uint8]:
        """Return another image of the file whole, ``(height, width, sample) uint8``."""
        page = self.others[name]
        whole = Region(y=0, x=0, height=page.imagelength, width=page.imagewidth)
        return self._read_page(page, whole)

    def _read_page(self, page: Any, region: Region) -> NDArray[np.uint8]:
        if is_rows(page):
            return self._rows(page, region)
        height, width = tile_size(page)
        across, down = -(-page.imagewidth // width), -(-page.imagelength // height)
        planes = page.samplesperpixel if page.planarconfig == 2 else 1
        rows = range(region.y // height, -(-region.y_end // height))
        columns = range(region.x // width, -(-region.x_end // width))
        # A read that ends at borders of tiles has no halo that a neighbour would share.
        tile_of = self._decode if _ends_at_borders(page, region) else self._tile
        if tile_of == self._decode and len(rows) == len(columns) == planes == 1:
            pixels = self._decode(page, rows[0] * across + columns[0])
            return np.require(pixels[: region.height, : region.width], requirements=("C", "W"))
        out = np.empty((region.height, region.width, page.samplesperpixel), np.uint8)
        for plane in range(planes):
            samples = slice(plane, plane + 1) if planes > 1 else slice(None)
            for row in rows:
                for column in columns:
                    tile = Region(y=row * height, x=column * width, height=height, width=width)
                    wanted = tile.intersect(region)
                    assert wanted is not None
                    pixels = tile_of(page, (plane * down + row) * across + column)
                    out[(*wanted.within(region), samples)] = pixels[wanted.within(tile)]
        return out

    def _tile(self, page: Any, index: int) -> NDArray[np.uint8]:
        return self._kept.get((id(page), index), lambda: self._decode(page, index))

    def _decode(self, page: Any, index: int) -> NDArray[np.uint8]:
        offset, size = page.dataoffsets[index], page.databytecounts[index]
        if offset == 0 or size == 0:  # a tile that the writer left out: glass that was not scanned
            samples = 1 if page.planarconfig == 2 else page.samplesperpixel
            return np.full((*tile_size(page), samples), 255, np.uint8)
        data = self._bytes(page, offset, size)
        decoded, _, shape = page.decode(
            data, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader
        )
        _, height, width, _ = shape
        return np.asarray(decoded[0, :height, :width])

    def _rows(self, page: Any, region: Region) -> NDArray[np.uint8]:
        """Read only the wanted bytes of each row of an uncompressed page."""
        samples, per_strip = page.samplesperpixel, tile_size(page)[0]
        size = region.width * samples
        out = np.empty((region.height, region.width, samples), np.uint8)
        for row in range(region.y, region.y_end):
            strip, inside = divmod(row, per_strip)
            start = (inside * page.imagewidth + region.x) * samples
            data = self._bytes(page, page.dataoffsets[strip] + start, size)
            out[row - region.y] = np.frombuffer(data, np.uint8).reshape(region.width, samples)
        return out

    def _bytes(self, page: Any, offset: int, size: int) -> bytes:
        file = page.parent.filehandle
        with self._lock:
            file.seek(offset)
            data: bytes = file.read(size)
        if len(data) != size:
            raise EOFError(
                f"the file ends {size - len(data)} bytes before the end of this tile or strip"
            )
        return data


def check_directories(file: Any) -> None:
    """Refuse directories beyond the end of the file, or that lead back to an earlier one.

    tifffile leaves out directories that it cannot reach, and with them levels or the pixel
    size, and follows a circle without end, so the chain is walked here before.

    Raises
    ------
    CannotOpenError
    """
    handle, layout, size = file.filehandle, file.tiff, file.filehandle.size
    at, seen = (8 if layout.is_bigtiff else 4), set[int]()
    while True:
        handle.seek(at)
        (offset,) = struct.unpack(layout.offsetformat, handle.read(layout.offsetsize))
        if offset == 0:
            break
        if offset + layout.tagnosize > size:
            raise _incomplete(size, "a directory", offset)
        if offset in seen:
            raise CannotOpenError(
                f"its directories lead back to byte {offset}: it is damaged. Copy it again from "
                f"its origin"
            )
        seen.add(offset)
        handle.seek(offset)
        (tags,) = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))
        at = offset + layout.tagnosize + tags * layout.tagsize


def check_complete(file: Any, levels: list[Planes]) -> None:
    """Refuse an interrupted copy: tiles or strips beyond the end of the file.

    Raises
    ------
    CannotOpenError
    """
    size = file.filehandle.size
    for page in [*file.pages, *sum(levels, ())]:
        ends = np.add(page.dataoffsets, page.databytecounts, dtype=np.float64)
        end = int(ends.max(initial=0))
        if end > page.parent.filehandle.size:
            raise _incomplete(size, "pixels", end)


def _incomplete(size: int, what: str, place: int) -> CannotOpenError:
    return CannotOpenError(
        f"it has {size} bytes but refers to {what} at byte {place}: an incomplete copy. Copy it "
        f"again from its origin"
    )


def tile_size(page: Any) -> tuple[int, int]:
    """Return height and width of what is decoded at once, a tile or a strip, px."""
    if page.is_tiled:
        return page.tilelength, page.tilewidth
    return min(page.rowsperstrip, page.imagelength), page.imagewidth


def is_rows(page: Any) -> bool:
    """Say whether rows of the page lie in the file as they are: strips, not compressed."""
    plain = page.compression == 1 and page.predictor == 1 and page.fillorder == 1
    return bool(plain and page.planarconfig == 1 and not page.is_tiled)


def _ends_at_borders(page: Any, region: Region) -> bool:
    """Say whether all four sides of a region are borders of tiles or of the page."""
    height, width = tile_size(page)
    return (
        region.y % height == region.x % width == 0
        and (region.y_end % height == 0 or region.y_end == page.imagelength)
        and (region.x_end % width == 0 or region.x_end == page.imagewidth)
    )
