"""Descriptors against scikit-image and shapely, and the pitfalls of the published ones."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from skimage import measure
from skimage.morphology import convex_hull_image, dilation, disk

from napari_steatosis.core.errors import MissingScaleError, UnknownNameError
from napari_steatosis.models.classical import shape
from napari_steatosis.models.classical.descriptors import describe, names, table
from napari_steatosis.models.classical.hull import Hulls
from napari_steatosis.models.classical.parts import Parts
from napari_steatosis.models.classical.picture import circular_mean, hue
from napari_steatosis.models.classical.ring import ring_pixels

STRICT = (
    *(f"hu_{i}" for i in range(1, 8)),
    *("hull_mean", "hull_std", "roundness", "ring_hue"),
)


@pytest.fixture(scope="module")
def image() -> tuple[np.ndarray, np.ndarray]:
    """Ragged blobs of all sizes, some of them one pixel, some at the border."""
    rng = np.random.default_rng(5)
    from scipy import ndimage

    field = ndimage.gaussian_filter(rng.normal(size=(220, 260)), 3)
    labels = measure.label(field > 0.08, connectivity=2).astype(np.int32)
    labels[3, 5] = labels.max() + 1  # one pixel
    labels[200:202, 7] = labels.max() + 1  # a line
    rgb = rng.integers(60, 250, (*labels.shape, 3), dtype=np.uint8)
    from napari_steatosis.models.classical.candidates import numbered

    return rgb, numbered(labels)


@pytest.fixture(scope="module")
def parts(image) -> Parts:
    return Parts.of(image[1])


def disc(radius: float, side: int = 128) -> np.ndarray:
    rows, columns = np.ogrid[:side, :side]
    return ((rows - side / 2) ** 2 + (columns - side / 2) ** 2 <= radius**2).astype(np.int32)


def test_the_strict_preset_is_exactly_the_eleven():
    assert names("strict") == STRICT
    assert len(names("improved")) == 11
    assert set(names("improved")) < set(names("extended"))


def test_moments_perimeters_and_ellipse_are_those_of_scikit_image(image, parts: Parts):
    wanted = measure.regionprops_table(
        image[1],
        properties=(
            *("area", "perimeter", "perimeter_crofton", "moments_hu", "eccentricity"),
            *("centroid", "bbox"),
        ),
    )
    found = shape.hu_moments(parts)
    for i in range(7):
        # Rows before columns is a mirror image, in which the seventh changes its sign.
        theirs = wanted[f"moments_hu-{i}"] * (-1 if i == 6 else 1)
        scale = np.abs(found[:, 0]) ** [1, 2, 3, 3, 6, 4, 6][i]
        assert np.all(np.abs(found[:, i] - theirs) <= 1e-9 * scale + 1e-15)
    assert np.array_equal(parts.area, wanted["area"])
    assert np.allclose(shape.perimeter(parts), wanted["perimeter"], atol=1e-9)
    assert np.allclose(shape.crofton_perimeter(parts), wanted["perimeter_crofton"], atol=1e-9)
    assert np.allclose(shape.eccentricity(parts), wanted["eccentricity"], atol=1e-6)
    assert np.allclose(parts.centre[:, 1], wanted["centroid-1"])
    assert np.array_equal(parts.box[:, 3], wanted["bbox-3"])


def test_the_distance_to_the_hull_is_that_of_shapely(parts: Parts):
    mean, spread, _ = shape.hull_shape(parts)
    for i in range(len(parts)):
        own = parts.part == i
        points = np.column_stack([parts.x[own], parts.y[own]])
        hull = shapely.MultiPoint(points).convex_hull
        rim = hull.exterior if hull.geom_type == "Polygon" else hull
        edge = own & parts.rim
        away = shapely.distance(shapely.points(parts.x[edge], parts.y[edge]), rim)
        assert abs(away.mean() - mean[i]) < 1e-9
        assert abs(away.std() - spread[i]) < 1e-9


def test_solidity_counts_the_pixels_of_the_hull(image, parts: Parts):
    pixels = Hulls.of(parts).pixels()
    for region in measure.regionprops(image[1]):
        if min(region.image.shape) > 2:  # scikit-image has no hull of a line
            hull = convex_hull_image(region.image, offset_coordinates=False)
            assert pixels[region.label - 1] == hull.sum()


def test_the_ring_is_a_dilation_less_all_candidates(image, parts: Parts):
    ring, labels = ring_pixels(parts, 5), image[1]
    for i in range(0, len(parts), 5):
        found = np.zeros(labels.shape, bool)
        for y, x, end in zip(
            *(a[ring.part == i] for a in (ring.y, ring.x, ring.x_end)), strict=True
        ):
            assert not found[y, x:end].any()  # no pixel twice
            found[y, x:end] = True
        assert np.array_equal(found, dilation(labels == i + 1, disk(5)))


def test_strict_ring_hue_is_the_arithmetic_mean(image):
    from skimage.color import rgb2hsv

    rgb, labels = image
    found = describe(rgb, labels, um_per_px=None, preset="strict")["ring_hue"]
    turns = rgb2hsv(rgb)[..., 0]
    for i in range(0, len(found), 4):
        ring = dilation(labels == i + 1, disk(5)) & (labels == 0)
        assert abs(found[i] - (turns[ring].mean() if ring.any() else 0)) < 1e-9


def test_hue_is_circular():
    """350, 355, 2, 8 and 15 degrees: on average 2, not 146 (green)."""
    degrees = np.array([350, 355, 2, 8, 15])
    mean, agreement = circular_mean(degrees / 360, np.ones(5))
    assert round(360 * mean) == 2
    assert round(degrees.mean()) == 146
    assert agreement > 0.98


def test_the_mean_hue_of_a_ring_across_the_wrap():
    rgb = np.full((40, 40, 3), 240, np.uint8)
    rgb[:, ::2] = (220, 90, 100)  # 355 degrees
    rgb[:, 1::2] = (220, 100, 90)  # 5 degrees
    labels = np.zeros((40, 40), np.int32)
    labels[12:28, 12:28] = 1
    turns = hue(np.uint8([[220, 90, 100], [220, 100, 90]]))
    assert abs(turns[0] - (1 - turns[1])) < 1e-9
    assert abs(describe(rgb, labels, um_per_px=0.5, preset="improved")["ring_hue"][0]) < 0.002
    strict = describe(rgb, labels, um_per_px=0.5, preset="strict")["ring_hue"][0]
    assert abs(strict - 0.5) < 0.02  # cyan


@pytest.mark.parametrize("radius", [1.5, 2, 3, 8, 40])
def test_roundness_of_discs_is_at_most_one(radius: float):
    """Small discs come out above 1 with the perimeter that is usual, hence Crofton's."""
    own = Parts.of(disc(radius))
    assert 0.8 < shape.roundness(own)[0] <= 1
    usual = shape.roundness(own, crofton=False)[0]
    wanted = {1.5: 1.77, 2: 1.28, 3: 0.98}.get(radius)
    assert wanted is None or abs(usual - wanted) < 0.02


def test_descriptors_do_not_depend_on_where_a_candidate_lies():
    rng = np.random.default_rng(2)
    patch = rng.integers(120, 250, (96, 96, 3), dtype=np.uint8)
    blob = np.zeros((96, 96), np.int32)
    blob[30:60, 35:50] = blob[40:50, 50:64] = 1
    first = np.full((400, 416, 3), 150, np.uint8)
    second = first.copy()
    first[8:104, 16:112], second[296:392, 304:400] = patch, patch
    labels = np.zeros((2, 400, 416), np.int32)
    labels[0, 8:104, 16:112], labels[1, 296:392, 304:400] = blob, blob
    own, other = (
        table(describe(rgb, one, um_per_px=0.5))
        for rgb, one in zip((first, second), labels, strict=True)
    )
    differ = [
        name
        for name, a, b in zip(names(), own[0], other[0], strict=True)
        if abs(a - b) > 1e-9 and not name.endswith(("wide", "wide_r", "wide_g", "wide_b"))
    ]
    assert differ == []  # the wide neighbourhood reaches over the border of the image


def test_every_descriptor_is_finite(image):
    for preset in ("strict", "improved", "extended"):
        found = describe(*image, um_per_px=0.5, preset=preset)
        assert tuple(found) == names(preset)
        assert all(np.isfinite(column).all() for column in found.values())
        whole = np.ones((9, 9), np.int32)
        alone = describe(np.full((9, 9, 3), 255, np.uint8), whole, um_per_px=0.5, preset=preset)
        assert np.isfinite(table(alone)).all()


def test_no_candidate_gives_an_empty_table():
    found = describe(np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), np.int32), um_per_px=0.5)
    assert table(found).shape == (0, len(names()))


def test_what_is_missing_is_named():
    blank, none = np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), np.int32)
    with pytest.raises(MissingScaleError, match="um_per_px"):
        describe(blank, none, um_per_px=None)
    with pytest.raises(UnknownNameError, match="strict, improved, extended"):
        describe(blank, none, um_per_px=0.5, preset="strictest")
