"""Values of the house as napari layers, and where they lie in napari's world."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError

if TYPE_CHECKING:
    import napari.layers
    from napari.utils import DirectLabelColormap

    import napari

    from ..core.geometry import Frame, Region
    from ..core.label_image import LabelImage
    from ..core.prediction import Prediction
    from ..core.slide import Slide

LayerTuple = tuple[Any, dict[str, Any], str]
OPACITY = 0.6
MOST_COLOURS = 10_000
HIGHEST_COLOURED = 2**16 - 1
"""Without numba napari cannot draw a table of colours for higher label values."""
EDITABLE_PX = 16_000_000
"""Label images up to this size are read into memory, where they can be painted on."""
WIDEST_CHUNK_PX = 4096
UNLISTED = (0.6, 0.6, 0.6, 1.0)
"""Colour of labels that have neither a colour nor properties, beside those that do."""


def watch_layers(viewer: napari.Viewer, changed: Callable[..., object]) -> None:
    """Call `changed` whenever a layer comes, goes, moves or is given another name."""
    events = viewer.layers.events
    for event in (events.inserted, events.removed, events.reordered, events.renamed):
        event.connect(changed)


def slide_layer(slide: Slide, name: str | None = None) -> LayerTuple:
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
        **placed(None if slide.um_per_px is None else slide.frame()),
    }
    return levels if multiscale else levels[0], options, "image"


def slides_among(layers: Iterable[Any]) -> list[tuple[str, napari.layers.Image]]:
    """Return name and layer of those that may show a slide: colour images, no macro or label."""
    from napari.layers import Image

    return [
        (one.name, one)
        for one in layers
        if isinstance(one, Image) and one.rgb and "associated" not in one.metadata
    ]


def shapes_among(layers: Iterable[Any]) -> list[tuple[str, napari.layers.Shapes]]:
    """Return name and layer of those that hold shapes."""
    from napari.layers import Shapes

    return [
        (one.name, one)
        for one in layers
        if isinstance(one, Shapes) and "droplets" not in one.metadata  # what the form Measure lit
    ]


def slide_of(image: napari.layers.Image | None, um_per_px: float = 0.0) -> Slide:
    """Return the slide that a layer shows.

    Parameters
    ----------
    image : Image, optional
        The layer; None where there is none to choose.
    um_per_px : float
        Size of a level 0 pixel, um, for a slide that has none; 0 is unknown.

    Raises
    ------
    BadValueError
        Where there is no layer, or one of another reader.
    MissingScaleError
        Where the pixel size is unknown: it is asked for, never assumed.
    """
    if image is None:
        raise BadValueError(
            "There is no slide. Open one (File > Open File(s)… and choose napari-steatosis), "
            "or a sample (File > Open Sample > napari-steatosis)."
        )
    slide: Slide | None = image.metadata.get("slide")
    if slide is None:
        raise BadValueError(
            f"The layer {image.name!r} was not opened by napari-steatosis, so neither its "
            f"pixel size nor its file is known. Open the file again and choose the reader "
            f"'napari-steatosis'."
        )
    if slide.um_per_px is None and um_per_px > 0:
        return slide.with_scale(um_per_px)
    slide.frame()
    return slide


def placed(frame: Frame | None) -> dict[str, Any]:
    """Return where napari is to draw the pixels of a frame: in um, or in px where there is none."""
    if frame is None:
        return {}
    return {"scale": frame.um_per_px, "translate": frame.origin_um, "units": ("um", "um")}


def prediction_layer(prediction: Prediction) -> LayerTuple:
    """Return a prediction as layer data of labels, in um.

    One of a single level is copied: it can be painted on, which must not change the result.
    """
    options = {**_look(prediction), **placed(prediction.frame)}
    if len(prediction.levels) == 1:
        return np.array(prediction.levels[0][:]), options, "labels"
    return *_levels(prediction), options, "labels"


def labels_layer(image: LabelImage, slide: Slide | None = None) -> LayerTuple:
    """Return a label image of whatever origin as layer data of labels.

    Parameters
    ----------
    image : LabelImage
        Large ones are read where they are looked at; small ones of one level are read now.
    slide : Slide, optional
        The slide that it lies on; it places an image without a frame.
    """
    frame = image.frame
    if frame is None and slide is not None and slide.um_per_px is not None:
        frame = slide.frame()
    levels = _shrinking(image.levels)
    if len(levels) == 1 and np.prod(levels[0].shape) <= EDITABLE_PX:
        levels = [np.asarray(levels[0][:])]
    options: dict[str, Any] = {
        "name": image.name,
        "multiscale": len(levels) > 1,
        "cache": False,
        "opacity": OPACITY,
        "features": features_of(image.properties),
        "metadata": {"label_image": image, "slide_of_labels": slide},
        **placed(frame),
    }
    if (table := _colour_table(image)) is not None:
        options["colormap"] = table
    return levels if len(levels) > 1 else levels[0], options, "labels"


def features_of(properties: Mapping[int, Mapping[str, Any]]) -> Any:
    """Return what is known of labels as a table with the label in the column ``index``.

    A property that is itself called ``index`` would hide the label and is left out.
    """
    import pandas

    rows = ({**dict(known), "index": value} for value, known in properties.items())
    table = pandas.DataFrame(list(rows))
    return table[["index", *(c for c in table if c != "index")]] if len(table) else table


def _shrinking(levels: Sequence[Any]) -> list[Any]:
    """Return the levels that napari takes: each smaller than the one before."""
    kept = [levels[0]]
    kept += [two for one, two in pairwise(levels) if np.prod(two.shape) < np.prod(one.shape)]
    return [one if _fits_napari(one) else _Windowed(one) for one in kept]


def _fits_napari(level: Any) -> bool:
    return hasattr(level, "size") and max(getattr(level, "chunks", (0,))) <= WIDEST_CHUNK_PX


class _Windowed:
    """A labels array without its chunks: napari draws whole chunks, also wider than a texture."""

    def __init__(self, level: Any) -> None:
        self._level, self.shape, self.dtype, self.ndim = level, level.shape, level.dtype, 2
        self.size = int(np.prod(level.shape, dtype=np.int64))

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return np.asarray(self._level[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or self.dtype, copy=False)


def _colour_table(image: LabelImage) -> DirectLabelColormap | None:
    """Return the colours of a label image; None where napari is to choose them.

    Labels that are known by their properties and have no colour get napari's.
    """
    from napari.utils import DirectLabelColormap
    from napari.utils.colormaps import label_colormap

    given, others = image.colours, [v for v in image.properties if v not in image.colours]
    listed = [*given, *others]
    if not given or len(listed) > MOST_COLOURS or not _drawable(listed):
        return None
    table: dict[int | None, Any] = {None: UNLISTED, 0: "transparent"}
    if others:
        table |= dict(zip(others, label_colormap().map(np.asarray(others)), strict=True))
    table |= {value: np.asarray(rgba, np.float32) / 255 for value, rgba in given.items()}
    return DirectLabelColormap(color_dict=table)


def _drawable(values: list[int]) -> bool:
    return min(values) >= 0 and max(values) <= HIGHEST_COLOURED


def prediction_over(prediction: Prediction, image: napari.layers.Image, slide: Frame) -> LayerTuple:
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
    options = {**_look(prediction), **placed_over(prediction.frame, image, slide)}
    return *_levels(prediction), options, "labels"


def placed_over(frame: Frame, image: napari.layers.Image, slide: Frame) -> dict[str, Any]:
    """Return where napari is to draw the pixels of a frame, for them to lie on a slide layer."""
    to_image = np.eye(3)
    to_image[[0, 1], [0, 1]] = np.divide(frame.um_per_px, slide.um_per_px)
    to_image[:2, 2] = slide.to_px(frame.origin_um)
    plain = not np.any(image.rotate - np.eye(2)) and not np.any(image.shear)
    if plain and np.allclose(np.asarray(image.affine), np.eye(3)):
        scale = np.asarray(image.scale)
        return {
            "units": image.units,
            "scale": np.diag(to_image)[:2] * scale,
            "translate": np.asarray(image.translate) + to_image[:2, 2] * scale,
        }
    return {"units": image.units, "affine": data_to_world(image) @ to_image}


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
