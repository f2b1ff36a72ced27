from __future__ import annotations

import numpy as np
import pytest
import zarr

from class_maps import apart, crowd, drawn, prediction_of
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.geometry import Frame
from napari_steatosis.core.prediction import Prediction
from napari_steatosis.quantify._droplets import DropletRule
from napari_steatosis.quantify._evidence import Evidence
from napari_steatosis.quantify._seams import LARGEST_PX, bands


def droplets(classes, block_px=512, um_per_px=0.5, **rule):
    prediction = prediction_of(classes, um_per_px)
    return Evidence.gather(prediction, DropletRule(**rule), block_px=block_px).droplets


def same(one, other):
    return [name for name in one if not np.array_equal(one[name], other[name])] == []


def test_discs_apart_are_counted_placed_and_sized():
    discs = apart(12, 15, 60)
    table = droplets(drawn(720, 900, discs))
    assert len(table["id"]) == len(discs)
    found = np.stack([table["y_px"], table["x_px"]], axis=1)
    for y, x, r in discs:
        distance = np.hypot(*(found - (y, x)).T)
        row = int(np.argmin(distance))
        assert distance[row] < 0.3
        assert table["area_um2"][row] == pytest.approx(np.pi * r * r * 0.25, abs=1.5 + 0.8 * r)
        assert table["diameter_um"][row] == pytest.approx(r, rel=0.12)
    assert table["roundness"].max() <= 1
    assert table["roundness"].min() > 0.93
    assert not table["touches_border"].any()
    assert not table["from_clump"].any()


def test_positions_are_those_of_the_tissue():
    classes = drawn(100, 100, [(40, 70, 10)])
    frame = Frame((0.5, 0.5), (100.0, 200.0))
    table = Evidence.gather(Prediction("fat", [classes], ("tissue", "fat"), frame)).droplets
    assert (table["y_px"][0], table["x_px"][0]) == (40, 70)
    assert (table["y_um"][0], table["x_um"][0]) == (120, 235)


@pytest.mark.parametrize("block_px", [33, 128, 300, 1024, 4096])
def test_no_number_depends_on_the_blocks(block_px):
    classes = drawn(1100, 1300, crowd(1100, 1300, 1200))
    classes[:, :40] = 0
    classes[500:520, 600:640] = 0
    expected = droplets(classes, 512)
    assert len(expected["id"]) > 500
    assert expected["from_clump"].sum() > 100
    assert same(droplets(classes, block_px), expected)


def test_a_stored_class_map_gives_the_same_as_one_in_memory(tmp_path):
    classes = drawn(700, 1100, crowd(700, 1100, 500))
    stored = zarr.create_array(tmp_path / "map.zarr", data=classes, chunks=(512, 512))
    assert same(droplets(stored), droplets(classes))


def test_bands_hold_every_row_once_with_its_neighbours():
    classes = np.arange(1, 10 * 7 + 1, dtype=np.uint8).reshape(10, 7)
    padded = np.pad(classes, 1)
    for rows in (1, 3, 4, 10, 64):
        seen = 0
        for y, band in bands(classes, rows):
            assert y == seen
            assert np.array_equal(band, padded[y : y + len(band)])
            seen += len(band) - 2
        assert seen == 10


@pytest.mark.parametrize("radii", [(10, 10), (14, 7), (20, 20), (9, 5)])
@pytest.mark.parametrize("angle", [0, 30, 45, 90])
def test_touching_discs_are_taken_apart(radii, angle):
    big, small = radii
    away = 0.97 * (big + small)
    y, x = 60 + away * np.sin(np.deg2rad(angle)), 60 + away * np.cos(np.deg2rad(angle))
    table = droplets(drawn(140, 140, [(60, 60, big), (y, x, small)]))
    assert len(table["id"]) == 2
    assert table["from_clump"].all()
    expected = np.sort(np.pi * np.array([small, big]) ** 2 * 0.25)
    assert np.sort(table["area_um2"]) == pytest.approx(expected, rel=0.12)


def test_chains_and_clusters_are_taken_apart():
    chain = [(40, 30 + 19 * i, 10) for i in range(6)]
    cluster = [(120, 60, 12), (120, 83, 12), (140, 71.5, 12)]
    assert len(droplets(drawn(200, 200, chain + cluster))["id"]) == 9


def test_single_droplets_stay_whole():
    rows, columns = np.ogrid[:100, :300]
    classes = np.ones((100, 300), np.uint8)
    down, right = rows - 50, columns - 200
    classes[(down / 15) ** 2 + ((columns - 60) / 30) ** 2 <= 1] = 2
    classes[(down + right) ** 2 / 800 + (down - right) ** 2 / 300 <= 1] = 2
    table = droplets(classes)
    assert len(table["id"]) == 2
    assert not table["from_clump"].any()
    assert table["axis_ratio"][1] == pytest.approx(0.5, abs=0.02)
    assert table["roundness"][1] == pytest.approx(0.8, abs=0.01)  # 2 q / (1 + q^2)


def test_pixels_that_meet_at_a_corner_are_two_droplets():
    classes = np.ones((40, 40), np.uint8)
    classes[5:15, 5:15] = 2
    classes[15:25, 15:25] = 2
    assert len(droplets(classes)["id"]) == 2


def test_small_regions_are_no_droplets_but_are_fat():
    classes = np.ones((64, 64), np.uint8)
    classes[10:12, 10:12] = 2  # 1 um^2
    classes[30:35, 30:35] = 2  # 6.25 um^2
    evidence = Evidence.gather(prediction_of(classes))
    assert evidence.droplets["area_um2"].tolist() == [6.25]
    assert evidence.squares.found.sum() == 29


def test_macro_is_from_the_cut_on():
    classes = np.ones((64, 64), np.uint8)
    classes[5:15, 5:15] = 2  # 25 um^2
    classes[30:50, 30:43] = 2  # 65 um^2
    assert droplets(classes)["size_class"].tolist() == ["micro", "macro"]
    assert droplets(classes, macro_um2=25.0)["size_class"].tolist() == ["macro", "macro"]
    with pytest.raises(BadValueError, match="macro cut"):
        DropletRule(smallest_um2=70.0)


def test_droplets_next_to_what_was_not_analysed_are_marked():
    classes = drawn(200, 200, [(50, 50, 10), (50, 120, 10), (190, 100, 12), (120, 120, 10)])
    classes[:, :45] = 0
    table = droplets(classes, 64)
    at_glass, at_the_end = np.flatnonzero(table["touches_border"])
    assert table["x_px"][at_glass] < 60
    assert table["y_px"][at_the_end] > 180


@pytest.mark.parametrize("block_px", [300, 512, 4096])
def test_a_huge_region_is_measured_whole(block_px):
    side = LARGEST_PX + 100
    classes = np.ones((300, side + 50), np.uint8)
    classes[100:110, 20 : 20 + side] = 2
    classes[200:205, 7:12] = 2
    evidence = Evidence.gather(prediction_of(classes), block_px=block_px)
    table = evidence.droplets
    assert evidence.oversized == 1
    assert table["area_um2"].tolist() == [side * 10 / 4, 25 / 4]
    assert table["x_px"][0] == pytest.approx(20 + (side - 1) / 2, abs=1e-9)
    assert table["y_px"][0] == pytest.approx(104.5, abs=1e-9)
    assert table["axis_ratio"][0] == pytest.approx(10 / side, rel=1e-3)
    assert (table["first_y_px"][0], table["first_x_px"][0]) == (100, 20)


def test_expert_masks_are_counted_as_drawn(shared_data):
    """Experts leave gaps between droplets, so their components are the truth."""
    from PIL import Image
    from scipy import ndimage

    drawn_n = found_n = 0
    for path in sorted((shared_data / "steatosis-tiles" / "val" / "mask").glob("*.png")):
        mask = np.asarray(Image.open(path).convert("L")) > 127
        labels, n = ndimage.label(mask)
        area = np.bincount(labels.ravel(), minlength=n + 1)[1:] * 0.25
        drawn_n += int((area >= 3).sum())
        found_n += len(droplets(mask.astype(np.uint8) + 1)["id"])
    assert drawn_n > 500
    assert found_n == pytest.approx(drawn_n, rel=0.02)
