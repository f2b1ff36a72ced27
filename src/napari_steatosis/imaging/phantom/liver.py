"""The drawn liver: a slide of any size whose regions are drawn when they are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.digest import digest
from ...core.errors import BadValueError, CannotOpenError
from ...core.geometry import Region
from ...core.slide import Slide, virtual_levels
from .droplets import REACH_UM
from .hepatocytes import drawn_nuclei, share_with_fat
from .outline import PIECE_UP_TO_UM, Outline
from .overview import FROM_UM, overview
from .paint import bare, paint
from .scene import Scene, truth_of
from .style import Style
from .vessels import vessels_in
from .view import View
from .whites import white_kinds

BLOCK_PX = 1024
SHAPES = ("everywhere", "piece", "cores")

MOST_FAT = 62.0
"""Largest share of the parenchyma that can be drawn as fat, percent."""


@dataclass(frozen=True, slots=True)
class DrawnLiver:
    """Pixel source that draws a region of liver, and its truth, when asked.

    Parameters
    ----------
    height, width : int
        Extent of level 0, px.
    um_per_px : float
        Distance of pixel centres, um.
    seed : int
        Decides everything that is drawn.
    fat_percent : float
        Wanted fat area in percent of the parenchyma.
    shape : str
        "everywhere" (no glass), "piece" or "cores".
    style : Style
        Stain and condition.

    Examples
    --------
    >>> liver = drawn_liver(300, 300, seed=1, glass=False).source
    >>> liver.truth(Region(y=10, x=20, height=5, width=7)).shape
    (5, 7)
    """

    height: int
    width: int
    um_per_px: float
    seed: int
    fat_percent: float
    shape: str
    style: Style

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1:
            raise BadValueError(f"A slide of {self.height} x {self.width} px cannot be drawn.")
        if not 0.1 <= self.um_per_px <= 4:
            raise BadValueError(
                f"The drawn liver is drawn at 0.1 to 4 um per pixel, got {self.um_per_px}."
            )
        if not 0 <= self.fat_percent <= MOST_FAT:
            raise BadValueError(
                f"fat_percent must lie in 0 to {MOST_FAT:g}, got {self.fat_percent}."
            )
        if self.shape not in SHAPES:
            raise BadValueError(f"The shape must be one of {SHAPES}, got {self.shape!r}.")

    @property
    def scene(self) -> Scene:
        """What is drawn, free of pixels."""
        um = self.um_per_px
        outline = Outline(self.shape, self.height * um, self.width * um, self.seed, self.style)
        return Scene(self.seed, self.style, outline, self.fat_percent)

    @property
    def bounds(self) -> Region:
        """The whole of level 0."""
        return Region(y=0, x=0, height=self.height, width=self.width)

    def read(self, level: int, region: Region) -> NDArray[np.uint8]:
        """Draw a region of a level as ``(height, width, 3) uint8``.

        The pixels do not depend on which regions were read before or how they are cut. Level
        ``n`` is drawn afresh with pixels ``2 ** n`` times as large, so it looks like the mean
        of level 0 without being it; above 3 um per pixel single cells are left out.
        """
        out = np.empty((region.height, region.width, 3), np.uint8)
        scene = self.scene
        for part in _blocks(region):
            view = self._view(part, level)
            coarse = level > 0 and view.um > FROM_UM
            if self._is_bare(scene, view):
                drawn = np.rint(scene.style.white) if coarse else bare(scene.style, view)
            elif coarse:
                drawn = overview(scene, view)
            else:
                drawn = paint(scene, view, _step(view))
            out[part.within(region)] = drawn
        return out

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Raise: a drawn slide has no label, macro or thumbnail image."""
        raise CannotOpenError(
            f"The drawn liver has no associated image {name!r}; read a coarse level instead."
        )

    def truth(self, region: Region) -> NDArray[np.uint8]:
        """Return the true classes of a region of level 0 as ``(height, width) uint8``.

        0 is glass, cracks, holes, gaps between loose fibres and the lumina of vessels; 1 is
        tissue without fat; 2 is fat.
        """
        out = np.zeros((region.height, region.width), np.uint8)
        for part, classes, _ in self._truths(region):
            out[part.within(region)] = classes
        return out

    def instances(self, region: Region) -> NDArray[np.int64]:
        """Return the droplet of each pixel as ``(height, width) int64``, 0 where none is."""
        out = np.zeros((region.height, region.width), np.int64)
        for part, _, identity in self._truths(region):
            out[part.within(region)] = identity
        return out

    def white_kinds(self, region: Region) -> NDArray[np.uint8]:
        """Return what each white place of a region is, ``(height, width) uint8``.

        An index of `WHITES`: 0 is tissue, 1 fat, then veins, portal vessels, sinusoids, ducts,
        tears and glass.
        """
        out, scene = np.empty((region.height, region.width), np.uint8), self.scene
        for part in _blocks(region):
            view = self._view(part)
            out[part.within(region)] = white_kinds(scene, view, _step(view))
        return out

    def droplets(self, region: Region) -> dict[str, NDArray[np.generic]]:
        """Return identity and place of the droplets whose centre lies in a region.

        Returns
        -------
        dict
            Columns "id" (int64, as in `instances`), "y_px", "x_px" (pixel coordinates, the
            centre of pixel (0, 0) is (0, 0)) and "radius_px" (of the circle of equal area).
        """
        found = self.scene.droplets(self._view(region).box)
        um, shapes = self.um_per_px, found.outlines
        return {
            "id": found.identity,
            "y_px": shapes.y / um,
            "x_px": shapes.x / um,
            "radius_px": shapes.radius / um,
        }

    def nuclei(self, region: Region) -> dict[str, NDArray[np.generic]]:
        """Return the nuclei of hepatocytes whose centre lies in a region, on tissue.

        Returns
        -------
        dict
            Columns "y_px", "x_px" (pixel coordinates) and "radius_px" (of the circle of equal
            area). A nucleus that droplets on several sides squeeze may be hidden by one of them.
        """
        view = self._view(region)
        box, um = view.box, self.um_per_px
        droplets = self.scene.droplets(box.grow(REACH_UM))
        around = vessels_in(self.seed, box.grow(30.0))
        found = drawn_nuclei(self.seed, self.style, box.grow(30.0), around, droplets)
        found = found.where(box.holds(found.y, found.x))
        found = found.where(self.scene.outline.depth(found.y, found.x) > 0)
        return {"y_px": found.y / um, "x_px": found.x / um, "radius_px": found.radius / um}

    def true_hepatocyte_percent(self, region: Region) -> float:
        """Return the share of hepatocytes with fat in a region, nuclei shown or not."""
        parts = self.instances(region), self.truth(region)
        return share_with_fat(self.seed, self._view(region), *parts)

    def true_fat_percent(self) -> float:
        """Return the fat area in percent of the parenchyma, counted over the whole slide."""
        counts = np.zeros(3, np.int64)
        for _, classes, _ in self._truths(self.bounds):
            counts += np.bincount(classes.ravel(), minlength=3)
        return 100 * float(counts[2]) / max(1, int(counts[1] + counts[2]))

    def true_diameters_um(self) -> NDArray[np.float64]:
        """Return the diameters of the droplets whose centre lies on the slide, um.

        Of the circles of equal area, in no particular order.
        """
        radii = [self.droplets(part)["radius_px"] for part in _blocks(self.bounds)]
        return 2 * self.um_per_px * np.concatenate(radii).astype(np.float64)

    def slide(self) -> Slide:
        """Return the slide that reads from this source."""
        values = {
            name: getattr(self, name)
            for name in ("height", "width", "um_per_px", "seed", "fat_percent", "shape")
        }
        return Slide(
            path=f"drawn liver {self.height} x {self.width}, seed {self.seed}",
            reader="drawn",
            source=self,
            levels=tuple(virtual_levels(self._sizes())),
            fingerprint=digest({**values, "style": self.style.as_dict(), "drawing": 2}),
            um_per_px=(self.um_per_px, self.um_per_px),
            scale_source="drawn at this pixel size",
        )

    def _sizes(self) -> list[tuple[int, int, float]]:
        """Return height, width and downsample of the levels, each half the one before."""
        sizes = [(self.height, self.width, 1.0)]
        while max(sizes[-1][:2]) > 1000:
            height, width, downsample = sizes[-1]
            sizes.append((-(-height // 2), -(-width // 2), 2 * downsample))
        return sizes

    def _view(self, region: Region, level: int = 0) -> View:
        um = self.um_per_px * 2**level
        first = (um - self.um_per_px) / 2
        return View(region.y, region.x, region.height, region.width, um, first)

    def _is_bare(self, scene: Scene, view: View) -> bool:
        box = view.box
        reach = float(np.hypot(box.y_end - box.y, box.x_end - box.x)) / 2
        return scene.outline.is_bare((box.y + box.y_end) / 2, (box.x + box.x_end) / 2, reach)

    def _truths(
        self, region: Region
    ) -> Iterator[tuple[Region, NDArray[np.uint8], NDArray[np.int64]]]:
        scene = self.scene
        for part in _blocks(region):
            view = self._view(part)
            if self._is_bare(scene, view):
                shape = (part.height, part.width)
                yield part, np.zeros(shape, np.uint8), np.zeros(shape, np.int64)
            else:
                yield part, *truth_of(scene, view, _step(view))


def _step(view: View) -> int:
    """Return the pixels per node of the grid on which smooth things are drawn (about 1 um)."""
    return max(1, round(1 / view.um))


def _blocks(region: Region) -> Iterator[Region]:
    """Cut a region so that memory stays bounded whatever is asked for."""
    for y in range(region.y, region.y_end, BLOCK_PX):
        for x in range(region.x, region.x_end, BLOCK_PX):
            yield Region(
                y=y,
                x=x,
                height=min(BLOCK_PX, region.y_end - y),
                width=min(BLOCK_PX, region.x_end - x),
            )


def drawn_liver(
    height: int,
    width: int,
    *,
    um_per_px: float = 0.5,
    seed: int = 0,
    fat_percent: float = 10.0,
    glass: bool = True,
) -> Slide:
    """Return a slide of drawn H&E-like liver whose fat is known to the pixel.

    Parameters
    ----------
    height, width : int
        Extent, px. Nothing is drawn before it is read, so 100 000 square is fine.
    um_per_px : float
        Distance of pixel centres, um; all sizes of what is drawn are in um.
    seed : int
        Decides tissue, droplets and stain.
    fat_percent : float
        Wanted fat area in percent of the parenchyma, 0 to 62; reached to about 15 % of
        itself where the slide is large enough. `DrawnLiver.true_fat_percent` counts it.
        Above 45 droplets are packed, whatever the style says of their size.
    glass : bool
        Put glass around: up to 8 mm along the shorter side one rounded piece, above that
        three needle cores of at most 15 x 1.1 mm, so the tissue of a huge slide stays
        bounded. Without, tissue fills the slide.

    Returns
    -------
    Slide
        Its `source` is a `DrawnLiver`, which also gives `truth`, `instances` and
        `droplets`. For another stain use `dataclasses.replace(slide.source, style=...)`
        and `.slide()`.

    Examples
    --------
    >>> slide = drawn_liver(256, 256, seed=3, glass=False)
    >>> slide.read(Region(y=0, x=0, height=64, width=64)).shape
    (64, 64, 3)
    """
    small = min(height, width) * um_per_px <= PIECE_UP_TO_UM
    shape = "everywhere" if not glass else "piece" if small else "cores"
    return DrawnLiver(
        height, width, um_per_px, seed, fat_percent, shape, Style.of_seed(seed)
    ).slide()
