"""Probabilities as image layers: one per class, as opaque as the class is probable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .layers import LayerTuple, placed, prediction_over

if TYPE_CHECKING:
    import napari.layers
    from napari.utils import Colormap

    from ..core.geometry import Frame
    from ..core.prediction import Prediction

PLACE = ("scale", "translate", "affine", "units")
"""What says where a layer lies."""
GREY = (128, 128, 128)
"""Colour of the probability of a class that is transparent in the class map."""
OPACITY = 0.8
LIMITS = (0, 255)
"""Stored values of the probabilities 0 and 1."""


class ChannelPlane:
    """One channel of a stored level, a class or a stain, as ``(y, x)``, read when sliced.

    Parameters
    ----------
    level : (channel, y, x) array
        Stored.
    index : int
        The channel.
    """

    ndim = 2

    def __init__(self, level: Any, index: int) -> None:
        self._level, self._index = level, index
        self.shape, self.dtype = tuple(level.shape[1:]), np.dtype(level.dtype)
        self.size = int(np.prod(self.shape, dtype=np.int64))
        if hasattr(level, "chunks"):
            self.chunks = tuple(level.chunks[1:])

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, key: Any) -> NDArray[Any]:
        keys = key if isinstance(key, tuple) else (key,)
        return np.asarray(self._level[(self._index, *keys)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or self.dtype, copy=False)


def probability_layers(prediction: Prediction) -> list[LayerTuple]:
    """Return the probabilities of a prediction as layer data of images, in um."""
    return _layers(prediction, placed(prediction.frame))


def probabilities_over(
    prediction: Prediction, image: napari.layers.Image, slide: Frame
) -> list[LayerTuple]:
    """Return the probabilities as images that lie on a slide layer, wherever that was moved to.

    Parameters
    ----------
    prediction : Prediction
        Of the slide, with probabilities.
    image : napari.layers.Image
        Layer of the slide; its data coordinates are pixels of level 0.
    slide : Frame
        Of the slide's level 0.
    """
    _, options, _ = prediction_over(prediction, image, slide)
    return _layers(prediction, {key: options[key] for key in PLACE if key in options})


def _layers(prediction: Prediction, place: dict[str, Any]) -> list[LayerTuple]:
    """Return a hidden layer per class, and that of the last one shown; none where none is kept."""
    from ..io._palette import class_colours

    if not prediction.probabilities:
        return []
    names, made = prediction.classes, []
    for index, (name, colour) in enumerate(zip(names, class_colours(names), strict=True)):
        levels = [_plane(level, index) for level in prediction.probabilities]
        options = {
            "name": f"{name}: p × 255",
            "multiscale": len(levels) > 1,
            "cache": False,
            "rgb": False,
            "colormap": opaque_as_probable(name, colour[:3] if colour[3] else GREY),
            "contrast_limits": LIMITS,
            "interpolation2d": "nearest",
            "opacity": OPACITY,
            "blending": "translucent",
            "visible": index == len(names) - 1,
            "metadata": {"probability_of": name, "prediction": prediction},
            **place,
        }
        made.append((levels if len(levels) > 1 else levels[0], options, "image"))
    return made


def _plane(level: Any, index: int) -> Any:
    """Return one class; of an array in memory a view, which napari keeps as it fills."""
    return level[index] if isinstance(level, np.ndarray) else ChannelPlane(level, index)


def opaque_as_probable(name: str, colour: tuple[int, ...]) -> Colormap:
    """Return a colour map from nothing to a colour, so that the slide is seen through it."""
    from napari.utils import Colormap

    red, green, blue = (part / 255 for part in colour)
    return Colormap([(red, green, blue, 0), (red, green, blue, 1)], name=f"probability of {name}")
