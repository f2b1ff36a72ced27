"""Regions of TIFF pages, decoded from only the tiles or strips that they touch."""

from __future__ import annotations

import struct
import threading
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import CannotOpenError
from ..core.geometry import Region

KEPT_BYTES = 64 * 2**20
"""Decoded tiles kept per open file, bytes: halos of neighbouring reads share them."""


class PageReader:
    """Reads regions of the pages of one open TIFF file from any thread.

    The bytes are read under a lock, as threads share the file's position; they are decoded
    outside of it.

    Parameters
    ----------
    file : tifffile.TiffFile
        Owned by the reader from now on.
    pages : list of tifffile.TiffPage
        The levels, finest first.
    """

    def __init__(self, file: Any, pages: list[Any]) -> None:
        self.file, self.pages = file, pages
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, int], NDArray[np.uint8]] = OrderedDict()
        self._kept_bytes = 0
        for page in pages:  # tifffile loads these when first asked, which is not thread-safe
            _ = page.dataoffsets, page.databytecounts, page.jpegtables, page.jpegheader, page.decode

    def close(self) -> None:
        """Close the file and drop the decoded tiles."""
        self._kept.clear()
        self.file.close()

    def read(self, level: int, region: Region) -> NDArray[np.uint8]:
        """Return ``(height, width, sample) uint8`` of a region inside a page."""
        page = self.pages[level]
        if is_rows(page):
            return self._rows(page, region)
        height, width = tile_size(page)
        across, down = -(-page.imagewidth // width), -(-page.imagelength // height)
        planar = page.planarconfig == 2
        out = np.empty((region.height, region.width, page.samplesperpixel), np.uint8)
        for plane in range(page.samplesperpixel if planar else 1):
            samples = slice(plane, plane + 1) if planar else slice(None)
            for row in range(region.y // height, -(-region.y_end // height)):
                for column in range(region.x // width, -(-region.x_end // width)):
                    tile = Region(y=row * height, x=column * width, height=height, width=width)
                    wanted = tile.intersect(region)
                    assert wanted is not None
                    pixels = self._tile(level, (plane * down + row) * across + column)
                    out[(*wanted.within(region), samples)] = pixels[wanted.within(tile)]
        return out

    def _tile(self, level: int, index: int) -> NDArray[np.uint8]:
        key = (level, index)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        pixels = self._decode(self.pages[level], index)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = pixels
                self._kept_bytes += pixels.nbytes
            while self._kept_bytes > KEPT_BYTES and len(self._kept) > 1:
                self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes
        return pixels

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


def check_complete(file: Any, pages: list[Any]) -> None:
    """Refuse an interrupted copy: directories or tiles beyond the end of the file.

    tifffile leaves out directories that it cannot reach, and with them levels or the pixel
    size, so the chain is walked here as well.

    Raises
    ------
    CannotOpenError
    """
    handle, layout, size = file.filehandle, file.tiff, file.filehandle.size
    at, seen = (8 if layout.offsetsize == 8 else 4), set[int]()
    while True:
        handle.seek(at)
        (offset,) = struct.unpack(layout.offsetformat, handle.read(layout.offsetsize))
        if offset == 0 or offset in seen:
            break
        if offset + layout.tagnosize > size:
            raise _incomplete(size, "a directory", offset)
        seen.add(offset)
        handle.seek(offset)
        (tags,) = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))
        at = offset + layout.tagnosize + tags * layout.tagsize
    for page in [*file.pages, *pages]:
        ends = map(sum, zip(page.dataoffsets, page.databytecounts, strict=True))
        end = max(ends, default=0)
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
