"""Zones and nuclei in the form *Measure*, at a real window."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from napari.layers import Layer
from napari.qt.threading import GeneratorWorker
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

import napari_steatosis as st
from arrays import slide_of
from napari_steatosis._napari.layers import prediction_over, slide_layer
from napari_steatosis._napari.measure_tabs import ZONES
from napari_steatosis.core.prediction import Prediction
from napari_steatosis.imaging import mask_of_polygons
from napari_steatosis.pipelines.hepatocytes import find_hepatocytes
from napari_steatosis.quantify import Landmarks

WAIT_MS = 120_000
SIDE = 640
PORTAL, CENTRAL = (100, 100), (500, 520)


@pytest.fixture(scope="module")
def fat():
    source = st.drawn_liver(SIDE, SIDE, seed=5, fat_percent=10, glass=False).source
    slide = slide_of(source.read(0, source.bounds), 0.5)
    classes = source.truth(source.bounds)
    return Prediction("fat", [classes, classes[::2, ::2]], ("tissue", "fat"), slide.frame(),
                      {"digest": "ab"}, slide=slide)  # fmt: skip


@pytest.fixture
def shown(make_napari_viewer, fat, qtbot):
    if os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal"):
        pytest.skip("this Qt platform draws no canvas; use xcb under Xvfb")
    viewer = make_napari_viewer(show=True)
    _, form = viewer.window.add_plugin_dock_widget("napari-steatosis", "Measure")
    image = viewer.add_layer(Layer.create(*slide_layer(fat.slide, "liver")))
    image.translate = (100, 50)
    labels = viewer.add_layer(Layer.create(*prediction_over(fat, image, fat.slide.frame())))
    qtbot.waitUntil(lambda: form.labels.value is labels)
    yield viewer, form, labels
    form.stop()
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
    GeneratorWorker.await_workers(WAIT_MS)


def square(y, x, half=15.0):
    return np.array([(y - half, x - half), (y - half, x + half), (y + half, x + half),
                     (y + half, x - half)])  # fmt: skip


def draw(viewer, labels, places, classes=None, name="vessels"):
    """Draw squares around places, px of the labels."""
    features = None if classes is None else {"class": classes}
    own = {key: getattr(labels, key) for key in ("scale", "translate", "units")}
    shapes = [square(*place) for place in places]
    return viewer.add_shapes(shapes, shape_type="polygon", features=features, name=name, **own)


def press(button) -> None:
    QTest.mouseClick(button.native, Qt.MouseButton.LeftButton)


def measured(form, qtbot):
    press(form.run)
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
    return form.measured


def landmarks(fat):
    masks = [
        mask_of_polygons([fat.frame.to_um(square(*one))], um_per_px=1.0)
        for one in (PORTAL, CENTRAL)
    ]
    return Landmarks(*masks)


def test_zones_and_nuclei_are_those_of_a_script(shown, fat, qtbot):
    viewer, form, labels = shown
    assert not form.maps.zones.enabled
    both = draw(viewer, labels, [PORTAL, CENTRAL], ["Portal tract", "central"])
    form.findings.portal.value = form.findings.central.value = both
    form.findings.hepatocytes.value = "nuclei"
    report = measured(form, qtbot).report
    nuclei = find_hepatocytes(fat)
    expected = st.measure(fat, landmarks=landmarks(fat), nuclei=nuclei)
    for one in expected.measurements:
        assert report[one.name].value == pytest.approx(one.value, rel=1e-3, nan_ok=True), one.name
    rows = form.tabs.zones.rows
    assert form.tabs.isTabEnabled(ZONES)
    titles = [rows.item(row, 0).text() for row in range(rows.rowCount())]
    assert titles == ["1, periportal", "2, mid-zonal", "3, centrilobular"]
    assert "Fat in zone 3 over zone 1" in form.tabs.zones.ratio.text()

    press(form.maps.zones)
    layer = next(one for one in viewer.layers if one.name.startswith("zones"))
    values, frame = expected.maps["zones"].levels[0], expected.maps["zones"].frame
    np.testing.assert_array_equal(layer.data, values)
    row, column = np.argwhere(values == 3)[5]
    at = fat.frame.to_px(frame.to_um((row, column)))
    assert layer.get_value(labels.data_to_world(at), world=True) == 3
    press(form.maps.nuclei)
    points = next(one for one in viewer.layers if one.name.startswith("nuclei"))
    assert layer.visible
    assert len(points.data) == len(nuclei.table["y_um"])
    world = [points.data_to_world(one) for one in points.data[:5]]
    own = [labels.data_to_world(fat.frame.to_px((y, x))) for y, x in
           zip(nuclei.table["y_um"][:5], nuclei.table["x_um"][:5], strict=True)]  # fmt: skip
    np.testing.assert_allclose(world, own, atol=1e-6)
    assert points.features["with fat"].tolist() == nuclei.table["with_fat"].tolist()


def test_one_kind_gives_rings_and_squares_look_at_no_nucleus(shown, qtbot):
    viewer, form, labels = shown
    form.findings.central.value = draw(viewer, labels, [CENTRAL])
    report = measured(form, qtbot).report
    assert "hepatocytes" not in report.tables
    assert not form.maps.nuclei.enabled
    title = form.tabs.zones.rows.item(1, 0).text()
    assert title == "100 to 200 µm from the nearest central region"
    assert not form.tabs.zones.ratio.text()
    assert "not zones 1 to 3" in form.panel.flags.text()


def masks_of(form, labels, fat):
    from napari_steatosis._napari.landmarks import Place

    return form.findings.landmarks(Place(labels, fat.frame, fat.slide))


def middles_um(mask):
    rows, columns = np.nonzero(mask.values)
    return mask.frame.to_um((rows.mean(), columns.mean()))


def test_points_labels_and_a_file_mean_the_same_places(shown, fat, tmp_path):
    viewer, form, labels = shown
    own = {key: getattr(labels, key) for key in ("scale", "translate", "units")}
    both = {"class": ["Portal tract", "central"]}
    points = viewer.add_points([PORTAL, CENTRAL], features=both, name="clicked", **own)
    painted = np.zeros(fat.shape, np.uint8)
    for value, (y, x) in enumerate((PORTAL, CENTRAL), start=3):
        painted[y - 15 : y + 16, x - 15 : x + 16] = value
    classes = {"index": [3, 4], "class": both["class"]}
    brushed = viewer.add_labels(painted, features=classes, name="painted", **own)
    drawn = draw(viewer, labels, [PORTAL, CENTRAL], both["class"])
    file = tmp_path / "vessels.geojson"
    rings = [square(*place)[[0, 1, 2, 3, 0], ::-1] + 0.5 for place in (PORTAL, CENTRAL)]
    file.write_text(json.dumps([
        {"type": "Feature",
         "geometry": {"type": "Polygon", "coordinates": [ring.tolist()]},
         "properties": {"objectType": "annotation", "classification": {"name": name}}}
        for ring, name in zip(rings, both["class"], strict=True)
    ]))  # fmt: skip
    for chosen in (points, brushed, drawn, file):
        for field in (form.findings.portal, form.findings.central):
            if chosen is file:
                field.offer(file)
            else:
                field.value = chosen
        found = masks_of(form, labels, fat)
        for mask, place in ((found.portal, PORTAL), (found.central, CENTRAL)):
            np.testing.assert_allclose(middles_um(mask), fat.frame.to_um(place), atol=2.5)


def test_what_the_plugin_made_is_no_landmark(shown):
    _, form, labels = shown
    names = [name for name, _ in form.findings.portal._all()]
    assert labels.name not in names
    assert names[-1] == "GeoJSON file…"


def test_an_empty_layer_is_told(shown):
    viewer, form, _ = shown
    form.findings.central.value = viewer.add_points(ndim=2, name="nothing")
    press(form.run)
    assert "'nothing' is empty" in form.panel.flags.text()


def test_a_layer_whose_classes_lack_the_kind_is_told(shown):
    viewer, form, labels = shown
    form.findings.portal.value = draw(viewer, labels, [CENTRAL], ["central"])
    press(form.run)
    assert not form.is_running
    assert "nothing in it is portal" in form.panel.flags.text()
