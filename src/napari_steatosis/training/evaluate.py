"""Measure a model on labelled tiles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.dataset import IGNORE
from ..core.model import Model
from .metrics import count_tile, scores
from .tiles import LabelledTile


def predicted_fat(model: Model, image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where a model finds fat in an image of any size; mirrored up to its multiple.

    Parameters
    ----------
    model : Model
        Segments into tissue and fat, the last class.
    image : (y, x, 3) uint8
        At the resolution of the model.

    Returns
    -------
    (y, x) bool
    """
    height, width = image.shape[:2]
    multiple = model.spec.multiple_px
    padding = ((0, -height % multiple), (0, -width % multiple), (0, 0))
    padded = np.pad(image, padding, mode="reflect") if any(map(any, padding)) else image
    fat = model.predict(padded[None])[0, -1, :height, :width]
    return fat >= model.spec.threshold


def evaluate(model: Model, tiles: Iterable[LabelledTile]) -> dict[str, Any]:
    """Return the scores of a model (see `napari_steatosis.training.metrics.scores`).

    Parameters
    ----------
    model : Model
        Segments into tissue and fat; the tiles are taken to be at its resolution.
    tiles : iterable of LabelledTile
        Which it was not trained on.
    """
    counts, groups = [], []
    for tile in tiles:
        judged = tile.mask != IGNORE
        found = predicted_fat(model, tile.image) & judged
        counts.append(count_tile(found, (tile.mask > 0) & judged, model.spec.um_per_px))
        groups.append(tile.group)
    return scores(counts, groups)
