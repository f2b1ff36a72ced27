from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from class_maps import apart, drawn, prediction_of
from napari_steatosis.core.errors import UnknownNameError
from napari_steatosis.core.prediction import Prediction
from napari_steatosis.quantify import measure


def flags(report):
    return " ".join(report.flags)


def test_the_numbers_of_a_known_map():
    discs = apart(40, 40, 55)
    classes = drawn(2200, 2200, discs)
    report = measure(prediction_of(classes))
    fat = np.count_nonzero(classes == 2)
    assert report["fat_area_fraction"].value == pytest.approx(100 * fat / classes.size)
    low, high = report["fat_area_fraction"].interval
    assert low < report["fat_area_fraction"].value < high
    assert report["droplet_count"].value == 1600
    assert report["droplet_density"].value == pytest.approx(1600 / 1.21)
    both = report["macro_area_fraction"].value + report["micro_area_fraction"].value
    assert both == pytest.approx(report["fat_area_fraction"].value)
    diameters = 2 * np.array([r for *_, r in discs]) * 0.5
    assert report["droplet_diameter_median"].value == pytest.approx(np.median(diameters), rel=0.02)
    assert report["droplet_diameter_p25"].value < report["droplet_diameter_p75"].value
    assert report.flags == ()


def test_an_empty_map_is_undefined_with_a_reason():
    report = measure(prediction_of(np.zeros((300, 300), np.uint8)))
    assert report["tissue_area"].value == 0
    assert report["droplet_count"].value == 0
    for name in ("fat_area_fraction", "droplet_density", "macro_area_fraction"):
        assert math.isnan(report[name].value)
    assert "Nothing was analysed" in flags(report)


def test_no_fat_is_zero_and_says_what_is_undefined():
    report = measure(prediction_of(np.ones((3000, 3000), np.uint8)))
    assert report["fat_area_fraction"].value == 0
    assert report["fat_area_fraction"].interval is None
    assert report["droplet_density"].value == 0
    assert math.isnan(report["droplet_diameter_median"].value)
    assert "No fat was found" in flags(report)
    assert "droplet_diameter_median" in flags(report)


def test_all_fat_is_all():
    report = measure(prediction_of(np.full((2100, 2100), 2, np.uint8)))
    assert report["fat_area_fraction"].value == 100
    assert report["macro_area_fraction"].value == 100
    assert report["droplet_count"].value == 1
    assert "longer than 2048 px" in flags(report)
    assert "touch the border" in flags(report)


def test_one_square_has_no_interval_and_says_so():
    report = measure(prediction_of(drawn(400, 400, [(100, 100, 20)])))
    assert report["fat_area_fraction"].interval is None
    assert "Only 1 square" in flags(report)
    assert "Little tissue" in flags(report)


def test_failed_tiles_and_a_given_pixel_size_are_flagged():
    classes = drawn(400, 400, [(100, 100, 20)])
    failed = tuple(f"tile {i} is damaged" for i in range(12))
    provenance = {"slide": {"um_per_px_source": "given"}}
    report = measure(prediction_of(classes, failed=failed, provenance=provenance))
    assert "12 tile(s)" in flags(report)
    assert "tile 9 is damaged | and 2 more" in flags(report)
    assert "given by the user" in flags(report)


def test_chosen_measures_and_settings_are_recorded():
    prediction = prediction_of(drawn(200, 200, [(90, 90, 20)]))
    report = measure(prediction, measures=["fat_area"], macro_um2=100.0)
    names = {one.name for one in report.measurements}
    assert names == {"fat_area_fraction", "tissue_area", "fat_area"}
    assert report.provenance["measure"]["macro_um2"] == 100.0
    assert report.provenance["measure"]["measures"] == ["fat_area"]


def test_unknown_names_are_refused():
    with pytest.raises(UnknownNameError, match="fat_area"):
        measure(prediction_of(np.ones((8, 8), np.uint8)), measures=["fat_aera"])
    frame = prediction_of(np.ones((8, 8), np.uint8)).frame
    with pytest.raises(UnknownNameError, match="'fat'"):
        measure(Prediction("collagen", [np.ones((8, 8), np.uint8)], ("collagen",), frame))


def test_a_report_can_be_sent_to_another_process():
    report = measure(prediction_of(drawn(300, 300, [(90, 90, 20)])))
    sent = pickle.loads(pickle.dumps(report))
    assert len(list(sent.outlines(None))) == 1


def test_tiles_are_the_squares_of_the_interval():
    classes = np.zeros((1100, 600), np.uint8)
    classes[:, :520] = 1
    classes[1050:1060, 514:520] = 2
    tiles = measure(prediction_of(classes)).tables["tiles"]  # 0.5 um/px: squares of 512 px
    assert tiles["y_um"].tolist() == [127.75, 127.75, 383.75, 383.75, 530.75, 530.75]
    assert tiles["x_um"].tolist() == [127.75, 277.75] * 3
    assert tiles["height_um"].tolist() == [256, 256, 256, 256, 38, 38]
    assert tiles["width_um"].tolist() == [256, 44] * 3
    assert tiles["tissue_area_um2"].tolist()[-2:] == [512 * 76 / 4, 8 * 76 / 4]
    assert tiles["fat_area_um2"].tolist() == [0, 0, 0, 0, 0, 15]
    assert tiles["fat_area_fraction_percent"][-1] == pytest.approx(100 * 60 / (8 * 76))


def test_squares_without_tissue_are_no_tiles():
    assert len(measure(prediction_of(np.zeros((50, 50), np.uint8))).tables["tiles"]["y_um"]) == 0
