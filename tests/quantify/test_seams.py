"""Components of bands of rows against those of the whole map, sum by sum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_steatosis.quantify import _seams
from napari_steatosis.quantify._patches import runs_on, sheets
from napari_steatosis.quantify._runs import Runs
from napari_steatosis.quantify._seams import components
from napari_steatosis.quantify._shapes import Shapes, shapes_of

SUMS = ("area", "sum_y", "sum_x", "sum_yy", "sum_xx", "sum_xy", "edge")


def made(kind: str, seed: int = 0) -> np.ndarray:
    """Return a class map with not analysed (0), tissue (1) and fat (2)."""
    random = np.random.default_rng(seed)
    shape = (70, 83)
    if kind == "spirals":  # one component that every band meets again and again
        y, x = np.ogrid[: shape[0], : shape[1]]
        turn = np.hypot(y - 35, x - 41) + np.arctan2(y - 35, x - 41) * 1.6
        classes = 1 + (turn % 10 < 5).astype(np.uint8)
    elif kind == "combs":  # open at the top, joined at the bottom, and the other way round
        classes = np.ones(shape, np.uint8)
        classes[3:40, 1:40:2] = 2
        classes[39, 1:40] = 2
        classes[30:66, 45:80:2] = 2
        classes[30, 45:80] = 2
    else:
        share = {"sparse": 0.1, "percolating": 0.59, "dense": 0.9, "all": 1.0, "none": 0.0}[kind]
        classes = 1 + (random.random(shape) < share).astype(np.uint8)
    unknown = random.random(shape) < (0.0 if kind in ("all", "combs") else 0.02)
    classes[unknown] = 0
    return classes


def expected(classes: np.ndarray) -> list[tuple]:
    """Return the same sums from one label image, sorted from the top."""
    labels, n = ndimage.label(classes == 2)
    near = ndimage.binary_dilation(np.pad(classes, 1) == 0)[1:-1, 1:-1]
    rows = []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        own = labels[box] == label
        y, x = np.nonzero(own)
        corner = (box[0].start, box[1].start)
        first = corner[1] + int(x[0])
        sums = (len(y), y.sum(), x.sum(), (y * y).sum(), (x * x).sum(), (x * y).sum())
        end = (box[0].stop, box[1].stop)
        edge = bool((near[box] & own).any())
        rows.append((corner[0], first, corner[1], *map(int, sums), edge, *end))
    assert len(rows) == n
    return sorted(rows)


def found(classes: np.ndarray, rows_px: int) -> list[tuple]:
    rows = []
    for part in components(classes, 2, rows_px=rows_px):
        assert isinstance(part, Runs)
        shapes = shapes_of(part)
        sums = np.stack([getattr(shapes, name).astype(np.int64) for name in SUMS[:-1]], axis=1)
        for i, (own, edge) in enumerate(zip(sums.tolist(), shapes.edge.tolist(), strict=True)):
            place = (int(shapes.y[i]), int(shapes.first_x[i]), int(shapes.x[i]))
            rows.append((*place, *own, edge, *part.boxes[i, 2:].tolist()))
    return sorted(rows)


KINDS = ("sparse", "percolating", "dense", "all", "none", "spirals", "combs")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows_px", [1, 2, 5, 16, 70, 512])
def test_every_component_is_found_once_whatever_the_bands(kind, rows_px):
    classes = made(kind)
    assert found(classes, rows_px) == expected(classes)


@pytest.mark.parametrize("rows_px", [1, 4, 16, 100])
@pytest.mark.parametrize("kind", ["percolating", "spirals", "combs"])
def test_what_is_too_large_to_be_held_has_the_same_sums(kind, rows_px, monkeypatch):
    classes = made(kind, seed=1)
    whole = Shapes.joined([shapes_of(part) for part in components(classes, 2, rows_px=512)])
    monkeypatch.setattr(_seams, "LARGEST_PX", 12)
    parts = list(components(classes, 2, rows_px=rows_px))
    giants = [part for part in parts if isinstance(part, Shapes)]
    held = [shapes_of(part) for part in parts if isinstance(part, Runs)]
    assert len(giants) == sum(
        max(box.stop - box.start for box in boxes) > 12
        for boxes in ndimage.find_objects(ndimage.label(classes == 2)[0])
    )
    assert giants
    assert not any(one.whole.any() for one in giants)
    again = Shapes.joined([*giants, *held])
    for name in ("y", "x", "first_x", *SUMS):
        values = [getattr(one, name)[np.lexsort((one.first_x, one.y))] for one in (whole, again)]
        np.testing.assert_array_equal(*values, err_msg=name)


def test_components_are_laid_out_whole_and_come_back():
    classes = made("percolating", seed=2)
    runs = Runs.joined(list(components(classes, 2, rows_px=16)))
    image = np.zeros(classes.shape, bool)
    seen = []
    for order, patch in sheets(runs):
        _, n = ndimage.label(patch.labels > 0)
        assert n == len(patch) == len(order)
        back = runs_on(patch.labels, patch.edge, patch.shift)
        np.testing.assert_array_equal(back.boxes, runs.boxes[order])
        for y, x, x_end in zip(back.y, back.x, back.x_end, strict=True):
            assert not image[y, x:x_end].any()
            image[y, x:x_end] = True
        seen += order.tolist()
    np.testing.assert_array_equal(image, classes == 2)
    assert sorted(seen) == list(range(len(runs)))


def test_some_components_of_many_and_parts_joined_again():
    runs = Runs.joined(list(components(made("sparse"), 2, rows_px=70)))
    keep = np.arange(len(runs)) % 3 == 0
    one, other = runs.only(keep), runs.only(~keep)
    np.testing.assert_array_equal(one.boxes, runs.boxes[keep])
    both = shapes_of(Runs.joined([one, other]))
    order = np.concatenate([np.flatnonzero(keep), np.flatnonzero(~keep)])
    np.testing.assert_array_equal(both.area, shapes_of(runs).area[order])
    emptied = np.zeros(len(runs), bool)
    emptied[:3] = True
    rest = runs.only(np.ones(len(runs), bool), emptied=emptied)
    assert len(rest) == len(runs)
    assert set(rest.label.tolist()) == set(range(3, len(runs)))
