"""The form *Quality of a slide* in a viewer: the figures of a script, and a map that lies on the
slide."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Layer
from napari.qt.threading import GeneratorWorker
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

import napari_steatosis as st
from arrays import slide_of
from damaged_liver import blurred, drawn
from napari_steatosis._napari.layers import slide_layer
from napari_steatosis._napari.quality import QualityForm
from napari_steatosis._napari.tissue_layers import FIND
from napari_steatosis.core.geometry import Frame

WAIT_MS = 120_000
SIDE = 1024


@pytest.fixture(scope="module")
def slide():
    left = np.broadcast_to(np.arange(SIDE)[None, :] < SIDE // 2, (SIDE, SIDE))
    return slide_of(blurred(drawn(SIDE, SIDE, seed=3), 5, left))


@pytest.fixture
def form(make_napari_viewer_proxy, qtbot):
    made = QualityForm(make_napari_viewer_proxy())
    qtbot.addWidget(made.native)
    yield made
    made.stop()
    waited(made, qtbot)
    GeneratorWorker.await_workers(WAIT_MS)


def waited(form, qtbot) -> None:
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)


def press(button) -> None:
    QTest.mouseClick(button.native, Qt.MouseButton.LeftButton)


def test_it_says_what_a_script_says(form, slide, qtbot):
    form.viewer.add_layer(Layer.create(*slide_layer(slide, "liver")))
    press(form.judge)
    waited(form, qtbot)
    expected = st.quality(slide)
    assert form.found == expected
    assert form.table.rowCount() == len(expected.aspects)
    rows = {form.table.item(row, 0).text(): row for row in range(form.table.rowCount())}
    shown = form.table.item(rows["Focus"], 2)
    assert shown.text() == expected["focus"].text
    assert shown.toolTip() == "flagged"
    assert "mm²" in form.table.item(rows["Tissue"], 1).text()


def test_the_map_of_the_focus_lies_on_the_slide(form, slide, qtbot):
    image = form.viewer.add_layer(Layer.create(*slide_layer(slide, "liver")))
    image.translate = (100, 200)
    press(form.focus)
    waited(form, qtbot)
    layer = form.layer
    assert layer.name == "out of focus"
    expected = st.focus_map(slide, st.find_tissue(slide))
    assert layer.data == pytest.approx(expected.values, nan_ok=True)
    assert tuple(layer.scale) == pytest.approx((128.0, 128.0))
    assert np.asarray(layer.translate) == pytest.approx(np.array([163.75, 263.75]))
    assert np.nanmin(layer.data[:, :2]) > np.nanmax(layer.data[:, 2:])
    assert layer.colormap.name == "out of focus"
    assert tuple(layer.contrast_limits) == (0.0, 1.0)
    sharp, blurred = layer.colormap.map(np.array([0.3, 0.9]))
    assert sharp[3] == 0
    assert blurred[3] > 0.7
    assert "Done in" in form.panel.status.text()


def test_a_tissue_layer_says_where_it_looks(form, slide, qtbot):
    form.viewer.add_layer(Layer.create(*slide_layer(slide, "liver")))
    right = np.zeros((64, 64), np.uint8)
    right[:, 36:] = 1
    form.viewer.add_labels(right, name="right", scale=(8.0, 8.0), units=("um", "um"))
    form.tissue.value = form.viewer.layers["right"]
    press(form.judge)
    waited(form, qtbot)
    assert form.found["focus"].verdict == "good"
    press(form.focus)
    waited(form, qtbot)
    assert np.isnan(form.layer.data[:, :2]).all()
    assert Frame((8.0, 8.0)).um2_per_px * right.sum() / 1e6 == pytest.approx(
        form.found["tissue"].value
    )


def test_without_a_slide_or_its_size_it_says_what_to_do(form, slide, qtbot):
    press(form.judge)
    assert "Open Sample" in form.panel.flags.text()
    form.viewer.add_layer(Layer.create(*slide_layer(slide_of(drawn(256, 256, seed=3), None))))
    assert form.tissue.value == FIND
    press(form.focus)
    assert "Pixel size" in form.panel.flags.text()
    form.pixel_size.value = 0.5
    press(form.judge)
    waited(form, qtbot)
    assert form.found["focus"].verdict == "good"


@pytest.mark.parametrize("grey", [255, 0, 128])
def test_a_picture_without_tissue_gets_a_reason_and_no_layer(form, grey, qtbot):
    form.viewer.add_layer(Layer.create(*slide_layer(slide_of(np.full((300, 260, 3), grey, "u1")))))
    press(form.judge)
    waited(form, qtbot)
    assert form.found["tissue"].verdict == "flagged"
    press(form.focus)
    waited(form, qtbot)
    assert form.layer is None
    assert len(form.viewer.layers) == 1
    assert "The focus could be judged nowhere: there is no tissue" in form.panel.flags.text()
