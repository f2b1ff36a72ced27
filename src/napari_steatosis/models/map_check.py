"""Whether a map shows what the network uses: deletion, insertion, and random weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ..core.map_check import Curve, MapCheck
from ._torch import TorchModel
from .explain import Explainer

if TYPE_CHECKING:
    from ..core.model import Model

Maps = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Way = Literal["grad-cam", "grad-cam++", "attention"]

STEPS = 16
"""Points of a curve after the first."""

ORDERS = 3
"""Random orders whose curves are averaged."""

DRAWS = 8
"""Random weights that are tried: where all of a map speaks against the class it is flat."""

BLOTCH = 1 / 16
"""Standard deviation of the blur, and of random blotches, over the side of the tile."""

TOGETHER = 8
"""Tiles that are given to the model at once."""


def deletion_curve(
    model: Model, tile: Pixels, values: Maps, *, target: int, steps: int = STEPS
) -> Curve:
    """Return the probability of a class as the places of a map are painted over, the most first.

    Petsiuk et al., BMVC 2018. Painted over means: replaced by the mean colour of the tile. A map
    that shows what the network uses makes the curve fall sooner than a random order does.

    Parameters
    ----------
    model : Model
        A classifier; or a segmenter, of which the mean over the pixels is taken that are of the
        class in the whole tile (over all, where none is).
    tile : (y, x, 3) uint8
    values : (y, x) float32
        The map.
    target : int
        The class.
    steps : int
        Points of the curve after the first.

    Returns
    -------
    (steps + 1,) float64
        From the whole tile to one of a single colour.

    Examples
    --------
    >>> from napari_steatosis.models import load_model
    >>> model = load_model("steatosis-he-drawn", device="cpu")
    >>> tile = np.full((32, 32, 3), 200, np.uint8)
    >>> deletion_curve(model, tile, np.ones((32, 32), np.float32), target=1, steps=4).shape
    (5,)
    """
    mean = np.rint(tile.reshape(-1, 3).mean(0)).astype(np.uint8)
    return _curve(model, tile, np.broadcast_to(mean, tile.shape), values, (target, steps))


def insertion_curve(
    model: Model, tile: Pixels, values: Maps, *, target: int, steps: int = STEPS
) -> Curve:
    """Return the probability of a class as the places of a map are shown, the most first.

    Petsiuk et al., BMVC 2018. It begins with the tile blurred by a Gaussian of a sixteenth of its
    side. A map that shows what the network uses makes the curve rise sooner than a random order
    does.

    Parameters
    ----------
    model, tile, values, target, steps
        As of `deletion_curve`.

    Returns
    -------
    (steps + 1,) float64
        From the blurred tile to the whole one.

    Examples
    --------
    >>> from napari_steatosis.models import load_model
    >>> model = load_model("steatosis-he-drawn", device="cpu")
    >>> tile = np.full((32, 32, 3), 200, np.uint8)
    >>> insertion_curve(model, tile, np.ones((32, 32), np.float32), target=1, steps=4).shape
    (5,)
    """
    from scipy.ndimage import gaussian_filter

    sigma = BLOTCH * max(tile.shape[:2])
    blurred = gaussian_filter(tile.astype(np.float32), (sigma, sigma, 0))
    start = np.rint(blurred).astype(np.uint8)
    return _curve(model, tile, start, -values, (target, steps))[::-1]


def _curve(
    model: Model, tile: Pixels, other: Pixels, values: Maps, asked: tuple[int, int]
) -> Curve:
    """Return the probability while more and more of a tile, the highest first, is of another."""
    target, steps = asked
    order = np.argsort(-values.ravel(), kind="stable")
    mixed = []
    for step in range(steps + 1):
        one = tile.reshape(-1, 3).copy()
        gone = order[: len(order) * step // steps]
        one[gone] = other.reshape(-1, 3)[gone]
        mixed.append(one.reshape(tile.shape))
    score = _score_of(model, tile, target)
    return np.concatenate(
        [
            score(model.predict(np.stack(mixed[i : i + TOGETHER])))
            for i in range(0, steps + 1, TOGETHER)
        ]
    )


def _score_of(model: Model, tile: Pixels, target: int) -> Callable[[Maps], Curve]:
    """Return what one number is made of probabilities: that of the class, where it is found."""
    if model.spec.task == "classification":
        return lambda chances: chances[:, target].astype(np.float64)
    whole = model.predict(tile[None])[0]
    here = whole.argmax(0) == target
    if not here.any():
        here = np.ones_like(here)

    def mean(chances: Maps) -> Curve:
        found: Curve = chances[:, target][:, here].mean(1, dtype=np.float64)
        return found

    return mean


def check_map(
    model: TorchModel,
    tile: Pixels,
    *,
    target: int,
    method: Way = "grad-cam",
    steps: int = STEPS,
    seed: int = 0,
) -> MapCheck:
    """Make a map of a tile and test it.

    Parameters
    ----------
    model : TorchModel
        A classifier or segmenter of this package.
    tile : (y, x, 3) uint8
        As `TorchModel.predict` takes them, one of them.
    target : int
        The class.
    method : {"grad-cam", "grad-cam++", "attention"}
        Which map.
    steps : int
        Points of the curves after the first.
    seed : int
        Decides random weights and orders.

    Raises
    ------
    BadValueError
        Where there is no such class or method, or no layer to look at.

    Notes
    -----
    Random weights after Adebayo et al., NeurIPS 2018; the curves after Petsiuk et al., BMVC 2018.
    The random order is that of blurred noise: single pixels at random would disturb a network more
    than any map, by their edges alone.

    Examples
    --------
    >>> from napari_steatosis.models import load_model
    >>> model = load_model("steatosis-he-drawn", device="cpu")
    >>> tile = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    >>> found = check_map(model, tile, target=1, steps=4)
    >>> sorted(found.areas())
    ['deletion', 'deletion_at_random', 'insertion', 'insertion_at_random']
    """
    explainer = Explainer(model)
    values = _map(explainer, tile, target, method)
    for drawn in range(seed, seed + DRAWS):
        other = _map(explainer.randomised(seed=drawn), tile, target, method)
        if other.std() > 0:
            break
    random = np.random.default_rng(seed)
    orders = [_blotches(tile.shape[:2], random) for _ in range(ORDERS)]
    how = {"target": target, "steps": steps}
    kind = "" if method == "attention" else f": {model.spec.classes[target]}"
    return MapCheck(
        name=f"{method}{kind}",
        tile=tile,
        values=values,
        random_weights=other,
        likeness=_likeness(values, other),
        deletion=deletion_curve(model, tile, values, **how),
        insertion=insertion_curve(model, tile, values, **how),
        deletion_at_random=np.mean([deletion_curve(model, tile, o, **how) for o in orders], 0),
        insertion_at_random=np.mean([insertion_curve(model, tile, o, **how) for o in orders], 0),
    )


def _map(explainer: Explainer, tile: Pixels, target: int, method: Way) -> Maps:
    if method == "attention":
        found: Maps = explainer.attention(tile[None])[0]
    else:
        found = explainer.cam(tile[None], target=target, method=method).values[0]
    return found


def _blotches(shape: tuple[int, ...], random: np.random.Generator) -> Maps:
    from scipy.ndimage import gaussian_filter

    noise = random.standard_normal(shape, dtype=np.float32)
    return np.asarray(gaussian_filter(noise, BLOTCH * max(shape)), np.float32)


def _likeness(one: Maps, other: Maps) -> float:
    from scipy.stats import spearmanr

    if not one.std() > 0 or not other.std() > 0:
        return float("nan")
    return float(spearmanr(one.ravel(), other.ravel()).statistic)
