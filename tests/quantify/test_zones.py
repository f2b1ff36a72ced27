"""Fat per zone on drawn lobules whose zones and fat are known."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from class_maps import prediction_of
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.imaging import mask_of_polygons
from napari_steatosis.quantify import Landmarks, measure, with_macro_cut
from napari_steatosis.quantify._zone_map import zone_map
from napari_steatosis.quantify.zones import MENTIONED

UM = 4.0
PITCH_UM = 800.0


def square(y, x, half=12.0):
    return [(y - half, x - half), (y - half, x + half), (y + half, x + half), (y + half, x - half)]


def lobules(rows=5, columns=5):
    """Centres of portal regions on a square lattice, and of central ones between them, um."""
    portal = [(PITCH_UM * i, PITCH_UM * j) for i in range(rows + 1) for j in range(columns + 1)]
    central = [
        (PITCH_UM * (i + 0.5), PITCH_UM * (j + 0.5)) for i in range(rows) for j in range(columns)
    ]
    return portal, central


def landmarks_of(portal=(), central=()):
    masks = [
        mask_of_polygons([square(y, x) for y, x in one]) if len(one) else None
        for one in (portal, central)
    ]
    return Landmarks(*masks)


def away(shape, centres, um=UM, half=12.0):
    """Distance of every pixel to the nearest square around a centre, um."""
    y, x = np.indices(shape, np.float32) * um
    least = np.full(shape, np.inf, np.float32)
    for cy, cx in centres:
        dy, dx = np.abs(y - cy) - half, np.abs(x - cx) - half
        least = np.minimum(least, np.hypot(np.maximum(dy, 0), np.maximum(dx, 0)))
    return least


def drawn(rows=5, columns=5, fat=(0.02, 0.05, 0.2), seed=0):
    """A class map whose zones hold known shares of fat, and the zone of every pixel."""
    shape = (int(rows * PITCH_UM / UM), int(columns * PITCH_UM / UM))
    portal, central = lobules(rows, columns)
    near, far = away(shape, portal), away(shape, central)
    share = near / np.maximum(near + far, 1e-3)
    zone = np.where((near > 0) & (far > 0), 1 + (share >= 1 / 3) + (share >= 2 / 3), 0)
    chance = np.array([0.0, *fat])[zone]
    blobs = np.random.default_rng(seed).random((shape[0] // 4, shape[1] // 4))
    classes = 1 + (blobs.repeat(4, 0).repeat(4, 1) < chance[::1]).astype(np.uint8)
    return classes.astype(np.uint8), zone, landmarks_of(portal, central)


@pytest.fixture(scope="module")
def liver():
    return drawn()


@pytest.fixture(scope="module")
def report(liver):
    classes, _, landmarks = liver
    return measure(prediction_of(classes, UM), landmarks=landmarks)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_area_and_fat_of_each_zone_are_those_that_were_drawn(liver, report, number):
    classes, zone, _ = liver
    own = zone == number
    assert report[f"zone_{number}_tissue_area"].value == pytest.approx(
        np.count_nonzero(own) * UM**2 / 1e6, rel=0.03
    )
    found = report[f"zone_{number}_fat_area_fraction"]
    true = 100 * np.count_nonzero(classes[own] == 2) / np.count_nonzero(own)
    assert found.value == pytest.approx(true, rel=0.06)
    assert found.interval[0] < true < found.interval[1]
    assert found.n >= 8


def test_where_the_fat_predominates_is_said(liver, report):
    classes, zone, _ = liver
    shares = [np.mean(classes[zone == number] == 2) for number in (1, 3)]
    ratio = report["zone_3_to_1_ratio"]
    assert ratio.value == pytest.approx(shares[1] / shares[0], rel=0.08)
    assert 1 < ratio.interval[0] < ratio.value < ratio.interval[1]
    assert "more around central veins" in ratio.definition


def test_the_other_way_round_and_evenly():
    periportal = measure(prediction_of((d := drawn(fat=(0.2, 0.05, 0.02)))[0], UM), landmarks=d[2])
    assert "more around portal tracts" in periportal["zone_3_to_1_ratio"].definition
    evenly = measure(prediction_of((d := drawn(fat=(0.1, 0.1, 0.1)))[0], UM), landmarks=d[2])
    assert "no predominance can be shown" in evenly["zone_3_to_1_ratio"].definition


def test_each_droplet_is_counted_once(report):
    table = report.tables["droplets"]
    counted = [report[f"zone_{n}_droplet_count"].value for n in (1, 2, 3)]
    assert sum(counted) + np.count_nonzero(table["zone"] == 0) == len(table["id"])
    for number, n in enumerate(counted, start=1):
        assert n == np.count_nonzero(table["zone"] == number)
        density = n / report[f"zone_{number}_tissue_area"].value
        assert report[f"zone_{number}_droplet_density"].value == pytest.approx(density)
    areas = [report[f"zone_{n}_tissue_area"].value for n in (1, 2, 3)]
    left = report["tissue_area"].value - sum(areas)  # inside the regions, which are drawn small
    assert 0 < left < MENTIONED * report["tissue_area"].value
    assert not any("in no zone" in flag for flag in report.flags)


def test_another_cut_gives_what_measuring_with_it_gives(liver, report):
    classes, _, landmarks = liver
    again = measure(prediction_of(classes, UM), macro_um2=300.0, landmarks=landmarks)
    cut = with_macro_cut(report, 300.0)
    assert cut["zone_2_macro_area_fraction"].value != report["zone_2_macro_area_fraction"].value
    for one in again.measurements:
        assert cut[one.name] == one


def test_the_zone_of_a_pixel_does_not_depend_on_the_resolution(liver):
    classes, _, landmarks = liver
    coarse = measure(prediction_of(classes[::2, ::2], 2 * UM), landmarks=landmarks)
    fine = measure(prediction_of(classes, UM), landmarks=landmarks)
    for number in (1, 2, 3):
        name = f"zone_{number}_tissue_area"
        assert coarse[name].value == pytest.approx(fine[name].value, rel=0.03)


def test_one_kind_gives_rings_that_are_not_called_zones(liver):
    classes = liver[0]
    _, central = lobules()
    report = measure(prediction_of(classes, UM), landmarks=landmarks_of(central=central))
    assert not any(one.name.startswith("zone") for one in report.measurements)
    far = away(classes.shape, central)
    for number, (low, high) in enumerate([(0, 100), (100, 200), (200, 300), (300, 1000)], start=1):
        own = (far > low) & (far <= high)
        found = report[f"ring_{number}_fat_area_fraction"]
        assert found.value == pytest.approx(100 * np.mean(classes[own] == 2), rel=0.1)
        assert f"{low} to {high} um from the nearest central region" in found.definition
    assert any("not zones 1 to 3" in flag for flag in report.flags)


def test_without_any_region_there_is_nothing_to_measure_zones_from():
    with pytest.raises(BadValueError, match="neither is drawn"):
        Landmarks()
    report = measure(prediction_of(np.ones((90, 90), np.uint8), UM))
    assert not any(one.name.startswith(("zone", "ring")) for one in report.measurements)
    assert "zone" not in report.tables["droplets"]


def test_a_region_outside_the_tissue_is_told():
    classes = np.zeros((1000, 1000), np.uint8)
    classes[:500] = 1
    marks = landmarks_of([(100, 100), (1800, 1000)], [(100, 900)])
    report = measure(prediction_of(classes, 2.0), landmarks=marks)
    flags = " ".join(report.flags)
    assert "1 of 2 portal regions lie more than 100 um from all that was analysed" in flags
    assert "Fewer than 3 regions of a kind lie by the tissue (1 portal, 1 central)" in flags


def test_regions_beside_the_slide_leave_every_zone_undefined_with_a_reason():
    marks = landmarks_of([(-5000, -5000)], [(100, 100)])
    report = measure(prediction_of(np.ones((300, 300), np.uint8), UM), landmarks=marks)
    assert any("No portal region lies on the slide" in flag for flag in report.flags)
    for one in report.measurements:
        if one.name.startswith("zone"):
            assert one.value == 0 or (np.isnan(one.value) and one.note), one.name


def test_what_is_drawn_as_both_is_in_no_zone_and_told():
    marks = landmarks_of([(200, 200), (200, 220)], [(200, 210), (600, 600)])
    prediction = prediction_of(np.ones((400, 400), np.uint8), UM)
    report = measure(prediction, landmarks=marks)
    assert any("as portal and as central" in flag for flag in report.flags)
    seen = report.maps["zones"]
    row, column = np.rint(seen.frame.to_px((200, 210))).astype(int)
    assert seen.levels[0][row, column] == 0


def test_far_tissue_is_in_no_zone():
    marks = landmarks_of([(100, 100)], [(100, 500)])
    report = measure(prediction_of(np.ones((200, 3000), np.uint8), UM), landmarks=marks)
    areas = sum(report[f"zone_{number}_tissue_area"].value for number in (1, 2, 3))
    assert areas < 0.3 * report["tissue_area"].value
    assert any("more than 1000 um from the nearest" in flag for flag in report.flags)


def test_a_vein_smaller_than_a_place_is_seen():
    small = mask_of_polygons([square(401.0, 401.0, half=2.0)], um_per_px=1.0)
    zones = zone_map(prediction_of(np.ones((400, 400), np.uint8), UM), Landmarks(central=small))
    assert len(zones.regions["central"]) == 1


def test_tiles_do_not_show(liver, monkeypatch):
    classes, _, landmarks = liver
    prediction = prediction_of(classes, UM)
    whole = zone_map(prediction, landmarks).values
    monkeypatch.setattr("napari_steatosis.quantify._zone_map.TILE", 37)
    np.testing.assert_array_equal(zone_map(prediction, landmarks).values, whole)


def test_labels_end_where_the_tissue_ends(liver):
    classes, _, landmarks = liver
    some = classes.copy()
    some[:, 800:] = 0
    prediction = prediction_of(some, UM)
    pyramid = replace(prediction, levels=[some, some[::2, ::2], some[::8, ::8]])
    for one in (prediction, pyramid):
        seen = measure(one, landmarks=landmarks).maps["zones"]
        values = seen.levels[0]
        beyond = values[:, 1 + int(seen.frame.to_px((0, 800 * UM))[1]) :]
        assert set(np.unique(beyond)) == {0, 4, 5}  # what was drawn is shown, analysed or not
        assert [seen.properties[value]["class"] for value in np.unique(values)[1:]] == [
            "zone 1, periportal", "zone 2, mid-zonal", "zone 3, centrilobular",
            "portal region", "central region",
        ]  # fmt: skip


def test_what_zones_depend_on_is_in_the_provenance(report):
    made = report.provenance["measure"]["landmarks"]
    assert set(made) == {"portal", "central"}
    json.dumps(made)
