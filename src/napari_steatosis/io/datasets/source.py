"""Reads the samples of a dataset from their files when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...core.dataset import IGNORE, Sample
from ...core.errors import BadValueError
from ...core.marks import Marks
from ...core.plane import Plane
from .areas import Areas, areas_at, draw_mask, level_0
from .coding import MaskCoding, find_coding
from .marks import annotations_at, changed_at, marks_for, marks_of
from .pictures import read_stored, rgb_of


@dataclass(frozen=True, eq=False)
class FileSource:
    """Files, in folders or zip files, and regions of slides.

    Parameters
    ----------
    coding : MaskCoding, optional
        What the values of the mask files stand for; found out from the mask itself if None.
    classes : tuple of str
        Names of the indices of masks that are drawn from outlines.
    """

    coding: MaskCoding | None = None
    classes: tuple[str, ...] = ()

    def image(self, sample: Sample) -> NDArray[np.uint8]:
        """Read RGB; of a slide at the resolution of the sample, mirrored at its edge."""
        if sample.region is None:
            return rgb_of(read_stored(sample.path), sample.path)
        return plane_at(sample.path, _scale(sample)).read(sample.region)

    def mask(self, sample: Sample) -> NDArray[np.uint8] | None:
        """Read class indices from mask files, or draw them from outlines."""
        if sample.mask_path:
            return self._stored(sample.mask_path.split(";"))
        if not sample.annotations_path:
            return None
        areas = areas_at(sample.annotations_path)
        if sample.region is None:
            if not (areas.others or areas.complete):
                return None
            shape = read_stored(sample.path).shape
            return draw_mask(areas, self.classes, shape, whole=True)
        plane = plane_at(sample.path, _scale(sample))
        place = sample.region
        start, step = level_0(plane, (place.y, place.x))
        where, steps = (float(start[0]), float(start[1])), (float(step[0]), float(step[1]))
        size = (place.height, place.width)
        return draw_mask(areas, self.classes, size, start=where, step=steps)

    def points(self, sample: Sample) -> Marks | None:
        """Read the points of an image, or those inside the region of a slide."""
        if sample.points_path:
            return marks_for(sample.points_path, sample.path)
        if not sample.annotations_path:
            return None
        path = sample.annotations_path
        marks = marks_of(annotations_at(path, changed_at(path)))
        if sample.region is None or not len(marks.places):
            return marks if len(marks.places) else None
        place = sample.region
        start, step = level_0(plane_at(sample.path, _scale(sample)), (place.y, place.x))
        places = (marks.places - start) / step
        size = (place.height, place.width)
        within = np.flatnonzero(((places >= -0.5) & (places < np.array(size) - 0.5)).all(axis=1))
        return Marks(places[within], tuple(marks.labels[index] for index in within))

    def _stored(self, paths: list[str]) -> NDArray[np.uint8]:
        coding = self.coding or find_coding(paths)
        if len(paths) == 1:
            return coding.apply(read_stored(paths[0]), paths[0])
        planes = [coding.apply(read_stored(path), path) for path in paths]
        if len({plane.shape for plane in planes}) > 1:
            sizes = ", ".join(f"{p.shape[0]} x {p.shape[1]}" for p in planes)
            raise BadValueError(f"{paths[0]} and its fellow masks differ in size: {sizes} px.")
        out = np.zeros_like(planes[0])
        for index, plane in enumerate(planes, start=1):
            out[(plane > 0) & (plane != IGNORE)] = index
        return out


def plane_at(path: str, um_per_px: float) -> Plane:
    """Return a slide at a resolution; its header is read once."""
    return _plane(path, um_per_px, changed_at(path))


@lru_cache(maxsize=64)
def _plane(path: str, um_per_px: float, changed: float) -> Plane:
    from .. import open_slide

    return open_slide(path).at(um_per_px)


def classes_drawn(areas: list[Areas]) -> tuple[str, ...]:
    """Return the classes of all outlines; tissue, which is what lies in none, comes first."""
    return ("tissue", *sorted({name for one in areas for name in one.classes}))


def _scale(sample: Sample) -> float:
    if sample.um_per_px is None:
        raise BadValueError(
            f"{sample.name}: a region of a slide needs the size of its pixels, um; give mpp."
        )
    return sample.um_per_px
