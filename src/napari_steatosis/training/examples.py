"""Pictures of what a model does well and badly: three of each."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.dataset import Dataset
from ..core.errors import BadValueError
from ..core.model import Model
from ..core.replacing import replacing
from ..io._pictures import DOTS_PER_INCH, INK, PAGE_INCHES, Picture
from .class_windows import windows_of
from .evaluate import fat_of, true_fat, wanted_by
from .evaluation import Scores
from .evaluation_plots import picture_of
from .samples import loaded

EACH = 3
SIDE_PX = 340
CAPTION_LETTERS = 56
"""Letters in a line under a picture of the figure."""

TRUE, FOUND = (255, 214, 0), (0, 114, 255)
"""Colours of the outlines."""


def example_pictures(model: Model, dataset: Dataset, scores: Scores) -> list[Picture]:
    """Return three correct and three wrong samples, or the three best and the three worst tiles.

    Of a classifier the surest of both, with Grad-CAM over it where the network is of this package;
    captions say true class, predicted class and whether that is correct. Of an image larger than
    the classifier's tile that part is shown which speaks most for the predicted class.
    Of a segmenter the tiles
    of the highest and lowest Jaccard index among those with fat in truth or prediction (of equal
    ones those with more wrong pixels), with both outlined.

    Parameters
    ----------
    model : Model
    dataset : Dataset
        The samples of `scores`, in their order.
    scores : Scores
    """
    if scores.tiles:
        return _tiles(model, dataset, scores)
    chance = scores.probabilities
    sure, said = chance.max(1), chance.argmax(1)
    right = said == scores.truth
    pictures = []
    explain = _explainer(model)
    for group in (right, ~right):
        chosen = np.flatnonzero(group)
        for index in chosen[np.argsort(-sure[chosen], kind="stable")][:EACH]:
            rgb = _seen(model, dataset, int(index), int(said[index]))
            over = "" if explain is None else ", Grad-CAM over it"
            drawn = rgb if explain is None else explain(rgb, int(said[index]))
            word = "Correct" if right[index] else "Wrong"
            caption = (
                f"{word}: true {scores.classes[scores.truth[index]]}, "
                f"predicted {scores.classes[said[index]]} ({100 * sure[index]:.0f} %){over}. "
                f"{scores.names[index]}"
            )
            pictures.append(picture_of(drawn, caption, side_px=SIDE_PX))
    return pictures


def _seen(model: Model, dataset: Dataset, index: int, kind: int) -> NDArray[np.uint8]:
    """Return what a classifier sees of a sample; of several windows that most of the class."""
    image = loaded(dataset[index], wanted_by(model, dataset)).image
    windows = windows_of(image, model.spec.tile_px)
    best = 0 if len(windows) == 1 else int(model.predict(windows)[:, kind].argmax())
    found: NDArray[np.uint8] = windows[best]
    return found


def write_figure(pictures: Sequence[Picture], path: Path, *, overwrite: bool = False) -> Path:
    """Write pictures with their captions as one PNG file; see `figure_png`.

    Parameters
    ----------
    pictures : sequence of Picture
        Of `example_pictures`.
    path : Path
    overwrite : bool
        Replace what is there.

    Raises
    ------
    CannotOpenError
        Where something is there already.
    """
    with replacing(path, overwrite=overwrite) as part:
        part.write_bytes(figure_png(pictures))
    return path


def figure_png(pictures: Sequence[Picture]) -> bytes:
    """Return pictures with their captions as one figure (PNG), three in a row."""
    from matplotlib.figure import Figure
    from PIL import Image

    rows = -(-len(pictures) // EACH)
    wide = PAGE_INCHES / EACH
    figure: Any = Figure(figsize=(PAGE_INCHES, rows * (wide + 0.55)), layout="constrained")
    panels = figure.subplots(rows, EACH, squeeze=False).ravel()
    for axes in panels[len(pictures) :]:
        axes.set_axis_off()
    for axes, one in zip(panels, pictures, strict=False):
        content = base64.b64decode(one.uri.partition(",")[2])
        axes.imshow(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        said = textwrap.fill(one.caption, CAPTION_LETTERS)
        axes.set_xlabel(said, loc="left", fontsize=7, color=INK)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def _tiles(model: Model, dataset: Dataset, scores: Scores) -> list[Picture]:
    each = np.array([tile.jaccard for tile in scores.tiles])
    some = np.flatnonzero([tile.either > 0 for tile in scores.tiles])
    wrong = np.array([tile.either - tile.both for tile in scores.tiles])
    order = some[np.lexsort((wrong[some], -each[some]))]  # of equal indices the largest error last
    best = order[: min(EACH, -(-len(order) // 2))]
    worst = order[max(len(best), len(order) - EACH) :][::-1]
    pictures = []
    wanted = wanted_by(model, dataset)
    for word, indices in (("Best", best), ("Worst", worst)):
        for index in indices:
            tile = loaded(dataset[int(index)], wanted)
            count = scores.tiles[index]
            drawn = _outlined(tile.image, true_fat(tile, wanted.classes), TRUE)
            drawn = _outlined(drawn, fat_of(model, tile.image)[1], FOUND)
            true, found = (100 * px / max(1, count.judged) for px in (count.true, count.found))
            caption = (
                f"{word}: Jaccard {count.jaccard:.2f}, fat {true:.2f} % in truth (yellow), "
                f"{found:.2f} % found (blue). {tile.name}"
            )
            pictures.append(picture_of(drawn, caption, side_px=SIDE_PX))
    return pictures


def _outlined(
    rgb: NDArray[np.uint8], mask: NDArray[np.bool_], colour: tuple[int, int, int]
) -> NDArray[np.uint8]:
    from scipy.ndimage import binary_dilation

    drawn = rgb.copy()
    drawn[binary_dilation(mask) & ~mask] = colour
    return drawn


def _explainer(model: Model) -> Any:
    """Return a function that lays Grad-CAM over an image; None where the network gives none."""
    from matplotlib import colormaps

    from ..models._torch import TorchModel
    from ..models.explain import Explainer

    if not isinstance(model, TorchModel):
        return None
    try:
        explainer = Explainer(model)
    except BadValueError:
        return None

    def explain(rgb: NDArray[np.uint8], target: int) -> NDArray[np.uint8]:
        heat = explainer.cam(rgb[None], target=target).values[0]
        colour = 255 * colormaps["plasma"](heat)[..., :3]
        share = 0.55 * heat[..., None]
        drawn: NDArray[np.uint8] = np.rint(rgb * (1 - share) + colour * share).astype(np.uint8)
        return drawn

    return explain
