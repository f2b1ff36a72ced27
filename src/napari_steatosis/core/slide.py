"""An opened slide: a header, a way to read pixels, and no open handle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .errors import BadValueError, MissingScaleError, UnknownNameError, UnreadableRegionError
from .geometry import Frame, Region
from .resample import box_mean

if TYPE_CHECKING:
    from .plane import Plane
    from .stain import StainTransform

PLAUSIBLE_UM_PER_PX = (0.05, 20.0)
"""Pixel sizes outside this range are questioned, um: no brightfield slide scanner makes them."""


@runtime_checkable
class PixelSource(Protocol):
    """What a reader gives: picklable, and it opens its handles itself."""

    def read(self, level: int, region: Region) -> NDArray[np.uint8]:
        """Return ``(height, width, 3) uint8`` RGB of a region inside the stored level."""
        ...

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Return an associated image (label, macro, thumbnail) as ``(y, x, 3) uint8``."""
        ...


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution of a slide.

    Parameters
    ----------
    height, width : int
        Extent, px.
    downsample : float
        Level 0 pixels per pixel.
    stored : int
        The level of the file that it is read from.
    shrink : int
        Box-mean factor applied to the stored level; 1 for a level that the file holds.
    """

    height: int
    width: int
    downsample: float
    stored: int
    shrink: int = 1


@dataclass(frozen=True, slots=True)
class ColourProfile:
    """The ICC profile of a file: what its red, green and blue mean.

    Parameters
    ----------
    name : str
        Description inside the profile, ``"ScanScope v1"``.
    data : bytes
        The profile itself.
    """

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, eq=False)
class Slide:
    """A whole-slide image: header values and a pixel source. Picklable.

    Parameters
    ----------
    path : str
        Where it came from; shown in messages.
    reader : str
        Row of the table READERS that opened it.
    source : PixelSource
        Reads pixels.
    levels : tuple of Level
        Finest first, virtual levels included.
    fingerprint : str
        Identity of the content (not of the path), recorded in results.
    um_per_px : (float, float), optional
        Height and width of a level 0 pixel, um. None where it is unknown.
    scale_source : str
        Where the pixel size came from, or why there is none.
    tile_px : (int, int)
        Natural read size of the file, px.
    associated : tuple of str
        Names of the associated images.
    properties : mapping of str to str
        What the file says of itself.
    origin_um : (float, float)
        Where the file places the centre of level 0 pixel (0, 0), um; OME-Zarr only.
    compression : str
        How level 0 is stored, ``"JPEG"``.
    profile : ColourProfile, optional
        The file's ICC profile; it is applied only where `colour` says so.
    colour : tuple of str
        What is done to the stored pixels on reading, in order: ``"swap-red-blue"``,
        ``"srgb"``, and the name of a stain transform. Part of the identity of results.
    stain : StainTransform, optional
        What every pixel passes through when it is read (`normalise`), the last of `colour`.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> slide = st.drawn_liver(512, 512, seed=1)
    >>> slide.read(Region(y=-8, x=0, height=16, width=16)).shape
    (16, 16, 3)
    """

    path: str
    reader: str
    source: PixelSource
    levels: tuple[Level, ...]
    fingerprint: str
    um_per_px: tuple[float, float] | None = None
    scale_source: str = "the file states no pixel size"
    tile_px: tuple[int, int] = (512, 512)
    associated: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    origin_um: tuple[float, float] = (0.0, 0.0)
    compression: str = "unknown"
    profile: ColourProfile | None = None
    colour: tuple[str, ...] = ()
    stain: StainTransform | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of level 0, px."""
        return self.levels[0].height, self.levels[0].width

    def frame(self, level: int = 0) -> Frame:
        """Return where the pixels of a level lie in the tissue.

        Raises
        ------
        MissingScaleError
            Where the pixel size is unknown or implausible. It is never assumed.
        """
        if self.um_per_px is None:
            raise MissingScaleError(
                f"{self.path}: {self.scale_source}. Give the size of a level 0 pixel in um: "
                f"um_per_px=0.25 in a script, --mpp 0.25 in the shell, or the field "
                f"'Pixel size' in the window (0.25 is usual for a 40x scan, 0.5 for 20x)."
            )
        return Frame(self.um_per_px, self.origin_um).coarser(self.levels[level].downsample)

    def with_scale(self, um_per_px: float | tuple[float, float], source: str = "given") -> Slide:
        """Return the same slide with the size of a level 0 pixel, in um, as stated by a user.

        `scale_source` then says so, and what the file states where that differs.
        """
        pair = (um_per_px, um_per_px) if isinstance(um_per_px, int | float) else um_per_px
        low, high = PLAUSIBLE_UM_PER_PX
        if not all(low <= side <= high for side in pair):
            raise BadValueError(
                f"A pixel of {um_per_px} um is implausible for microscopy ({low:g} to {high:g} "
                f"um): about 0.25 is usual for a 40x scan, 0.5 for 20x."
            )
        y, x = float(pair[0]), float(pair[1])
        if self.um_per_px is not None and not np.allclose((y, x), self.um_per_px, rtol=1e-3):
            stated = " x ".join(f"{side:.4g}" for side in self.um_per_px)
            source += f", in place of {stated} um ({self.scale_source})"
        return replace(self, um_per_px=(y, x), scale_source=source)

    def at(self, um_per_px: float) -> Plane:
        """Return the slide as one plane of about this resolution (see `Plane.of`)."""
        from .plane import Plane

        return Plane.of(self, um_per_px)

    def read(self, region: Region, level: int = 0) -> NDArray[np.uint8]:
        """Read pixels of one level; outside the slide they are mirrored at its edge.

        Parameters
        ----------
        region : Region
            In pixels of the level. It may stick out of the slide.
        level : int
            Index into `levels`.

        Returns
        -------
        (height, width, 3) uint8

        Raises
        ------
        UnreadableRegionError
            Where the file cannot be decoded there. No pixel is made up.
        """
        plane = self.levels[level]
        inside = region.intersect(Region(y=0, x=0, height=plane.height, width=plane.width))
        if inside is None or inside != region:
            return self._read_mirrored(region, level)
        if plane.shrink == 1:
            return self._read_stored(plane.stored, inside)
        return self._read_shrunk(plane, inside)

    def read_associated(self, name: str) -> NDArray[np.uint8]:
        """Read an associated image (label, macro, thumbnail) as ``(y, x, 3) uint8``.

        Raises
        ------
        UnknownNameError
            Where the slide has no such image.
        UnreadableRegionError
            Where the file cannot be decoded there.
        """
        if name not in self.associated:
            known = ", ".join(self.associated) or "none"
            raise UnknownNameError(f"{self.path} has no image {name!r}; it has: {known}.")
        try:
            return self.source.associated(name)
        except MemoryError:
            raise
        except Exception as error:  # decoders raise anything, as for pixels
            raise UnreadableRegionError(
                f"{self.path}: the image {name!r} cannot be read "
                f"({type(error).__name__}: {error}). The file may be damaged; the slide itself "
                f"may still be readable."
            ) from error

    def _read_stored(self, stored: int, region: Region) -> NDArray[np.uint8]:
        try:
            pixels = self.source.read(stored, region)
        except (MemoryError, UnreadableRegionError):  # the latter of a slide under this one
            raise
        except Exception as error:  # decoders raise anything; here it becomes one kind
            raise UnreadableRegionError(
                f"{self.path}: level {stored}, rows {region.y}-{region.y_end}, columns "
                f"{region.x}-{region.x_end} cannot be read ({type(error).__name__}: {error}). "
                f"The file may be damaged or no longer there; copy it again from its origin."
            ) from error
        expected = (region.height, region.width, 3)
        if pixels.shape != expected or pixels.dtype != np.uint8:
            raise UnreadableRegionError(
                f"{self.path}: reader {self.reader!r} returned {pixels.shape} {pixels.dtype} "
                f"where {expected} uint8 was asked for."
            )
        return pixels

    def _read_shrunk(self, plane: Level, region: Region) -> NDArray[np.uint8]:
        """Read a virtual level in bands, so that an overview of a huge level fits in memory."""
        stored = next(i for i in self.levels if i.stored == plane.stored and i.shrink == 1)
        factor, out = plane.shrink, np.empty((region.height, region.width, 3), np.uint8)
        x, x_end = region.x * factor, min(region.x_end * factor, stored.width)
        band = max(1, 2048 // factor)
        for row in range(0, region.height, band):
            rows = min(band, region.height - row)
            y = (region.y + row) * factor
            y_end = min(y + rows * factor, stored.height)
            strip = Region(y=y, x=x, height=y_end - y, width=x_end - x)
            out[row : row + rows] = box_mean(self._read_stored(plane.stored, strip), factor)
        return out

    def _read_mirrored(self, region: Region, level: int) -> NDArray[np.uint8]:
        plane = self.levels[level]
        rows = mirrored(np.arange(region.y, region.y_end), plane.height)
        columns = mirrored(np.arange(region.x, region.x_end), plane.width)
        box = Region(
            y=int(rows.min()),
            x=int(columns.min()),
            height=int(np.ptp(rows)) + 1,
            width=int(np.ptp(columns)) + 1,
        )
        pixels = self.read(box, level).take(rows - box.y, axis=0)
        out = np.empty((region.height, region.width, 3), np.uint8)
        inside = (np.arange(region.x, region.x_end) == columns).nonzero()[0]
        if len(inside):  # most columns lie side by side as they are: moved at once
            first, end = int(inside[0]), int(inside[-1]) + 1
            x = int(columns[first]) - box.x
            out[:, first:end] = pixels[:, x : x + end - first]
        outside = np.setdiff1d(np.arange(region.width), inside)
        out[:, outside] = pixels[:, columns[outside] - box.x]
        return out


def mirrored(index: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Fold indices outside ``[0, length)`` back inside, mirrored about the edge pixels.

    Examples
    --------
    >>> mirrored(np.array([-2, -1, 0, 3, 4]), 4).tolist()
    [2, 1, 0, 3, 2]
    """
    if length == 1:
        return np.zeros_like(index)
    period = 2 * (length - 1)
    folded = np.abs(index) % period
    return np.where(folded >= length, period - folded, folded)


def virtual_levels(stored: list[tuple[int, int, float]], longest_px: int = 1000) -> list[Level]:
    """Complete the levels of a file down to an overview.

    Parameters
    ----------
    stored : list of (height, width, downsample)
        The levels that the file holds, finest first.
    longest_px : int
        Virtual levels, each half the one before, are added until the longer side is at
        most this.

    Returns
    -------
    list of Level

    Raises
    ------
    BadValueError
        A level holds no pixel.

    Examples
    --------
    >>> [level.width for level in virtual_levels([(3000, 4000, 1.0)])]
    [4000, 2000, 1000]
    """
    if empty := [f"{h} x {w}" for h, w, _ in stored if min(h, w) < 1]:
        raise BadValueError(f"A level of {empty[0]} px holds no pixel.")
    levels = [Level(h, w, downsample, i) for i, (h, w, downsample) in enumerate(stored)]
    last = levels[-1]
    shrink = 2
    while max(levels[-1].height, levels[-1].width) > longest_px:
        levels.append(
            Level(
                -(-last.height // shrink),
                -(-last.width // shrink),
                last.downsample * shrink,
                last.stored,
                shrink,
            )
        )
        shrink *= 2
    return levels


def checked_scale(
    um_per_px: tuple[float, float] | None, source: str
) -> tuple[tuple[float, float] | None, str]:
    """Question a pixel size that a file states; return it, or None and the reason.

    Examples
    --------
    >>> checked_scale((352.8, 352.8), "TIFF resolution tag")[0] is None
    True
    """
    if um_per_px is None:
        return None, source
    low, high = PLAUSIBLE_UM_PER_PX
    if all(np.isfinite(side) and low <= side <= high for side in um_per_px):
        return um_per_px, source
    y, x = um_per_px
    stated = f"{y:.4g}" if y == x else f"{y:.4g} x {x:.4g}"
    return None, (
        f"the file states {stated} um per pixel ({source}), which is implausible for "
        f"microscopy ({low:g} to {high:g} um)"
    )
