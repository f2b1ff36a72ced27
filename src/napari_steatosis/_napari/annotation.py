"""A part of a slide as labels that can be painted on, and such labels as a tile of a dataset."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from .job import Steps
from .layers import LayerTuple, data_to_world, placed_over
from .part_fields import Part

if TYPE_CHECKING:
    import napari.layers

    from ..core.geometry import Frame, Region
    from ..core.plane import Plane
    from ..core.slide import Slide
    from ..io.datasets.annotated import Annotated

KEY = "annotation"
"""In the metadata of a labels layer: the `Ground` that it is painted on."""

MOST_MPX = 16.0
BRUSH_PX = 10
OPACITY = 0.5
FIRST_ALPHA = "60"
"""The first class is most of the picture, which must be seen through it."""

COLOURS = ("#2fb35a", "#ff8800", "#00b7ff", "#d946ef", "#facc15", "#f43f5e")


@dataclass(frozen=True, eq=False)
class Ground:
    """What labels are painted on.

    Parameters
    ----------
    plane : Plane
        The slide at the resolution of the labels.
    region : Region
        In px of the plane.
    classes : tuple of str
        What the labels 1, 2, ... are; 0 is not annotated.
    """

    plane: Plane
    region: Region
    classes: tuple[str, ...]

    @property
    def slide(self) -> Slide:
        """The slide."""
        return self.plane.slide

    @property
    def frame(self) -> Frame:
        """Where the labels lie."""
        from ..core.geometry import Frame

        own = self.plane.frame
        y, x = own.to_um((self.region.y, self.region.x)).tolist()
        return Frame(own.um_per_px, (y, x))

    @property
    def name(self) -> str:
        """Of the files: slide, place and resolution."""
        stem = re.sub(r"[^\w-]+", "_", Path(self.slide.path).name.split(".")[0]) or "slide"
        y, x, height, width = (
            self.region.y,
            self.region.x,
            self.region.height,
            self.region.width,
        )
        return f"{stem}_y{y}_x{x}_{height}x{width}_{round(1000 * self.frame.mean_um_per_px)}nm"


def ground_of(slide: Slide, part: Part, um_per_px: float, classes: Sequence[str]) -> Ground:
    """Return what is to be painted on.

    Raises
    ------
    BadValueError
        Where it lies outside of the slide, or is too large to be painted by hand.
    """
    plane = slide.at(um_per_px)
    region = part.region(plane)
    if region.height * region.width > 1e6 * MOST_MPX:
        raise BadValueError(
            f"{region.height} x {region.width} px are too many to paint; zoom in, or draw a "
            f"rectangle of at most {MOST_MPX:g} Mpx."
        )
    return Ground(plane, region, tuple(classes))


def annotation_layer(
    ground: Ground, labels: NDArray[np.uint8], image: napari.layers.Image
) -> LayerTuple:
    """Return labels that lie on a slide layer as layer data."""
    import pandas
    from napari.utils import DirectLabelColormap

    table: dict[int | None, Any] = {None: "#808080", 0: "transparent"}
    for index in range(len(ground.classes)):
        colour = COLOURS[index % len(COLOURS)]
        table[index + 1] = colour if index else f"{colour}{FIRST_ALPHA}"
    names = ("not annotated", *ground.classes)
    options = {
        "name": f"annotation: {image.name}",
        "opacity": OPACITY,
        "colormap": DirectLabelColormap(color_dict=table),
        "features": pandas.DataFrame({"index": range(len(names)), "class": names}),
        "metadata": {KEY: ground},
        **placed_over(ground.frame, image, ground.slide.frame()),
    }
    return labels, options, "labels"


def points_layer(ground: Ground, image: napari.layers.Image) -> LayerTuple:
    """Return an empty layer of points with a `label`, in px of the labels, as layer data."""
    import pandas

    options = {
        "name": f"points: {image.name}",
        "ndim": 2,
        "features": pandas.DataFrame({"label": pandas.Series([], dtype=str)}),
        "feature_defaults": {"label": ground.classes[-1]},
        "face_color": "#ffee00",
        "border_color": "black",
        "size": 8,
        "metadata": {KEY: ground},
        **placed_over(ground.frame, image, ground.slide.frame()),
    }
    return np.zeros((0, 2)), options, "points"


def beginning(ground: Ground, model: str | None) -> Steps:
    """Return the steps that make the first labels: empty, or what a model finds there.

    They yield shares from 0 to 1, then ``(y, x) uint8`` labels.
    """

    def steps(should_stop: Callable[[], bool]) -> Iterator[float | NDArray[np.uint8]]:
        region = ground.region
        if model is None:
            yield np.zeros((region.height, region.width), np.uint8)
            return
        from ..models import load_model
        from ..pipelines.region_labels import region_labels

        loaded = load_model(model)
        spec = loaded.spec
        if spec.task != "segmentation" or spec.classes != ground.classes:
            raise BadValueError(
                f"The model {model} is for {spec.task} of {', '.join(spec.classes)}; the classes "
                f"here are {', '.join(ground.classes)}. Name them alike, or begin with nothing."
            )
        yield (yield from region_labels(ground.plane, region, loaded, should_stop=should_stop))

    return steps


def marks_of(points: Any, labels: napari.layers.Labels) -> Any:
    """Return the points of a layer as marks, in px of a labels layer; None where there are none.

    Raises
    ------
    BadValueError
        Where they have no column `label`.
    """
    from ..core.marks import Marks

    if points is None or not len(points.data):
        return None
    if "label" not in points.features:
        raise BadValueError(
            f"The points {points.name!r} have no feature 'label', which says what each marks."
        )
    to_world, from_world = data_to_world(points), np.linalg.inv(data_to_world(labels))
    matrix = from_world @ to_world
    places = np.asarray(points.data)[:, -2:] @ matrix[:2, :2].T + matrix[:2, 2]
    inside = ((places >= -0.5) & (places < np.asarray(labels.data.shape) - 0.5)).all(1)
    names = points.features["label"].astype(str).to_numpy()[inside]
    return Marks(places[inside], tuple(names))


def tile_of(
    labels: napari.layers.Labels, points: Any, *, patient: str, stain: str
) -> Callable[[], Annotated]:
    """Return what makes a tile of labels as they are now; it reads the slide when called."""
    from ..core.dataset import IGNORE
    from ..io.datasets.annotated import Annotated

    ground: Ground = labels.metadata[KEY]
    values = np.array(labels.data, copy=True)
    mask = np.where(values == 0, IGNORE, values.astype(np.int64) - 1).clip(0, IGNORE)
    marks = marks_of(points, labels)
    about = {"patient": patient, "stain": stain, "slide": Path(ground.slide.path).name}

    def make() -> Annotated:
        return Annotated(
            ground.name,
            ground.plane.read(ground.region),
            mask.astype(np.uint8),
            ground.classes,
            ground.frame.mean_um_per_px,
            marks=marks,
            **about,
        )

    return make
