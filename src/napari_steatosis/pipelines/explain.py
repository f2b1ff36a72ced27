"""What a model looked at, over a part of a slide."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError, UnknownNameError
from ..core.geometry import Frame, Region
from ..core.heat_map import HeatMap
from ..core.plane import Plane
from ..core.slide import Slide
from ..core.stain import StainTransform

if TYPE_CHECKING:
    from ..models._torch import TorchModel

Way = Literal["grad-cam", "grad-cam++", "attention"]

LARGEST_MPX = 64.0
"""More than this is not explained in one go: gradients cost several times a prediction."""


def explain(
    slide: Slide,
    model: TorchModel,
    *,
    region: Region | None = None,
    target: str | None = None,
    method: Way = "grad-cam",
    stain: StainTransform | None = None,
) -> HeatMap:
    """Draw where in a part of a slide a model finds what speaks for a class.

    Tiles of the model overlap by a half and are blended. Each tile's map is multiplied by the
    probability of the class there, so that tiles in which the class is not found stay dark.

    Parameters
    ----------
    slide : Slide
        With a pixel size.
    model : TorchModel
        A classifier or segmenter of this package.
    region : Region, optional
        In pixels of ``slide.at(model.spec.um_per_px)``; the whole plane where it is left out.
    target : str, optional
        A class; the last one where it is left out.
    method : {"grad-cam", "grad-cam++", "attention"}
        Attention is the network's own and knows no class.
    stain : StainTransform, optional
        Applied to every tile first.

    Returns
    -------
    HeatMap
        Qualitative: not a measurement.

    Raises
    ------
    UnknownNameError
        Where the model has no such class.
    BadValueError
        Where the region is outside the slide or too large, or the network offers no such map.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> from napari_steatosis.models import load_model
    >>> found = explain(st.drawn_liver(256, 256, seed=1), load_model("steatosis-he", device="cpu"))
    >>> found.values.shape, found.provenance["class"]
    ((256, 256), 'fat')
    """
    steps = explain_steps(slide, model, region=region, target=target, method=method, stain=stain)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: HeatMap = end.value
            return found


def explain_steps(
    slide: Slide,
    model: TorchModel,
    *,
    region: Region | None = None,
    target: str | None = None,
    method: Way = "grad-cam",
    stain: StainTransform | None = None,
) -> Generator[float, None, HeatMap]:
    """Do what `explain` does, and say after each tile which share of it is done.

    Parameters
    ----------
    slide, model, region, target, method, stain
        As in `explain`.

    Yields
    ------
    float
        From 0 to 1, rising.

    Returns
    -------
    HeatMap
    """
    spec, plane = model.spec, Plane.of(slide, model.spec.um_per_px)
    index = _class_index(spec.classes, target)
    whole = plane.bounds if region is None else region.intersect(plane.bounds)
    if whole is None:
        raise BadValueError(
            f"{region} lies outside of {slide.path}, which has {plane.height} x {plane.width} px "
            f"at {spec.um_per_px:g} um per pixel."
        )
    if whole.height * whole.width > 1e6 * LARGEST_MPX:
        raise BadValueError(
            f"{whole.height} x {whole.width} px are too much to explain at once; choose a region "
            f"of at most {LARGEST_MPX:g} Mpx."
        )
    look = _looking(model, index, method)
    side = _side(spec.tile_px, spec.multiple_px, whole)
    window = np.outer(*[np.hanning(side + 2)[1:-1].astype(np.float32)] * 2)
    total, weight = np.zeros((2, whole.height, whole.width), np.float32)
    tiles = list(_tiles(whole, side))
    for number, tile in enumerate(tiles):
        rgb = plane.read(tile)
        seen = look((rgb if stain is None else stain.apply(rgb))[None])
        kept = tile.intersect(whole)
        assert kept is not None
        own, here = kept.within(tile), kept.within(whole)
        total[here] += (seen * window)[own]
        weight[here] += window[own]
        yield (number + 1) / len(tiles)
    about = {
        "slide": slide.path,
        "model": spec.name,
        "digest": model.digest,
        "class": "" if method == "attention" else spec.classes[index],
        "method": method,
        "stain": None if stain is None else stain.to_json(),
        "note": "Qualitative: shows where, not how much.",
    }
    shown = spec.classes[index] if method != "attention" else "attention"
    corner = plane.frame.to_um(np.array([whole.y, whole.x]))
    frame = Frame(plane.frame.um_per_px, (float(corner[0]), float(corner[1])))
    return HeatMap(f"{method}: {shown}", total / weight, frame, about)


def _class_index(classes: tuple[str, ...], target: str | None) -> int:
    if target is None:
        return len(classes) - 1
    if target not in classes:
        raise UnknownNameError(f"The model has no class {target!r}; it has {', '.join(classes)}.")
    return classes.index(target)


def _looking(
    model: TorchModel, index: int, method: Way
) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    from ..models.explain import Explainer

    explainer = Explainer(model)

    def attention(tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        return explainer.attention(tiles)[0]

    if method == "attention":
        return attention

    def cam(tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        found = explainer.cam(tiles, target=index, method=method)
        certain = 1.0 if model.spec.task == "segmentation" else found.probabilities[0, index]
        return found.values[0] * np.float32(certain)

    return cam


def _side(tile_px: int, multiple_px: int, whole: Region) -> int:
    """Return the side of the tiles: the model's, or less where the region is smaller."""
    longest = max(whole.height, whole.width)
    needed = -(-longest // multiple_px) * multiple_px
    return min(max(multiple_px, tile_px // multiple_px * multiple_px), needed)


def _tiles(whole: Region, side: int) -> Iterator[Region]:
    step = max(1, side // 2)
    for y in _starts(whole.y, whole.height, side, step):
        for x in _starts(whole.x, whole.width, side, step):
            yield Region(y=y, x=x, height=side, width=side)


def _starts(first: int, length: int, side: int, step: int) -> list[int]:
    """Return starts such that all of the length is seen; the last tiles end with it."""
    if length <= side:
        return [first]
    starts = list(range(first, first + length - side, step))
    return [*starts, first + length - side]
