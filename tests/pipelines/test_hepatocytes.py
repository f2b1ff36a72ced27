"""Hepatocytes of a drawn liver, whose nuclei are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

import napari_steatosis as st
from arrays import slide_of, stained_ground
from brightness_model import BrightnessModel
from class_maps import prediction_of
from napari_steatosis.core.errors import BadValueError, MissingScaleError
from napari_steatosis.core.geometry import Frame
from napari_steatosis.core.mask import Mask
from napari_steatosis.core.prediction import Prediction
from napari_steatosis.pipelines import hepatocytes
from napari_steatosis.pipelines.hepatocytes import find_hepatocytes
from sections import SIRIUS

SIDE = 900
UM = 0.5


@pytest.fixture(scope="module")
def liver():
    """A drawn liver, which knows its nuclei, and its pixels: drawn once, read often."""
    options = {"um_per_px": UM, "seed": 4, "fat_percent": 8.0, "glass": False}
    source = st.drawn_liver(SIDE, SIDE, **options).source
    return source, source.read(0, source.bounds)


@pytest.fixture(scope="module")
def fat(liver):
    source, pixels = liver
    slide = slide_of(pixels, UM)
    return Prediction(
        "fat", [source.truth(source.bounds)], ("tissue", "fat"), slide.frame(), slide=slide
    )


@pytest.fixture(scope="module")
def found(fat):
    return find_hepatocytes(fat)


def test_most_drawn_nuclei_are_found_and_little_else(liver, fat, found):
    drawn_at = liver[0].nuclei(liver[0].bounds)
    y, x = (np.asarray(drawn_at[name]) for name in ("y_px", "x_px"))
    inside = (np.minimum(y, x) > 40) & (np.maximum(y, x) < SIDE - 40)
    rows, columns = (np.rint(of[inside]).astype(int) for of in (y, x))
    seen = fat.levels[0][rows, columns] == 1
    centres = np.stack([found.table["y_um"], found.table["x_um"]], axis=1) / UM
    away, _ = cKDTree(centres).query(np.stack([y[inside][seen], x[inside][seen]], axis=1))
    recall = np.mean(away < 6)
    back, _ = cKDTree(np.stack([y, x], axis=1)).query(centres)
    middle = (centres.min(1) > 40) & (centres.max(1) < SIDE - 40)
    precision = np.mean(back[middle] < 6)
    assert recall > 0.8
    assert precision > 0.8


def test_their_share_is_that_of_the_drawn_cells_and_squares_are_far_from_it(liver, fat, found):
    source, _ = liver
    true = source.true_hepatocyte_percent(source.bounds)
    report = st.measure(fat, nuclei=found)
    assert 20 < true < 80
    assert report["hepatocytes_with_fat"].value == pytest.approx(true, abs=8)
    assert report["hepatocyte_equivalent"].value > true + 10


def test_tiles_do_not_show(fat, found, monkeypatch):
    for tile_px in (256, 400):
        monkeypatch.setattr(hepatocytes, "TILE_PX", tile_px)
        again = find_hepatocytes(fat)
        assert again.made_by == found.made_by
        for name, values in found.table.items():
            np.testing.assert_allclose(again.table[name], values, err_msg=name)
        np.testing.assert_array_equal(again.territories.levels[0], found.territories.levels[0])


def test_the_map_of_territories_has_their_area_and_their_fat(fat, found):
    drawn, table = found.territories, found.table
    finest = np.asarray(drawn.levels[0])
    assert {drawn.properties[value]["class"] for value in np.unique(finest)[1:]} == {
        "without fat",
        "with fat",
    }
    for value, of in ((1, ~table["with_fat"]), (2, table["with_fat"])):
        area = np.count_nonzero(finest == value) * drawn.frame.um2_per_px
        assert area == pytest.approx(table["territory_area_um2"][of].sum(), rel=0.02)
    row, column = np.rint(drawn.frame.to_px(np.stack([table["y_um"], table["x_um"]], axis=1))).T
    seen = finest[row.astype(int), column.astype(int)]
    assert np.mean(seen == 1 + table["with_fat"]) > 0.99
    assert fat.slide.shape == (SIDE, SIDE)
    assert st.measure(fat, nuclei=found).maps["territories"] is drawn


def test_a_large_map_of_territories_has_coarser_levels(monkeypatch, fat, found):
    monkeypatch.setattr("napari_steatosis.pipelines._territory_map.COARSEST_PX", 128)
    levels = find_hepatocytes(fat).territories.levels
    assert [level.shape[0] for level in levels] == [450, 225, 113]
    np.testing.assert_array_equal(levels[2], np.asarray(found.territories.levels[0])[::4, ::4])


def test_they_are_measured_beside_squares_and_the_grade_rests_on_them(fat, found):
    report = st.measure(fat, nuclei=found)
    n = len(found.table["y_um"])
    share = 100 * np.mean(found.table["with_fat"])
    assert report["hepatocyte_nuclei"].value == n
    assert report["hepatocytes_with_fat"].value == pytest.approx(share)
    assert "Not validated" in report["hepatocytes_with_fat"].definition
    assert "applied to hepatocytes_with_fat" in report["steatosis_grade"].definition
    squares = st.measure(fat)
    assert report["hepatocyte_equivalent"] == squares["hepatocyte_equivalent"]
    assert "applied to hepatocyte_equivalent" in squares["steatosis_grade"].definition
    tiles = report.tables["tiles"]
    assert tiles["hepatocytes"].sum() == n
    weighted = np.nansum(tiles["hepatocytes"] * tiles["hepatocytes_with_fat_percent"])
    assert weighted == pytest.approx(100 * np.count_nonzero(found.table["with_fat"]))
    assert report.provenance["measure"]["nuclei"]["rule"]["territory_um"] == 10.0


def test_a_part_of_the_slide_counts_its_own(fat, found):
    classes = np.array(fat.levels[0])
    classes[:, SIDE // 2 :] = 0
    report = st.measure(replace(fat, levels=[classes]), nuclei=found)
    left = np.rint(found.table["x_um"] / UM) < SIDE // 2
    assert report["hepatocyte_nuclei"].value == np.count_nonzero(left)
    assert len(report.tables["hepatocytes"]["y_um"]) == np.count_nonzero(left)


def test_a_class_map_of_another_resolution_lies_on_the_same_tissue(fat, found):
    coarse = replace(fat, levels=[fat.levels[0][::2, ::2]], frame=fat.frame.coarser(2))
    again = find_hepatocytes(coarse)
    n = len(found.table["y_um"])
    assert len(again.table["y_um"]) == pytest.approx(n, rel=0.1)


def test_where_nothing_was_analysed_there_are_none_and_the_reason_is_said(fat):
    nothing = replace(fat, levels=[np.zeros_like(fat.levels[0])])
    with pytest.raises(BadValueError, match="only 0 pixels of tissue"):
        find_hepatocytes(nothing)


@pytest.mark.parametrize("um", [0.6, 1.0])
def test_coarse_slides_are_refused_with_their_pixel_size(um):
    slide = slide_of(stained_ground(300, 300), um_per_px=um)
    prediction = replace(prediction_of(np.ones((300, 300), np.uint8), um), slide=slide)
    with pytest.raises(BadValueError, match=rf"pixels are {um:g} um wide.*0\.5 um or finer"):
        find_hepatocytes(prediction)


def test_other_stains_unknown_sizes_and_missing_slides_are_refused():
    classes = np.ones((300, 300), np.uint8)
    with pytest.raises(BadValueError, match="has none that can be opened"):
        find_hepatocytes(prediction_of(classes))
    with pytest.raises(MissingScaleError):
        find_hepatocytes(prediction_of(classes, slide=slide_of(SIRIUS, um_per_px=None)))
    with pytest.raises(BadValueError, match="looked for in H&E, and this slide looks like"):
        find_hepatocytes(prediction_of(classes, slide=slide_of(SIRIUS)))


def test_a_stop_ends_the_search(fat):
    asked = []

    def stop():
        asked.append(1)
        return len(asked) > 1

    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(hepatocytes, "TILE_PX", 256)
        some = find_hepatocytes(fat, should_stop=stop)
    assert 0 < len(some.table["y_um"]) < 0.4 * 1500


def test_the_engine_refuses_before_it_computes(monkeypatch):
    from napari_steatosis.pipelines import analyse

    def never(*_, **__):
        raise AssertionError("tiles were computed")

    monkeypatch.setattr(analyse, "run", never)
    coarse = st.drawn_liver(400, 400, um_per_px=0.8, seed=1, glass=False)
    asked = {"model": BrightnessModel(), "tissue": Mask(np.ones((80, 80), bool), Frame((4.0, 4.0)))}
    with pytest.raises(BadValueError, match=r"pixels are 0\.8 um wide"):
        st.analyse(coarse, hepatocytes="nuclei", **asked)
    with pytest.raises(BadValueError, match="one of squares, nuclei, got 'cells'"):
        st.analyse(coarse, hepatocytes="cells", **asked)
