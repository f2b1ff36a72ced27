"""Places of a yes/no map: grown by a disk or within another map, and rid of the small ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STRIP_PX = 1 << 20
"""Pixels that are labelled at a time; a label takes four bytes."""


def grown_by(yes: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """Return where the nearest yes is at most `radius` away.

    The same as ``distance_transform_edt(~yes) <= radius``, in a byte per pixel.

    Parameters
    ----------
    yes : (y, x) bool
        A map; beyond its edge there is nothing.
    radius : float
        Between pixel centres, px.

    Returns
    -------
    (y, x) bool

    Examples
    --------
    >>> grown_by(np.array([[False, False, True]]), 1).tolist()
    [[False, True, True]]
    """
    height, width = yes.shape
    beside = np.arange(min(int(radius), width - 1) + 1)
    grown, wide, half = np.zeros_like(yes), yes.copy(), 0
    for dy in range(min(int(radius), height - 1), -1, -1):  # farther rows, narrower disk
        widest = np.count_nonzero(np.sqrt(dy**2 + beside**2) <= radius) - 1
        for half in range(half + 1, widest + 1):  # noqa: B020
            wide[:, half:] |= yes[:, : width - half]
            wide[:, : width - half] |= yes[:, half:]
        grown[dy:] |= wide[: height - dy]
        grown[: height - dy] |= wide[dy:]
    return grown


def narrow(values: NDArray[np.bool_]) -> None:
    """Take a pixel, corners too, off every edge of the places of a map, in place.

    The edge of the map is none.

    Examples
    --------
    >>> values = np.array([[True] * 5, [True] * 5, [True, True, True, True, False]])
    >>> narrow(values)
    >>> values[1].tolist()
    [True, True, True, False, False]
    """
    height, width = values.shape
    rows = max(4, STRIP_PX // width)
    above = values[:0].copy()
    for y in range(0, height, rows):
        end = min(y + rows, height)
        strip = np.concatenate([above, values[y : end + 1]])
        first = len(above)
        above = values[end - 1 : end].copy()
        values[y:end] = ~_spread(~strip, corners=True)[first : first + end - y]


def grown_within(values: NDArray[np.bool_], bits: NDArray[np.uint8], steps: int) -> None:
    """Grow the places of a map, in place, pixel by pixel into the places of another.

    Parameters
    ----------
    values : (y, x) bool
        What grows.
    bits : (y, ceil(x / 8)) uint8
        Where it may grow, as ``np.packbits(..., axis=1)`` gives it.
    steps : int
        How far, px; along the sides only, so that nothing passes a thin line that is slanted.

    Examples
    --------
    >>> values = np.array([[True, False, False, False]])
    >>> grown_within(values, np.packbits(np.array([[0, 1, 1, 1]], bool), axis=1), 2)
    >>> values.tolist()
    [[True, True, True, False]]
    """
    height, width = values.shape
    rows = max(4 * steps, STRIP_PX // width)
    above = values[:0].copy()
    for y in range(0, height, rows):
        end = min(y + rows, height)
        last = min(end + steps, height)
        first = y - len(above)
        grown = np.concatenate([above, values[y:last]])
        above = values[max(0, end - steps) : end].copy()
        if not grown.any() or grown.all():
            continue
        free = np.unpackbits(bits[first:last], axis=1, count=width).view(bool)
        for _ in range(steps):
            reached = _spread(grown, corners=False) & free & ~grown
            if not reached.any():
                break
            grown |= reached
        values[y:end] = grown[y - first : end - first]


def _spread(yes: NDArray[np.bool_], *, corners: bool) -> NDArray[np.bool_]:
    """Return a map grown by a pixel: several times faster than ``binary_dilation``."""
    wide = yes.copy()
    wide[1:] |= yes[:-1]
    wide[:-1] |= yes[1:]
    beside = wide.copy() if corners else yes
    wide[:, 1:] |= beside[:, :-1]
    wide[:, :-1] |= beside[:, 1:]
    return wide


def drop_small(
    values: NDArray[np.bool_], area_px: float, *, diagonal: bool = True
) -> NDArray[np.bool_]:
    """Clear, in place, the connected places of fewer than `area_px` pixels; return the map.

    What is cut by the edge of the map goes on outside, so there half is enough.

    Parameters
    ----------
    values : (y, x) bool
        A map of any size: it is labelled in strips, which are joined along their seams.
    area_px : float
        Smallest area to keep, px.
    diagonal : bool
        Whether pixels hang together over corners, too.

    Returns
    -------
    (y, x) bool

    Examples
    --------
    >>> drop_small(np.pad(np.array([[True, False, True, True]]), 1), 2)[1].tolist()
    [False, False, False, True, True, False]
    """
    from scipy.ndimage import generate_binary_structure, label

    neighbours = generate_binary_structure(2, 2 if diagonal else 1)
    rows = max(1, STRIP_PX // values.shape[1])
    strips = [slice(y, y + rows) for y in range(0, len(values), rows)]
    firsts, areas, cut, seams = [], [np.zeros(1, np.int64)], [], []
    count, above = 0, np.zeros(values.shape[1], np.int64)
    for number, strip in enumerate(strips):
        labels, found = label(values[strip], neighbours, output=np.int32)
        top, bottom = (np.where(row, row + count, 0) for row in (labels[0], labels[-1]))
        seams.append(_touching(above, top, diagonal))
        ends = [labels[:, 0], labels[:, -1]]
        ends += [labels[0]] if number == 0 else []
        ends += [labels[-1]] if number == len(strips) - 1 else []
        sides = np.unique(np.concatenate(ends))
        cut.append(sides[sides > 0] + count)
        areas.append(np.bincount(labels.ravel(), minlength=found + 1)[1:])
        firsts.append(count)
        count, above = count + found, bottom
    kept = _joined_area(areas, seams, cut) >= area_px
    for strip, first in zip(strips, firsts, strict=True):
        if len(strips) > 1:
            labels, found = label(values[strip], neighbours, output=np.int32)
        here = kept[first : first + found + 1].copy()
        here[0] = False
        values[strip] = here[labels]
    return values


def _touching(
    above: NDArray[np.int64], below: NDArray[np.int64], diagonal: bool
) -> NDArray[np.int64]:
    """Return the pairs (2, n) of places in two rows, one under the other, that hang together."""
    last = len(above)
    pairs = []
    for shift in (-1, 0, 1) if diagonal else (0,):
        one = above[max(0, -shift) : last - max(0, shift)]
        other = below[max(0, shift) : last - max(0, -shift)]
        both = (one > 0) & (other > 0)
        pairs.append(np.unique(np.stack([one[both], other[both]]), axis=1))
    return np.concatenate(pairs, axis=1)


def _joined_area(
    areas: list[NDArray[np.int64]], seams: list[NDArray[np.int64]], cut: list[NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Return for every number the area of the place that it is a part of, px."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    area = np.concatenate(areas)
    one, other = np.concatenate(seams, axis=1)
    at_edge = np.concatenate(cut)
    if len(one) == 0:
        area[at_edge] *= 2
        return area
    graph = coo_array((np.ones(len(one), bool), (one, other)), shape=(len(area),) * 2)
    _, place = connected_components(graph, directed=False)
    whole = np.bincount(place, weights=area).astype(np.int64)
    whole[np.unique(place[at_edge])] *= 2
    joined: NDArray[np.int64] = whole[place]
    return joined
