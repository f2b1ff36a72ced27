"""The form *Measure* at a real window: numbers, droplets, regions, maps, and what is saved.

The picture in the documentation is made by one of these tests::

    STEATOSIS_PICTURE=docs/images/measure-form.png pytest tests/napari/test_measure_form.py -k table
"""

from __future__ import annotations

import gzip
import json
import os
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from napari.layers import Layer
from napari.qt.threading import GeneratorWorker
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

import napari_steatosis as st
from napari_steatosis._napari.droplet_overlay import IDLE_MS, LIT
from napari_steatosis._napari.droplet_table import COLUMNS, MACRO, DropletModel
from napari_steatosis._napari.fat_map import MAP_OF
from napari_steatosis._napari.layers import prediction_over, slide_layer
from napari_steatosis._napari.measure import MACRO_UM2
from napari_steatosis._napari.measure_tabs import DROPLETS, REGIONS
from napari_steatosis._napari.region_table import ALL
from napari_steatosis.core.prediction import Prediction
from napari_steatosis.imaging import mask_of_polygons
from napari_steatosis.io._palette import DROPLET_COLOURS
from napari_steatosis.io.write_report import printed
from napari_steatosis.quantify import prediction_within, with_macro_cut

WAIT_MS = 60_000
LEFT = Qt.MouseButton.LeftButton
PICTURE = os.environ.get("STEATOSIS_PICTURE")
SIDE_PX = 2048 if PICTURE else 1400


@pytest.fixture(scope="module")
def fat():
    """Class map of the white places of a drawn slide, two levels; for a picture, a real one."""
    slide = st.drawn_liver(SIDE_PX, SIDE_PX, seed=5)
    if PICTURE:
        return st.segment(slide, st.load_model("steatosis-he"), within=st.find_tissue(slide))
    pixels = slide.read(st.Region(y=0, x=0, height=SIDE_PX, width=SIDE_PX))
    tissue = st.find_tissue(slide).on(
        st.Region(y=0, x=0, height=SIDE_PX, width=SIDE_PX), slide.frame()
    )
    classes = np.where(tissue, 1 + (pixels.min(axis=2) > 215), 0).astype(np.uint8)
    levels = [classes, classes[::2, ::2]]
    made = {"digest": "ab", "slide": {"um_per_px": list(slide.um_per_px)}}
    return Prediction("fat", levels, ("tissue", "fat"), slide.frame(), made, slide=slide)


@pytest.fixture(scope="module")
def report(fat):
    return st.measure(fat)


@pytest.fixture
def window(make_napari_viewer, qtbot):
    """A viewer on screen, with the form docked by the plugin's own manifest."""
    if os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal"):
        pytest.skip("this Qt platform draws no canvas; use xcb under Xvfb")
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1600, 1000)
    _, form = viewer.window.add_plugin_dock_widget("napari-steatosis", "Measure")
    yield viewer, form
    form.stop()
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
    GeneratorWorker.await_workers(WAIT_MS)


@pytest.fixture
def shown(window, fat, qtbot):
    """The same with a slide and its class map, which lie elsewhere than at the origin."""
    viewer, form = window
    image = viewer.add_layer(Layer.create(*slide_layer(fat.slide, "liver")))
    image.translate = (100, 50)
    labels = viewer.add_layer(Layer.create(*prediction_over(fat, image, fat.slide.frame())))
    qtbot.waitUntil(lambda: form.labels.value is labels)
    return viewer, form, labels


def press(button) -> None:
    QTest.mouseClick(button.native, LEFT)


def measure(form, qtbot) -> None:
    press(form.run)
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)


def click_row(table, row: int) -> None:
    index = table.model().index(row, 1)
    QTest.mouseClick(table.viewport(), LEFT, pos=table.visualRect(index).center())


def world_of(labels, fat, report, droplet: int) -> np.ndarray:
    """Return where the centre of a droplet is in the world, by the layer's own transform."""
    table = report.tables["droplets"]
    px = fat.frame.to_px((table["y_um"][droplet], table["x_um"][droplet]))
    return np.asarray(labels.data_to_world(px))


def canvas_click(viewer, world, qtbot) -> None:
    """Press the left button on the canvas over a point of the world, as a person does."""
    camera, native = viewer.scene.camera, viewer.window._qt_viewer.canvas.native
    away = (np.asarray(world) - np.asarray(camera.center)[-2:]) * camera.zoom
    place = QPoint(round(native.width() / 2 + away[1]), round(native.height() / 2 + away[0]))
    QTest.mouseMove(native, place)
    qtbot.wait(50)
    QTest.mouseClick(native, LEFT, pos=place)
    qtbot.wait(50)


def test_the_numbers_are_those_of_a_script(shown, report, qtbot):
    _, form, _ = shown
    assert not form.save.enabled
    measure(form, qtbot)
    numbers = form.tabs.numbers
    assert numbers.rowCount() == len(report.measurements)
    for row, one in enumerate(report.measurements):
        assert form.measured.report[one.name].value == pytest.approx(one.value, nan_ok=True)
        told = printed("\n".join(filter(None, (one.name, one.definition, one.note))))
        assert numbers.item(row, 0).toolTip() == told
    assert form.tabs.droplets.model().rowCount() == len(report.tables["droplets"]["id"])
    assert not form.tabs.isTabEnabled(REGIONS)


def test_table_and_view_lead_to_each_other(shown, fat, report, qtbot):
    viewer, form, labels = shown
    measure(form, qtbot)
    form.tabs.setCurrentIndex(DROPLETS)
    form.tabs.droplets.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    form.circles.value = True
    qtbot.wait(200)
    sizes = report.tables["droplets"]["diameter_um"]
    order = np.argsort(sizes, kind="stable")[::-1]
    viewer.scene.camera.zoom = 3.0
    click_row(form.tabs.droplets, 3)
    chosen = int(order[3])
    assert form.tabs.droplets.droplet == chosen
    world = world_of(labels, fat, report, chosen)
    np.testing.assert_allclose(np.asarray(viewer.scene.camera.center)[-2:], world, atol=0.5)
    lit = viewer.layers["chosen droplet"]
    (outline,) = lit.data
    around = np.array([lit.data_to_world(one) for one in outline])
    assert (around.min(0) < world).all()
    assert (around.max(0) > world).all()
    (traced,) = [
        one for one in report.outlines(None) if one.row == chosen
    ]  # the layer lies in px of the class map
    assert {tuple(one) for one in outline} == {tuple(one) for one in traced.rings[0]}
    if PICTURE:
        qtbot.wait(800)
        viewer.screenshot(PICTURE, canvas_only=False, flash=False)
    other = int(order[6])
    viewer.scene.camera.center = (0, *world_of(labels, fat, report, other))
    qtbot.wait(400)
    centre = np.asarray(viewer.scene.camera.center)[-2:]
    canvas_click(viewer, world_of(labels, fat, report, other), qtbot)
    table = form.tabs.droplets
    assert table.droplet == other
    assert table.currentIndex().row() == 6
    assert np.asarray(viewer.scene.camera.center)[-2:] == pytest.approx(centre)
    form.circles.value = False
    assert "droplets in view" not in viewer.layers


def test_the_first_click_finds_its_layer_ready(shown, report, qtbot):
    viewer, form, labels = shown
    viewer.layers.selection.active = labels
    measure(form, qtbot)
    form.tabs.setCurrentIndex(DROPLETS)
    assert "chosen droplet" not in viewer.layers
    qtbot.waitUntil(
        lambda: "chosen droplet" in viewer.layers and len(viewer.layers["chosen droplet"].data) == 1
    )
    ready = viewer.layers["chosen droplet"]
    assert ready.edge_color[0, 3] == ready.face_color[0, 3] == 0
    assert viewer.layers.selection.active is labels
    click_row(form.tabs.droplets, 2)
    assert viewer.layers["chosen droplet"] is ready
    np.testing.assert_allclose(ready.edge_color, [LIT])
    traced = next(one for one in report.outlines(None) if one.row == form.tabs.droplets.droplet)
    assert {tuple(one) for one in ready.data[0]} == {tuple(one) for one in traced.rings[0]}


def test_who_clicks_before_that_loses_nothing(shown, qtbot):
    viewer, form, _ = shown
    measure(form, qtbot)
    form.tabs.setCurrentIndex(DROPLETS)
    click_row(form.tabs.droplets, 2)
    lit = viewer.layers["chosen droplet"]
    (outline,) = lit.data
    qtbot.wait(4 * IDLE_MS)
    assert viewer.layers["chosen droplet"] is lit
    np.testing.assert_array_equal(lit.data[0], outline)
    np.testing.assert_allclose(lit.edge_color, [LIT])


def test_the_cut_recolours_and_the_numbers_follow(shown, report, qtbot):
    viewer, form, _ = shown
    measure(form, qtbot)
    form.tabs.setCurrentIndex(DROPLETS)
    form.circles.value = True
    histogram = form.tabs.histogram
    assert histogram.counts.sum() == len(report.tables["droplets"]["id"])
    assert bar_colour(histogram) == DROPLET_COLOURS["micro"]
    QTest.mouseClick(histogram, LEFT, pos=QPoint(round(histogram.place_of(3.0)), 60))
    assert bar_colour(histogram) == DROPLET_COLOURS["macro"]
    QTest.mouseClick(histogram, LEFT, pos=QPoint(round(histogram.place_of(15.0)), 60))
    cut_um2 = form.cut.value
    assert histogram.cut_um == pytest.approx(15.0, abs=histogram.widest_um / 200)
    assert cut_um2 == pytest.approx(np.pi / 4 * histogram.cut_um**2)
    expected = st.measure(report.prediction, macro_um2=cut_um2)
    qtbot.waitUntil(lambda: form.measured.report.provenance["measure"]["macro_um2"] == cut_um2)
    for name in ("macro_area_fraction", "micro_area_fraction"):
        assert form.measured.report[name] == expected[name]
    assert expected["macro_area_fraction"].value < report["macro_area_fraction"].value
    circles = viewer.layers["droplets in view"]
    blue = np.asarray(DROPLET_COLOURS["macro"]) / 255
    macro = np.all(np.isclose(circles.border_color[:, :3], blue), axis=1)
    diameters = circles.size * form.labels.value.metadata["prediction"].frame.mean_um_per_px
    assert 0 < macro.sum() < len(macro)
    np.testing.assert_array_equal(macro, np.pi / 4 * diameters**2 >= cut_um2)
    model = form.tabs.droplets.model()
    form.tabs.droplets.sortByColumn(MACRO, Qt.SortOrder.DescendingOrder)
    assert model.data(model.index(0, MACRO)) == "macro"
    count = int(np.count_nonzero(expected.tables["droplets"]["size_class"] == "macro"))
    assert model.data(model.index(count, MACRO)) == "micro"


def bar_colour(histogram) -> tuple[int, ...]:
    """Return the colour of the highest bar as it is painted."""
    bar = (int(histogram.counts.argmax()) + 0.5) * histogram.widest_um / len(histogram.counts)
    middle = QPoint(round(histogram.place_of(bar)), round(histogram.height() / 2))
    return histogram.grab().toImage().pixelColor(middle).getRgb()[:3]


def test_regions_are_measured_each_and_together(shown, fat, qtbot, tmp_path, monkeypatch):
    viewer, form, _ = shown
    um = [
        np.array([(100, 100), (100, 300), (350, 300), (350, 100)], float),
        np.array([(300, 350), (300, 600), (600, 600), (600, 350)], float),
    ]
    moved = [one + np.array((100, 50)) for one in um]  # as the slide was
    shapes = viewer.add_shapes(
        moved, shape_type="polygon", units=("um", "um"), features={"name": ["left", "right"]}
    )
    out = viewer.add_shapes([moved[0][:3]], shape_type="polygon", units=("um", "um"), name="out")
    form.inside.value, form.leave_out.value = shapes, out
    measure(form, qtbot)
    exclude = mask_of_polygons([um[0][:3]], um_per_px=1.0)
    for polygon, one in zip(um, form.measured.regions, strict=True):
        region = mask_of_polygons([polygon], um_per_px=1.0)
        expected = st.measure(prediction_within(fat, region=region, exclude=exclude))
        for name in ("fat_area_fraction", "tissue_area", "droplet_count"):
            assert one[name].value == pytest.approx(expected[name].value)
    together = form.measured.report
    assert together["tissue_area"].value == pytest.approx(
        sum(one["tissue_area"].value for one in form.measured.regions)
    )
    assert "inside the given regions less excluded regions" in str(
        together["fat_area_fraction"].definition
    )
    table = form.tabs.regions
    assert [table.item(row, 0).text() for row in range(3)] == ["left", "right", ALL]
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *a: (str(tmp_path / "part"), "Tables (*.csv)")
    )
    press(form.save)
    qtbot.waitUntil(lambda: "Saved" in form.panel.status.text(), timeout=WAIT_MS)
    regions = pd.read_csv(tmp_path / "part_regions.csv")
    assert len(regions) == 2
    assert len(pd.read_csv(tmp_path / "part.csv")) == together["droplet_count"].value


def test_maps_lie_on_the_tissue_and_outlines_are_saved(shown, fat, report, qtbot, tmp_path):
    viewer, form, labels = shown
    measure(form, qtbot)
    press(form.maps.fat)
    press(form.maps.grade)
    fat_map, grade = (one for one in viewer.layers if MAP_OF in one.metadata)
    assert grade.visible
    assert not fat_map.visible
    fat_map.visible = True  # of a hidden layer napari gives no value
    tiles = report.tables["tiles"]
    classes, seen = fat.levels[0], 0
    for k in range(len(tiles["y_um"])):
        y, x = fat.frame.to_px((tiles["y_um"][k], tiles["x_um"][k])).astype(int)
        if classes[y, x] == 0 or classes[y - 2 : y + 3, x - 2 : x + 3].min() == 0:
            continue
        value = fat_map.get_value(labels.data_to_world((y, x)), world=True)
        assert value == pytest.approx(tiles["fat_area_fraction_percent"][k])
        seen += 1
    assert seen >= 6
    there = np.isfinite(np.asarray(fat_map.data))
    np.testing.assert_array_equal(there, fat.levels[-1] > 0)
    assert set(np.unique(grade.data[np.isfinite(grade.data)])) <= {0, 1, 2, 3}
    press(form.maps.fat)  # again: in place of the first
    assert len([one for one in viewer.layers if MAP_OF in one.metadata]) == 2
    form.write(tmp_path / "liver.geojson.gz")
    qtbot.waitUntil(lambda: "Saved" in form.panel.status.text(), timeout=WAIT_MS)
    features = json.loads(gzip.decompress((tmp_path / "liver.geojson.gz").read_bytes()))["features"]
    detections = [one for one in features if one["properties"]["objectType"] == "detection"]
    assert len(detections) == len(report.tables["droplets"]["id"])


def test_what_was_painted_counts_and_is_said(window, fat, qtbot):
    viewer, form = window
    single = replace(fat, levels=fat.levels[:1])
    labels = viewer.add_layer(Layer.create(*prediction_over(single, *placed(viewer, fat))))
    labels.data = np.array(labels.data)
    labels.data[600:700, 600:700] = 2
    measure(form, qtbot)
    painted = np.array(fat.levels[0])
    painted[600:700, 600:700] = 2
    expected = st.measure(replace(single, levels=[painted]))
    report = form.measured.report
    assert report["fat_area"].value == pytest.approx(expected["fat_area"].value)
    assert "edited by hand" in form.panel.flags.text()
    assert report.provenance["digest"] != fat.provenance["digest"]
    viewer.layers.remove(labels)
    assert form.measured is None
    assert form.tabs.droplets.model().rowCount() == 0
    press(form.run)
    assert "Analyse slide" in form.panel.flags.text()


def placed(viewer, fat):
    return viewer.add_layer(Layer.create(*slide_layer(fat.slide, "liver"))), fat.slide.frame()


def test_a_report_that_is_there_is_shown_and_a_click_while_drawing_chooses_nothing(
    shown, fat, report, qtbot
):
    viewer, form, labels = shown
    labels.metadata = {"prediction": fat, "report": report}
    assert form.measured is not None
    assert form.tabs.droplets.model().rowCount() == len(report.tables["droplets"]["id"])
    viewer.add_shapes(name="drawing", units=("um", "um")).mode = "add_polygon"
    largest = int(np.argmax(report.tables["droplets"]["diameter_um"]))
    canvas_click(viewer, world_of(labels, fat, report, largest), qtbot)
    assert form.tabs.droplets.droplet is None


def test_a_million_rows_are_sorted_and_read_at_once(qtbot):
    n, random = 1_000_000, np.random.default_rng(0)
    area = random.lognormal(3.5, 1, n)
    table = {
        "id": np.arange(1, n + 1),
        "area_um2": area,
        "diameter_um": 2 * np.sqrt(area / np.pi),
        "roundness": random.random(n),
        "touches_border": random.random(n) < 0.1,
        "y_um": random.random(n),
        "x_um": random.random(n),
    }
    model = DropletModel()
    model.show(table, MACRO_UM2)
    began = time.process_time()
    for column in range(len(COLUMNS)):
        model.sort(column, Qt.SortOrder.DescendingOrder)
        shown = [model.data(model.index(row, column)) for row in range(40)]
        assert len(shown) == 40
    model.sort(1, Qt.SortOrder.AscendingOrder)
    assert (time.process_time() - began) / (len(COLUMNS) + 1) < 0.3
    rows = random.integers(0, n, 50)
    assert [model.row_of(model.droplet_at(int(row))) for row in rows] == rows.tolist()
    sizes = [float(model.data(model.index(row, 1))) for row in range(0, n, 9973)]
    assert sizes == sorted(sizes)


def test_another_cut_gives_what_measuring_gives(report):
    other = with_macro_cut(report, 200.0)
    again = st.measure(report.prediction, macro_um2=200.0)
    assert str(other.measurements) == str(again.measurements)
    for name, column in again.tables["droplets"].items():
        np.testing.assert_array_equal(other.tables["droplets"][name], column)
