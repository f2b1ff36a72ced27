"""Image and labels layers of napari as values of the house, to be written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from ..core.geometry import Frame, Region
from ..core.label_image import LabelImage
from ..core.pyramid import LevelArray
from ..core.slide import PLAUSIBLE_UM_PER_PX, Slide, virtual_levels
from .placement import Ground, frame_in_world, matrix_of, plain_frame, relative

if TYPE_CHECKING:
    from ..core.prediction import Prediction

RGB_UINT8 = "8-bit RGB, a (y, x, 3) array"


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Pixels of an image layer, read from its arrays when they are asked for.

    Parameters
    ----------
    levels : tuple of (y, x, 3) uint8 arrays
        numpy, zarr or dask.
    """

    levels: tuple[Any, ...]

    def read(self, level: int, region: Region) -> NDArray[np.uint8]:
        """Return ``(height, width, 3) uint8`` RGB of a region inside a level."""
        return np.asarray(self.levels[level][region.slices], np.uint8)

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Raise `KeyError`: an image layer holds no label, macro or thumbnail."""
        raise KeyError(name)


def slide_of(data: Any, meta: Mapping[str, Any]) -> Slide:
    """Return the slide that an image layer shows; an array of RGB becomes one, uncopied.

    Raises
    ------
    BadValueError
        The layer is not flat 8-bit RGB, or is turned.
    """
    levels = _levels(data, meta)
    slide = meta["metadata"].get("slide")
    if slide is not None and isinstance(levels[0], LevelArray):
        return slide
    first = levels[0]
    if not meta.get("rgb") or first.dtype != np.uint8 or first.shape[2:] != (3,):
        raise BadValueError(
            f"The image {meta['name']!r} is {first.dtype} of shape {first.shape}; a slide is "
            f"{RGB_UINT8}. Convert it, or leave it out of what you save."
        )
    factors = [first.shape[0] / level.shape[0] for level in levels]
    sizes = [(*level.shape[:2], factor) for level, factor in zip(levels, factors, strict=True)]
    frame = frame_in_world(meta)
    made = Slide(
        path=str(meta["name"]),
        reader="napari",
        source=ArraySource(tuple(levels)),
        levels=tuple(virtual_levels(sizes)),
        fingerprint=f"napari layer {meta['name']} {first.shape}",
        scale_source="the layer has no unit of length",
    )
    if frame is None:
        return made
    low, high = PLAUSIBLE_UM_PER_PX
    if not all(low <= side <= high for side in frame.um_per_px):
        raise BadValueError(
            f"The image {meta['name']!r} has pixels of {frame.um_per_px} um, which is implausible "
            f"for microscopy ({low:g} to {high:g} um). Put its scale and units right."
        )
    return replace(
        made,
        um_per_px=frame.um_per_px,
        origin_um=frame.origin_um,
        scale_source="scale of the layer in napari",
    )


def labels_of(data: Any, meta: Mapping[str, Any], ground: Ground | None) -> Prediction | LabelImage:
    """Return what a labels layer holds: the prediction itself where nobody changed it.

    Raises
    ------
    BadValueError
        The layer is not flat, or lies turned on the slide.
    """
    levels = _levels(data, meta)
    if len(levels[0].shape) != 2:
        raise BadValueError(
            f"The labels {meta['name']!r} have {len(levels[0].shape)} dimensions; 2 can be "
            f"written. Save one plane of them."
        )
    frame = _frame_alone(meta) if ground is None else _frame_on(ground, levels[0].shape, meta)
    prediction = meta["metadata"].get("prediction")
    if prediction is not None and _same(prediction, frame) and _unchanged(prediction, levels):
        return prediction
    name = re.sub(r"[^\w. -]", "_", str(meta["name"])).strip(". ") or "labels"
    return LabelImage(name, levels, frame, _colours(meta), _properties(meta))


def _levels(data: Any, meta: Mapping[str, Any]) -> list[Any]:
    levels = list(data) if meta.get("multiscale") else [data]
    return [level if hasattr(level, "dtype") else np.asarray(level) for level in levels]


def _frame_alone(meta: Mapping[str, Any]) -> Frame | None:
    frame = frame_in_world(meta)
    if frame is None and not np.allclose(matrix_of(meta), np.eye(3)):
        raise BadValueError(
            f"The labels {meta['name']!r} are scaled or moved, but have no unit of length, and the "
            f"file could not say where they lie. Save them together with their slide."
        )
    return frame


def _frame_on(ground: Ground, shape: tuple[int, int], meta: Mapping[str, Any]) -> Frame | None:
    """Return where labels lie on a slide: as they lie on its layer, wherever that was moved."""
    on_slide = relative(meta, ground)
    placed = plain_frame(on_slide, meta)
    if ground.slide.um_per_px is not None:
        slide = ground.slide.frame()
        size = np.multiply(placed.um_per_px, slide.um_per_px)
        origin = slide.to_um(placed.origin_um)
        return Frame((float(size[0]), float(size[1])), (float(origin[0]), float(origin[1])))
    if not np.allclose(on_slide, np.eye(3)) or shape != ground.slide.shape:
        raise BadValueError(
            f"The labels {meta['name']!r} do not have the pixels of {ground.slide.path}, whose "
            f"pixel size is not known. Give it (Plugins > napari-steatosis > Open slide…)."
        )
    return None


def _unchanged(prediction: Prediction, levels: list[Any]) -> bool:
    """Say whether a layer still shows a prediction; napari lets nobody paint on a pyramid."""
    if len(levels) > 1:
        return levels[0].shape == prediction.shape
    return np.array_equal(levels[0], prediction.levels[0][:])


def _same(prediction: Prediction, frame: Frame | None) -> bool:
    if frame is None:
        return False
    own = prediction.frame
    return bool(
        np.allclose(frame.um_per_px, own.um_per_px)
        and np.allclose(frame.origin_um, own.origin_um, atol=1e-3 * own.mean_um_per_px)
    )


def _colours(meta: Mapping[str, Any]) -> dict[int, Any]:
    """Return the colours of a table; napari's own, which are endless, are not written."""
    table = getattr(meta.get("colormap"), "color_dict", None) or {}
    return {
        int(value): tuple(int(part) for part in np.rint(np.asarray(rgba) * 255))
        for value, rgba in table.items()
        if value
    }


def _properties(meta: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    rows = rows_of(meta, len(meta["features"]))
    return {int(row.pop("index", number)): row for number, row in enumerate(rows)}


def rows_of(meta: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """Return the features as dictionaries of plain values, without what is missing."""
    import pandas

    table = meta["features"]
    if not len(table.columns):
        return [{} for _ in range(count)]
    return [
        {str(k): v.item() if isinstance(v, np.generic) else v for k, v in row.items()
         if not (pandas.api.types.is_scalar(v) and pandas.isna(v))}
        for row in table.to_dict("records")
    ]  # fmt: skip
