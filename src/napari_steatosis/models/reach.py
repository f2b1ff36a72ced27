"""How far a network looks: the halo that keeps the cuts between tiles from showing."""

from __future__ import annotations

import copy
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..core.errors import BadValueError
from ..core.model import Model

AXES = (2, 3)
KINDS = (torch.float64, torch.float32)
"""In the first, no shortcut of a convolution spreads an unknown value; the second is quick."""

MOST_PX = 1024
"""A reach beyond this is no reach: a halo of that width costs more than it is worth."""


class Stated(Protocol):
    """What every network of MODELS states of itself, beside its layers."""

    stride_px: int
    reach_px: int | None


def stated(network: nn.Module) -> Stated:
    """Return a network as what it states: of an attribute torch knows no type.

    Examples
    --------
    >>> from napari_steatosis.models import build
    >>> stated(build("droplet-net")).stride_px
    16
    """
    return cast("Stated", network)


def measured_reach(
    network: nn.Module, *, stride_px: int | None = None, most_px: int = MOST_PX
) -> int | None:
    """Return how much of the edges of what a tile sees must be dropped, whatever the weights.

    What is left is equal to the whole. Rounded up to the stride it is the halo.

    Pixels beyond the edge of a strip are made unknown (not a number), and what becomes unknown
    within is what a missing halo spoils. The answer is then checked by cutting a tile with that
    halo out of random pixels, because some networks are no function of a neighbourhood though
    nothing in them is global: bilinear enlargement with aligned corners scales positions to the
    size of the image. Both along rows and along columns.

    Parameters
    ----------
    network : torch.nn.Module
        Maps ``(n, 3, y, x)`` to ``(n, class, y, x)``; it is not changed.
    stride_px : int, optional
        Tiles begin and end at multiples of this; that of the network, if it says.
    most_px : int
        Give up beyond this.

    Returns
    -------
    int or None
        Pixels; None where no halo of at most `most_px` makes tiles equal to the whole.

    Raises
    ------
    BadValueError
        Where the network does not answer every pixel, or its stride is unknown.

    Examples
    --------
    >>> measured_reach(nn.Sequential(nn.Conv2d(3, 4, 5, padding=2), nn.ReLU()), stride_px=1)
    2
    >>> measured_reach(nn.Sequential(nn.Conv2d(3, 1, 1), nn.InstanceNorm2d(1)), stride_px=1)
    """
    stated: Any = getattr(network, "stride_px", 0)
    stride = int(stride_px or stated)
    if stride < 1:
        raise BadValueError(
            f"{type(network).__name__} does not say its stride. Give stride_px, the number of "
            f"pixels that its coarsest level makes one of."
        )
    exact, quick = (copy.deepcopy(network).cpu().to(kind).eval() for kind in KINDS)
    try:
        return _reach(exact, quick, (stride, stride), most_px)
    except RuntimeError:  # a thin strip is too thin for it: reflected borders, deep pooling
        return _reach(exact, quick, (stride, 8 * stride), most_px)


def seam_difference(model: Model, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what cutting a tile out of an image changes, in probability.

    Parameters
    ----------
    model : Model
        Segments.
    image : (y, x, 3) uint8
        At the resolution of the model. The tile is its middle half along each side, so a
        quarter of its sides is context that the tile does not see.

    Returns
    -------
    (y, x) float32
        Largest difference over the classes for each pixel of the tile.

    Raises
    ------
    BadValueError
        Where the image is too small to be cut at the model's steps.
    """
    step = model.spec.multiple_px
    height, width = (side // (4 * step) * 4 * step for side in image.shape[:2])
    if min(height, width) == 0:
        raise BadValueError(
            f"An image of {image.shape[0]} x {image.shape[1]} px cannot be cut at steps of "
            f"{step} px. Give one of at least {4 * step} px."
        )
    whole = image[:height, :width]
    cut = (slice(height // 4, 3 * height // 4), slice(width // 4, 3 * width // 4))
    expected = model.predict(whole[None])[0][(slice(None), *cut)]
    found = model.predict(np.ascontiguousarray(whole[cut])[None])[0]
    return np.abs(found - expected).max(0)


def edge_distance(height: int, width: int) -> NDArray[np.intp]:
    """Return how many pixels lie between each pixel and the nearest edge, ``(y, x)``.

    Examples
    --------
    >>> edge_distance(3, 4).tolist()
    [[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    rows, columns = (np.minimum(np.arange(n), np.arange(n)[::-1]) for n in (height, width))
    return np.minimum.outer(rows, columns)


def margin_for(
    model: Model, images: NDArray[np.uint8], *, tolerance: float = 1e-3, least_px: int = 0
) -> int:
    """Return the smallest halo at which tiles differ from the whole by at most a tolerance.

    One cut through each image shows the differences at every distance from an edge at once
    (`seam_difference`). It is a measurement on these images, so take some that hold what the
    slides will hold; `measured_reach` is the bound that holds for any.

    Parameters
    ----------
    model : Model
        Segments.
    images : (n, y, x, 3) uint8
        At the resolution of the model; sides of at least eight times the halo expected.
    tolerance : float
        Largest difference of any probability.
    least_px : int
        Never less than this.

    Returns
    -------
    int
        A multiple of the model's step, px.

    Raises
    ------
    BadValueError
        Where the images are too small to show such a halo, or no halo does.

    Examples
    --------
    >>> from napari_steatosis.models import load_model
    >>> images = np.random.default_rng(0).integers(0, 256, (1, 1024, 1024, 3), np.uint8)
    >>> model = load_model("steatosis-he-drawn", device="cpu", precision="fp32")
    >>> 0 < margin_for(model, images, tolerance=0.01) <= 128
    True
    """
    step, spoiled = model.spec.multiple_px, 0
    for image in images:
        difference = seam_difference(model, image)
        distance = edge_distance(*difference.shape)
        over = distance[difference > tolerance]
        spoiled = max(spoiled, int(over.max()) + 1 if over.size else 0)
        if spoiled > distance.max() // 2:
            raise BadValueError(
                f"Model {model.spec.name!r} differs by more than {tolerance} still "
                f"{spoiled - 1} px from the edge of a tile of {difference.shape[0]} x "
                f"{difference.shape[1]} px. Give larger images, allow a larger tolerance, or "
                f"declare context='tile' if it looks at the whole tile."
            )
    return -(-max(spoiled, least_px) // step) * step


def tile_tolerance(model: Model, images: NDArray[np.uint8]) -> float:
    """Return the largest difference of probability that tiles of the model's size make.

    For models that look at the whole tile (``context="tile"``): blending averages what
    overlapping tiles say, so it makes no difference larger than this. A measurement on these
    images, to be written into the specification as `tolerance`.

    Parameters
    ----------
    model : Model
        Segments; ``spec.tile_px`` and ``spec.halo_px`` say what a tile sees.
    images : (n, y, x, 3) uint8
        At the resolution of the model. Each is predicted as a whole, and by tiles that begin
        every ``tile_px``, halo included.

    Returns
    -------
    float

    Raises
    ------
    BadValueError
        Where the images are not larger than what a tile sees.

    Examples
    --------
    >>> from napari_steatosis.models import load_model
    >>> from dataclasses import replace
    >>> model = load_model("steatosis-he-drawn", device="cpu", precision="fp32")
    >>> model.spec = replace(model.spec, context="tile", tile_px=64, halo_px=16)
    >>> images = np.random.default_rng(0).integers(0, 256, (1, 96, 160, 3), np.uint8)
    >>> 0 < tile_tolerance(model, images) < 1
    True
    """
    step, side = model.spec.tile_px, model.spec.tile_px + 2 * model.spec.halo_px
    height, width = images.shape[1:3]
    if min(height, width) < side or max(height, width) < side + step:
        raise BadValueError(
            f"Images of {height} x {width} px show no difference between tiles that see {side} "
            f"px. Give images of at least {side} x {side + step} px."
        )
    worst = 0.0
    for image in images:
        whole = model.predict(image[None])[0]
        for y in range(0, height - side + 1, step):
            for x in range(0, width - side + 1, step):
                cut = (slice(y, y + side), slice(x, x + side))
                found = model.predict(np.ascontiguousarray(image[cut])[None])[0]
                worst = max(worst, float(np.abs(found - whole[(slice(None), *cut)]).max()))
    return worst


def _reach(exact: nn.Module, quick: nn.Module, steps: tuple[int, int], most_px: int) -> int | None:
    farthest = 0
    for axis in AXES:
        reach = _reach_along(exact, axis, steps, most_px)
        if reach is None:
            return None
        farthest = max(farthest, reach)
    halo = -(-farthest // steps[0]) * steps[0]
    equal = all(_tiles_are_equal(quick, axis, steps, halo) for axis in AXES)
    return farthest if equal else None


def _reach_along(network: nn.Module, axis: int, steps: tuple[int, int], most_px: int) -> int | None:
    stride, across = steps
    length = (most_px // stride + 2) * stride
    strip = 255 * torch.rand(_shape(axis, across, length), dtype=torch.float64)
    strip.narrow(axis, 0, stride).fill_(float("nan"))
    spoiled = [
        _lines(_answer(network, strip).isnan(), axis)[stride:],
        _lines(_answer(network, strip.flip(axis)).isnan().flip(axis), axis)[stride:],
    ]
    reach = max(int(lines.nonzero().max()) + 1 if lines.any() else 0 for lines in spoiled)
    return reach if reach <= most_px else None


def _tiles_are_equal(network: nn.Module, axis: int, steps: tuple[int, int], halo: int) -> bool:
    stride, across = steps
    random = torch.Generator().manual_seed(0)
    strip = 255 * torch.rand(_shape(axis, across, 2 * halo + 7 * stride), generator=random)
    begin, side = 2 * stride, 2 * stride
    whole = _answer(network, strip).narrow(axis, begin + halo, side)
    tile = _answer(network, strip.narrow(axis, begin, side + 2 * halo)).narrow(axis, halo, side)
    return bool((whole - tile).abs().max() <= 1e-4 * whole.abs().max())


def _lines(spoiled: Tensor, axis: int) -> Tensor:
    """Return for each line across the axis whether anything on it is spoiled."""
    return spoiled.flatten(0, 1).any(0).any(3 - axis)


def _shape(axis: int, across: int, along: int) -> tuple[int, int, int, int]:
    return (1, 3, along, across) if axis == 2 else (1, 3, across, along)


@torch.inference_mode()
def _answer(network: nn.Module, image: Tensor) -> Tensor:
    logits: Tensor = network(image)
    if logits.ndim != 4 or logits.shape[2:] != image.shape[2:]:
        raise BadValueError(
            f"{type(network).__name__} maps {tuple(image.shape)} to {tuple(logits.shape)}; only "
            f"a network that answers every pixel has a reach."
        )
    return logits
