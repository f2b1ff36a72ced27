"""What a run will do: plane, grid, the tiles with tissue, and the identity of the result."""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..core.digest import digest
from ..core.errors import BadValueError, NoTissueError
from ..core.geometry import Region
from ..core.grid import Grid
from ..core.mask import Mask
from ..core.model import Model, StreamingModel
from ..core.plane import Plane
from ..core.slide import Slide
from ..core.stain import StainTransform

Border = Literal["reflect", "exclude"]


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
    border : {"reflect", "exclude"}
        ``"reflect"``: the slide is mirrored at its edges. ``"exclude"``: pixels whose context
        sticks out of the slide are not analysed.
    probabilities : bool
        Whether probabilities are stored beside the class map.
    """

    plane: Plane
    model: Model
    grid: Grid
    tiles: tuple[int, ...]
    within: Mask | None = None
    stain: StainTransform | None = None
    border: Border = "reflect"
    probabilities: bool = False

    @property
    def slide(self) -> Slide:
        """The slide that is analysed."""
        return self.plane.slide

    @property
    def pixels(self) -> int:
        """Pixels of the plane that the tiles own."""
        return sum(t.inner.height * t.inner.width for t in map(self.grid.__getitem__, self.tiles))

    def touches(self, region: Region) -> bool:
        """Say whether a region of the plane holds anything to analyse."""
        seen = self._with_context(region)
        return seen is not None and (
            self.within is None or self.within.touches(seen, self.plane.frame)
        )

    def left_out(self, region: Region) -> NDArray[np.bool_] | None:
        """Return which pixels of a region are not analysed; None where all are."""
        out = None if self.within is None else ~self.within.on(region, self.plane.frame)
        if self.border == "exclude":
            edge = np.ones((region.height, region.width), bool)
            seen = self._with_context(region)
            if seen is not None:
                edge[seen.within(region)] = False
            out = edge if out is None else out | edge
        return out

    def _with_context(self, region: Region) -> Region | None:
        """Return the part of a region that may be analysed at this border."""
        if self.border == "reflect":
            return region
        halo, plane = self.grid.halo_px, self.plane
        height, width = plane.height - 2 * halo, plane.width - 2 * halo
        if min(height, width) < 1:
            return None
        return region.intersect(Region(y=halo, x=halo, height=height, width=width))

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
            "border": self.border,
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
                "stain": None if self.slide.stain is None else self.slide.stain.to_json(),
            },
            "model": {
                **self.identity["model"],
                "architecture": spec.architecture,
                "um_per_px": spec.um_per_px,
                "licence": spec.licence,
                "training_data": spec.training_data,
                "computed_on": str(getattr(self.model, "compute", "")),
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
    **options: Any,
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
    **options
        `tile_px` (int): side of the square that is stored at a time, px of the model's
        resolution; the result does not depend on it beyond the model's stated tolerance.
        `border` and `probabilities` as in `Plan`.

    Raises
    ------
    MissingScaleError
        Where the slide has no pixel size.
    NoTissueError
        Where `within` leaves nothing to analyse.
    BadValueError
        Where the model does not segment, or an option has a value that cannot be used.
    """
    spec, tile_px = model.spec, options.pop("tile_px", None)
    if spec.task != "segmentation":
        raise BadValueError(f"The model {spec.name!r} is for {spec.task}, not segmentation.")
    if options.get("border", "reflect") not in ("reflect", "exclude"):
        raise BadValueError(f"border is 'reflect' or 'exclude', got {options['border']!r}.")
    plane = slide.at(spec.um_per_px)
    grid = Grid(
        plane.height,
        plane.width,
        tile_px=_tile_px(model) if tile_px is None else tile_px,
        halo_px=spec.halo_px,
        multiple_px=spec.multiple_px,
    )
    plan = Plan(plane, model, grid, (), within, stain, **options)
    tiles = tuple(tile.index for tile in grid if plan.touches(tile.inner))
    if not tiles:
        raise NoTissueError(
            f"{slide.path}: there is nothing to analyse: no tissue was found, or the region "
            f"lies outside the slide. Check the region, or analyse without a tissue mask."
        )
    return replace(plan, tiles=tiles)


def _tile_px(model: Model) -> int:
    """Return the tile of a model; half of it where tiles are computed many at a time.

    Smaller tiles follow the outline of the tissue closer, and cost nothing then.
    """
    half = model.spec.tile_px // 2
    return half if streams(model) and half % model.spec.multiple_px == 0 else model.spec.tile_px


def streams(model: Model) -> bool:
    """Say whether a model is computed in bands of rows, here."""
    return isinstance(model, StreamingModel) and model.stream() is not None


def _mask_identity(mask: Mask) -> dict[str, Any]:
    return {
        "made_by": dict(mask.provenance),
        "um_per_px": list(mask.frame.um_per_px),
        "origin_um": list(mask.frame.origin_um),
        "shape": list(mask.shape),
        "content": mask.content,
    }


def _versions() -> dict[str, str]:
    names = ("numpy", "torch", "zarr")
    return {
        "napari-steatosis": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }
