"""White places by kind, and a denominator without vessels, tears and glass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from ..core.geometry import Frame
from ..core.mask import Mask
from ..core.model import Model
from ..core.prediction import Prediction
from ..core.report import Columns
from ..core.slide import Slide
from ..io._probability_pyramid import quantised
from ..quantify._seams import components
from ..quantify._shapes import Shapes, shapes_of
from ._tiles import class_values
from .segment import segment

LEAVE = ("vein", "portal vessel", "tear", "glass")
"""Kinds that are not parenchyma: they leave the denominator of fractions."""

SURE = 0.9
"""Probability from which a place is taken out of the denominator."""

MASK_UM = 2.0
"""Resolution of masks of white places, um."""

ROWS_PX = 512
"""Rows of the class map that are held at once."""

SCALE_TOLERANCE = 0.1
"""An image whose pixel size differs by no more than this share is judged as it is."""


@dataclass(frozen=True, eq=False)
class WhiteRegions:
    """What the white places of a slide or an image are.

    Parameters
    ----------
    prediction : Prediction
        The kinds as a class map: to be shown as labels, stored, measured.
    table : dict of str to (n,) array
        One row per place: ``kind``, ``probability`` of that kind, ``y_um``, ``x_um`` (centre),
        ``area_um2``, ``touches_border`` of what was analysed.
    """

    prediction: Prediction
    table: Columns

    def mask(self, kinds: Sequence[str] = LEAVE, *, least_probability: float = SURE) -> Mask:
        """Return where places surely are of some kinds, at about 2 um.

        Give it to `napari_steatosis.analyse` as `exclude`, or take it out of a tissue mask.

        Parameters
        ----------
        kinds : sequence of str
            By default those that are not parenchyma.
        least_probability : float
            Of these kinds together. Low values take fat out, too, which is worse for the
            fraction than to leave a vessel in.

        Raises
        ------
        UnknownNameError
            Where the model knows no such kind.
        """
        made = self._made(kinds, least_probability)
        return Mask(self._sure(kinds, least_probability), self._coarse, made)

    def parenchyma(
        self, tissue: Mask, leave: Sequence[str] = LEAVE, *, least_probability: float = SURE
    ) -> Mask:
        """Return a tissue mask without the places that surely are of some kinds, at about 2 um.

        Fat, sinusoids and ducts stay in it, and whatever is in doubt.

        Parameters
        ----------
        tissue : Mask
            Usually `find_tissue` of the same slide. Nothing is added to it.
        leave : sequence of str
            The kinds that are taken out.
        least_probability : float
            As in `mask`.
        """
        rest = ~self._sure(leave, least_probability)
        return tissue & Mask(rest, self._coarse, {"all but": self._made(leave, least_probability)})

    @property
    def _factor(self) -> int:
        return max(1, round(MASK_UM / self.prediction.frame.mean_um_per_px))

    @property
    def _coarse(self) -> Frame:
        return self.prediction.frame.coarser(self._factor)

    def _made(self, kinds: Sequence[str], least_probability: float) -> dict[str, Any]:
        return {
            "white_regions": list(kinds),
            "least_probability": least_probability,
            "of": self.prediction.provenance.get("digest", self.prediction.name),
        }

    def _sure(self, kinds: Sequence[str], least_probability: float) -> NDArray[np.bool_]:
        """Return where at least half of a mask's pixel is surely of some kinds."""
        prediction, factor = self.prediction, self._factor
        planes = [prediction.value_of(kind) - 1 for kind in kinds]
        rows, columns = (-(-length // factor) for length in prediction.shape)
        found = np.zeros((rows, columns), bool)
        step = max(1, ROWS_PX // factor)
        for row in range(0, rows, step):
            band = slice(row * factor, (row + step) * factor)
            parts = (np.asarray(prediction.probabilities[0][plane, band]) for plane in planes)
            total = sum(part.astype(np.int64) for part in parts)
            inside = (np.asarray(total) >= 255 * least_probability).astype(np.int64)
            high, wide = inside.shape
            across = np.add.reduceat(inside, np.arange(0, wide, factor), axis=1)
            count = np.add.reduceat(across, np.arange(0, high, factor), axis=0)
            tall = np.minimum(factor, high - np.arange(0, high, factor))
            broad = np.minimum(factor, wide - np.arange(0, wide, factor))
            found[row : row + step] = 2 * count >= tall[:, None] * broad
        return found


def white_regions(
    image: Slide | NDArray[np.uint8],
    *,
    model: str | Model = "white-regions-drawn",
    um_per_px: float | None = None,
    within: Mask | None = None,
    store: str | Path | None = None,
    **options: Any,
) -> WhiteRegions:
    """Say what each white place is: fat, vein, portal vessel, sinusoid, duct, tear or glass.

    The shipped model learned from drawn livers and was never validated on real ones: look at
    the labels before you rely on them.

    Parameters
    ----------
    image : Slide or (y, x, 3) uint8
        A slide, which is judged tile by tile, or one RGB image.
    model : str or Model
        A classical model that tells kinds apart, or any model that segments into such classes.
    um_per_px : float, optional
        Side of a pixel, um; for an RGB image only, which needs it.
    within : Mask, optional
        Where to look on a slide, usually `find_tissue(slide)`.
    store : path, optional
        Results store of the class map of a slide; None keeps it in memory.
    **options
        As in `napari_steatosis.segment`, for a slide.

    Returns
    -------
    WhiteRegions

    Raises
    ------
    BadValueError
        Where an image is given without its pixel size or at a scale that the model does not
        know, or is not RGB; or the model tells no kinds apart.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> slide = st.drawn_liver(512, 512, seed=1)
    >>> white = st.white_regions(slide)
    >>> sorted(set(white.table["kind"].tolist()) & {"fat", "glass"})
    ['fat', 'glass']
    >>> tissue = st.find_tissue(slide)
    >>> white.parenchyma(tissue).area_mm2 < tissue.area_mm2 + 0.001
    True
    """
    from ..models import load_model

    own = load_model(model) if isinstance(model, str) else model
    if missing := [kind for kind in LEAVE if kind not in own.spec.classes]:
        raise BadValueError(
            f"The model {own.spec.name!r} does not know the kind {missing[0]!r}; it knows "
            f"{', '.join(own.spec.classes)}. Use 'white-regions-drawn', or train one of kinds."
        )
    if isinstance(image, Slide):
        found = segment(image, own, within=within, store=store, probabilities=True, **options)
    else:
        found = _of_image(image, own, um_per_px)
    return WhiteRegions(found, _table(found))


def _of_image(image: NDArray[np.uint8], model: Model, um_per_px: float | None) -> Prediction:
    own = model.spec.um_per_px
    if um_per_px is None or abs(um_per_px / own - 1) > SCALE_TOLERANCE:
        raise BadValueError(
            f"An image must be at about {own:g} um per pixel for {model.spec.name!r}, got "
            f"{um_per_px}. State um_per_px, and resample the image to it where it differs."
        )
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise BadValueError(f"An image must be RGB, (y, x, 3) uint8, got {image.shape}.")
    height, width = image.shape[:2]
    step = model.spec.multiple_px
    padded = np.pad(image, ((0, -height % step), (0, -width % step), (0, 0)), mode="symmetric")
    probabilities = model.predict(padded[None])[0][:, :height, :width]
    classes = class_values(probabilities, model.spec.threshold)
    return Prediction(
        name="white regions",
        levels=[classes],
        classes=model.spec.classes,
        frame=Frame((um_per_px, um_per_px)),
        provenance={"model": {"name": model.spec.name, "digest": model.digest}},
        probabilities=[quantised(probabilities, classes)],
    )


def _table(prediction: Prediction) -> Columns:
    """Return one row per connected place of one kind, from the top of the plane down."""
    kinds, found = [], []
    for index in range(1, len(prediction.classes)):
        shapes = list(_places(prediction, index + 1))
        if shapes:
            joined = Shapes.joined(shapes)
            found.append(joined)
            kinds.append(np.full(len(joined), index))
    if not found:
        names = ("kind", "probability", "y_um", "x_um", "area_um2", "touches_border")
        kinds_of: dict[str, Any] = {"kind": np.str_, "touches_border": np.bool_}
        return {name: np.zeros(0, kinds_of.get(name, np.float64)) for name in names}
    every, index_of = Shapes.joined(found), np.concatenate(kinds)
    order = np.lexsort((every.first_x, every.y))
    every, index_of = every[order], index_of[order]
    centre = prediction.frame.to_um(every.centres_px())
    return {
        "kind": np.array(prediction.classes)[index_of],
        "probability": _sampled(prediction, index_of, every),
        "y_um": centre[:, 0],
        "x_um": centre[:, 1],
        "area_um2": every.area * prediction.frame.um2_per_px,
        "touches_border": every.edge,
    }


def _places(prediction: Prediction, value: int) -> Iterator[Shapes]:
    for part in components(prediction.levels[0], value, rows_px=ROWS_PX):
        yield part if isinstance(part, Shapes) else shapes_of(part)


def _sampled(
    prediction: Prediction, index: NDArray[np.int64], shapes: Shapes
) -> NDArray[np.float64]:
    """Return what the model says of the first pixel of each place, which is that of the place."""
    found = np.full(len(index), np.nan)
    stored = prediction.probabilities[0]
    for y in range(0, prediction.shape[0], ROWS_PX):
        rows = (shapes.y >= y) & (shapes.y < y + ROWS_PX)
        for kind in np.unique(index[rows]):
            chosen = rows & (index == kind)
            plane = np.asarray(stored[int(kind), y : y + ROWS_PX])
            found[chosen] = plane[shapes.y[chosen] - y, shapes.first_x[chosen]] / 255
    return found
