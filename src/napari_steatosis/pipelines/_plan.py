"""What a run will do: plane, grid, the tiles with tissue, and the identity of the result."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np

from .. import __version__
from ..core.digest import digest
from ..core.errors import BadValueError, NoTissueError
from ..core.grid import Grid
from ..core.mask import Mask
from ..core.model import Model
from ..core.plane import Plane
from ..core.slide import Slide
from ..core.stain import StainTransform


@dataclass(frozen=True, eq=False)
class Plan:
    """A run that has not begun: picklable, so that a cluster worker can do a part of it.

    Parameters
    ----------
    plane : Plane
        The slide at the model's resolution.
    model : Model
        What predicts.
    grid : Grid
        Tiles of the plane.
    tiles : tuple of int
        The tiles that hold something to analyse, in row-major order.
    within : Mask, optional
        Where to analyse; None is everywhere.
    stain : StainTransform, optional
        Applied to each tile before the model.
    """

    plane: Plane
    model: Model
    grid: Grid
    tiles: tuple[int, ...]
    within: Mask | None = None
    stain: StainTransform | None = None

    @property
    def slide(self) -> Slide:
        """The slide that is analysed."""
        return self.plane.slide

    @property
    def pixels(self) -> int:
        """Pixels of the plane that the tiles own."""
        return sum(t.inner.height * t.inner.width for t in map(self.grid.__getitem__, self.tiles))

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything the result depends on, as plain values; no paths, no times."""
        plane, within = self.plane, self.within
        frame = self.slide.frame()
        return {
            "slide": {
                "fingerprint": self.slide.fingerprint,
                "um_per_px": list(frame.um_per_px),
                "origin_um": list(frame.origin_um),
                "colour": list(self.slide.colour),
            },
            "plane": {
                "level": plane.level,
                "factor": list(plane.factor),
                "shape": [plane.height, plane.width],
            },
            "model": {"name": self.model.spec.name, "digest": self.model.digest},
            "arithmetic": dict(self.model.arithmetic),
            "within": None if within is None else _mask_identity(within),
            "stain": None if self.stain is None else self.stain.to_json(),
            "tile_px": self.grid.tile_px,
            "halo_px": self.grid.halo_px,
            "threshold": self.model.spec.threshold,
        }

    @property
    def digest(self) -> str:
        """SHA-256 of `identity`: the same from script, shell and window."""
        return digest(self.identity)

    @property
    def provenance(self) -> dict[str, Any]:
        """The identity, and what a reader wants to know besides."""
        spec = self.model.spec
        return {
            "digest": self.digest,
            **self.identity,
            "slide": {
                **self.identity["slide"],
                "path": self.slide.path,
                "reader": self.slide.reader,
                "um_per_px_source": self.slide.scale_source,
                "colour_profile": None if self.slide.profile is None else self.slide.profile.name,
            },
            "model": {
                **self.identity["model"],
                "architecture": spec.architecture,
                "um_per_px": spec.um_per_px,
                "licence": spec.licence,
                "training_data": spec.training_data,
            },
            "um_per_px": list(self.plane.frame.um_per_px),
            "versions": _versions(),
        }


def plan_segmentation(
    slide: Slide,
    model: Model,
    *,
    within: Mask | None = None,
    stain: StainTransform | None = None,
    tile_px: int | None = None,
) -> Plan:
    """Decide which tiles a segmentation of a slide computes.

    Parameters
    ----------
    slide : Slide
        With a pixel size.
    model : Model
        A segmentation model.
    within : Mask, optional
        Where to analyse (tissue, regions); None is the whole slide.
    stain : StainTransform, optional
        Fitted on this slide.
    tile_px : int, optional
        Side of the square that one task owns, in px of the model's resolution. The result
        does not depend on it beyond the model's stated tolerance.

    Raises
    ------
    MissingScaleError
        Where the slide has no pixel size.
    NoTissueError
        Where `within` leaves nothing to analyse.
    BadValueError
        Where the model does not segment.
    """
    spec = model.spec
    if spec.task != "segmentation":
        raise BadValueError(f"The model {spec.name!r} is for {spec.task}, not segmentation.")
    plane = slide.at(spec.um_per_px)
    grid = Grid(
        plane.height,
        plane.width,
        tile_px=spec.tile_px if tile_px is None else tile_px,
        halo_px=spec.halo_px,
        multiple_px=spec.multiple_px,
    )
    tiles = tuple(
        tile.index for tile in grid if within is None or within.touches(tile.inner, plane.frame)
    )
    if not tiles:
        raise NoTissueError(
            f"{slide.path}: there is nothing to analyse: no tissue was found, or the region "
            f"lies outside the slide. Check the region, or analyse without a tissue mask."
        )
    return Plan(plane, model, grid, tiles, within, stain)


def _mask_identity(mask: Mask) -> dict[str, Any]:
    content = hashlib.sha256(np.packbits(mask.values).tobytes()).hexdigest()
    return {
        "made_by": dict(mask.provenance),
        "um_per_px": list(mask.frame.um_per_px),
        "origin_um": list(mask.frame.origin_um),
        "shape": list(mask.values.shape),
        "content": content,
    }


def _versions() -> dict[str, str]:
    names = ("numpy", "torch", "zarr")
    return {
        "napari-steatosis": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }
