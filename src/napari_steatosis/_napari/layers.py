"""Values of the house as napari layers, and where they lie in napari's world."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import napari.layers
    from napari.utils import DirectLabelColormap

    from ..core.geometry import Frame, Region
    from ..core.prediction import Prediction
    from ..core.slide import Slide

OPACITY = 0.6


def slide_layer(slide: Slide, name: str | None = None) -> tuple[Any, dict[str, Any], str]:
    """Return a slide as layer data of a multiscale RGB image, in um where the size is known."""
    from ..core.pyramid import level_arrays

    levels = level_arrays(slide)
    multiscale = len(levels) > 1
    options: dict[str, Any] = {
        "name": name or Path(slide.path).name,
        "rgb": True,
        "multiscale": multiscale,
        "cache": False,
        "metadata": {"slide": slide},
    }
    if slide.um_per_px is not None:
        frame = slide.frame()
        options |= {
            "scale": frame.um_per_px,
            "translate": frame.origin_um,
            "units": ("um", "um"),
        }
    return levels if multiscale else levels[0], options, "image"


def prediction_layer(prediction: Prediction) -> tuple[Any, dict[str, Any], str]:
    """Return a prediction as layer data of labels, in um."""
    frame = prediction.frame
    options = {
        **_look(prediction),
        "scale": frame.um_per_px,
        "translate": frame.origin_um,
        "units": ("um", "um"),
    }
    return *_levels(prediction), options, "labels"


def prediction_over(
    prediction: Prediction, image: napari.layers.Image, slide: Frame
) -> tuple[Any, dict[str, Any], str]:
    """Return a prediction as labels that lie on a slide layer, wherever that was moved to.

    Parameters
    ----------
    prediction : Prediction
        Of the slide.
    image : napari.layers.Image
        Layer of the slide; its data coordinates are pixels of level 0.
    slide : Frame
        Of the slide's level 0.
    """
    frame = prediction.frame
    to_image = np.eye(3)
    to_image[[0, 1], [0, 1]] = np.divide(frame.um_per_px, slide.um_per_px)
    to_image[:2, 2] = slide.to_px(frame.origin_um)
    options = {**_look(prediction), "units": image.units}
    plain = not np.any(image.rotate - np.eye(2)) and not np.any(image.shear)
    if plain and np.allclose(np.asarray(image.affine), np.eye(3)):
        scale = np.asarray(image.scale)
        options |= {
            "scale": np.diag(to_image)[:2] * scale,
            "translate": np.asarray(image.translate) + to_image[:2, 2] * scale,
        }
    else:
        options["affine"] = data_to_world(image) @ to_image
    return *_levels(prediction), options, "labels"


def data_to_world(layer: napari.layers.Layer) -> NDArray[np.float64]:
    """Return the (3, 3) matrix from the last two data coordinates of a layer to its world."""
    ndim = layer.ndim
    origin = np.zeros(ndim)
    start = np.asarray(layer.data_to_world(origin))[-2:]
    matrix = np.eye(3)
    for axis in range(2):
        step = origin.copy()
        step[ndim - 2 + axis] = 1
        matrix[:2, axis] = np.asarray(layer.data_to_world(step))[-2:] - start
    matrix[:2, 2] = start
    return matrix


def loaded_window(layer: napari.layers.Labels) -> tuple[int, int, int, int]:
    """Return ``(y, x, y_end, x_end)`` of level 0 that is loaded for display, px."""
    corners = np.asarray(layer.corner_pixels)[:, -2:]
    if layer.multiscale:
        corners = corners * np.asarray(layer.downsample_factors)[layer.data_level][-2:]
    (y, x), (y_end, x_end) = corners
    return int(y), int(x), int(np.ceil(y_end)), int(np.ceil(x_end))


def is_shown(layer: napari.layers.Labels, region: Region) -> bool:
    """Say whether any pixel of a region of level 0 is loaded for display."""
    y, x, y_end, x_end = loaded_window(layer)
    return region.y <= y_end and region.y_end >= y and region.x <= x_end and region.x_end >= x


def _levels(prediction: Prediction) -> tuple[Any]:
    levels = list(prediction.levels)
    return (levels if len(levels) > 1 else levels[0],)


def _look(prediction: Prediction) -> dict[str, Any]:
    import pandas

    values = range(len(prediction.classes) + 1)
    names = ("not analysed", *prediction.classes)
    return {
        "name": prediction.name,
        "multiscale": len(prediction.levels) > 1,
        "cache": False,
        "opacity": OPACITY,
        "colormap": colours(prediction.classes),
        "features": pandas.DataFrame({"index": list(values), "class": names}),
        "metadata": {"prediction": prediction},
    }


def colours(classes: tuple[str, ...]) -> DirectLabelColormap:
    """Return the colours of a class map: the same as in its files."""
    from napari.utils import DirectLabelColormap

    from ..io._palette import class_colours

    table: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    for value, rgba in enumerate(class_colours(classes), start=1):
        table[value] = np.asarray(rgba, np.float32) / 255
    return DirectLabelColormap(color_dict=table)
