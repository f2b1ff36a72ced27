"""Labels that somebody painted or stored, as a mask, and whether a mask lies on its slide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.errors import BadValueError
from ..core.label_image import LabelImage
from ..core.mask import Mask
from ..core.prediction import Prediction
from ..core.slide import Slide

COARSE_ENOUGH_UM = 4.4
"""Of a pyramid, the coarsest level with pixels up to this is taken, um."""

MOST_OUTSIDE = 0.01
"""Share of a mask that may stick out of the slide."""


def mask_of_labels(labels: LabelImage | Prediction, slide: Slide) -> Mask:
    """Return a mask that says yes where labels are not 0.

    A mask that this program stored, and nobody changed, comes back as it was, with its
    provenance; so results with it have the same digest.

    Parameters
    ----------
    labels : LabelImage or Prediction
        At any resolution and place.
    slide : Slide
        That it lies on, with a pixel size.

    Returns
    -------
    Mask

    Raises
    ------
    MissingScaleError
        Where the slide has no pixel size.
    BadValueError
        Where the labels do not lie on the slide.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> from napari_steatosis.core.geometry import Frame
    >>> slide = st.drawn_liver(512, 512, seed=1)
    >>> painted = LabelImage("mine", [np.ones((32, 32), np.uint8)], Frame((4.0, 4.0), (2.0, 2.0)))
    >>> round(mask_of_labels(painted, slide).area_mm2, 4)
    0.0164
    """
    finest = labels.frame if labels.frame is not None else slide.frame()
    frames = [finest.coarser(_factor(labels, number)) for number in range(len(labels.levels))]
    fitting = [n for n, one in enumerate(frames) if one.mean_um_per_px <= COARSE_ENOUGH_UM]
    stored = _stored(labels)
    level = 0 if stored is not None or not fitting else fitting[-1]
    values = np.asarray(labels.levels[level][:]) != 0
    mask = Mask(values, frames[level], _made_by(labels, level))
    if stored is not None and stored.get("content") == mask.content:
        mask = Mask(values, frames[0], stored["made_by"])
    return checked_on(mask, slide)


def checked_on(mask: Mask, slide: Slide) -> Mask:
    """Return a mask that lies on a slide as it is; refuse any other.

    Raises
    ------
    MissingScaleError
        Where the slide has no pixel size.
    BadValueError
        Where it was made of another slide, or more than a hundredth of it lies outside.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> from napari_steatosis.core.geometry import Frame
    >>> far = Mask(np.ones((9, 9), bool), Frame((4.0, 4.0), (9e4, 9e4)))
    >>> checked_on(far, st.drawn_liver(512, 512, seed=1))
    Traceback (most recent call last):
        ...
    napari_steatosis.core.errors.BadValueError: 100 % of this tissue mask lies outside the slide ...
    """
    frame = slide.frame()
    _checked_origin(mask, slide)
    height, width = slide.shape
    corners = frame.to_um([(-0.5, -0.5), (height - 0.5, width - 0.5)])
    values = mask.values
    rows, columns = np.nonzero(values.any(1))[0], np.nonzero(values.any(0))[0]
    if len(rows) == 0:
        return mask
    own = mask.frame
    # The last pixels of a mask may be cut by the edge of the slide.
    (y, x) = np.maximum(np.ceil(own.to_px(corners[0])).astype(int) - 1, 0)
    (y_end, x_end) = np.maximum(np.floor(own.to_px(corners[1])).astype(int) + 2, 0)
    inside = np.count_nonzero(values[y:y_end, x:x_end])
    share = 1 - inside / np.count_nonzero(values)
    if share > MOST_OUTSIDE:
        low, high = own.to_um((rows[0], columns[0])), own.to_um((rows[-1], columns[-1]))
        raise BadValueError(
            f"{100 * share:.0f} % of this tissue mask lies outside the slide {slide.path}: it "
            f"reaches from {_point(low)} to {_point(high)} um (y, x), the slide from "
            f"{_point(corners[0])} to {_point(corners[1])}. It may be of another slide, or its "
            f"pixel size or place be wrong."
        )
    return mask


def _checked_origin(mask: Mask, slide: Slide) -> None:
    of = mask.provenance.get("slide")
    if not isinstance(of, dict):
        return
    if of.get("fingerprint") not in (None, slide.fingerprint):
        raise BadValueError(
            f"This tissue mask was made of another slide than {slide.path}: the fingerprint "
            f"differs. Give the mask of this slide, or find its tissue again; for a copy of the "
            f"same slide, give the outlines (.geojson)."
        )
    own, now = of.get("um_per_px"), slide.frame().um_per_px
    if own is not None and not np.allclose(own, now, rtol=1e-3):
        raise BadValueError(
            f"This tissue mask was made with level 0 pixels of {own[0]:.4g} x {own[1]:.4g} um, and "
            f"{slide.path} has {now[0]:.4g} x {now[1]:.4g}. Find its tissue again, or give the "
            f"same pixel size (--mpp)."
        )


def _made_by(labels: LabelImage | Prediction, level: int) -> dict[str, Any]:
    """Return the provenance of labels that are not a mask as it was stored."""
    made: dict[str, Any] = {"method": "labels", "level": level}
    if isinstance(labels, Prediction):
        made["of"] = {"digest": labels.provenance.get("digest", "")}
    elif (stored := _stored(labels)) is not None:
        made["of"] = stored["made_by"]
        if "slide" in stored["made_by"]:
            made["slide"] = stored["made_by"]["slide"]
    return made


def _stored(labels: LabelImage | Prediction) -> Mapping[str, Any] | None:
    """Return what this program stored with a mask."""
    known = labels.properties.get(1, {}) if isinstance(labels, LabelImage) else {}
    return known if isinstance(known.get("made_by"), dict) else None


def _factor(labels: LabelImage | Prediction, level: int) -> tuple[float, float]:
    """Return how many times as large the pixels of a level are; pyramids halve, rounding up."""
    (height, width), (rows, columns) = labels.levels[0].shape, labels.levels[level].shape
    whole = [2 ** round(np.log2(a / b)) for a, b in ((height, rows), (width, columns))]
    return float(whole[0]), float(whole[1])


def _point(point: Any) -> str:
    return f"({point[0]:.0f}, {point[1]:.0f})"
