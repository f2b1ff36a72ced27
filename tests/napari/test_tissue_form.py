"""The form *Find tissue* in a viewer, and the field *Tissue* of the other forms."""

from __future__ import annotations

import time

import numpy as np
import pytest
from napari.layers import Layer
from napari.qt.threading import GeneratorWorker
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

import napari_steatosis as st
from discs import disc_slide
from napari_steatosis._napari.layers import slide_layer
from napari_steatosis._napari.tissue import OFF, VIEW, WHOLE, TissueForm
from napari_steatosis._napari.tissue_layers import FIND, tissue_in, tissues_among
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.geometry import Frame

WAIT_MS = 240_000


@pytest.fixture
def form(make_napari_viewer_proxy, qtbot):
    made = TissueForm(make_napari_viewer_proxy())
    qtbot.addWidget(made.native)
    yield made
    made.preview.value = OFF
    made.stop()
    qtbot.waitUntil(lambda: not made.is_running, timeout=WAIT_MS)
    GeneratorWorker.await_workers(120_000)


@pytest.fixture
def liver(form):
    slide = st.drawn_liver(2048, 2048, seed=3)
    form.preview.value = OFF
    form.viewer.add_layer(Layer.create(*slide_layer(slide, "liver")))
    return slide


def press(button) -> None:
    QTest.mouseClick(button.native, Qt.MouseButton.LeftButton)


def found(form, qtbot):
    press(form.run)
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
    return form.mask


def previewed(form, qtbot) -> float:
    """Wait for the next preview, and return how long it took, s."""
    before, began = form.previews, time.perf_counter()
    qtbot.waitUntil(lambda: form.previews > before, timeout=WAIT_MS)
    took = time.perf_counter() - began
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
    return took


def test_the_mask_is_that_of_a_script_and_can_be_painted_on(form, liver, qtbot):
    layer = found(form, qtbot)
    mask = st.find_tissue(liver)
    assert isinstance(layer.data, np.ndarray)
    assert not layer.multiscale
    assert layer.editable
    assert np.array_equal(layer.data != 0, mask.values)
    assert tuple(layer.scale) == pytest.approx(mask.frame.um_per_px)
    assert tuple(layer.translate) == pytest.approx(mask.frame.origin_um)
    image = form.viewer.layers["liver"]
    assert tissue_in(layer, image, liver).provenance == mask.provenance
    before = form.area.text()
    assert f"{mask.area_mm2:.3g}"[:3] in before
    layer.selected_label = 0
    layer.brush_size = 100
    layer.paint((len(layer.data) // 2, len(layer.data) // 2), 0)
    qtbot.waitUntil(lambda: form.area.text() != before, timeout=5000)
    after = form.area.text()
    edited = tissue_in(layer, image, liver)
    assert edited.area_mm2 < mask.area_mm2 - 0.02
    assert edited.provenance == {
        "method": "edited",
        "of": mask.provenance,
        "slide": mask.provenance["slide"],
    }
    layer.undo()
    qtbot.waitUntil(lambda: form.area.text() != after, timeout=5000)
    assert form.area.text() == before


def test_the_preview_follows_the_fields_within_half_a_second(form, liver, qtbot):
    form.preview.value = WHOLE
    previewed(form, qtbot)
    layer = form.viewer.layers["tissue preview"]
    usual = np.count_nonzero(layer.data)
    form.sensitivity.value = 0.0
    assert previewed(form, qtbot) < 2  # 0.5 s when nothing else runs
    assert np.count_nonzero(layer.data) < usual
    assert "Preview of the whole slide" in form.panel.status.text()
    form.preview.value = OFF
    qtbot.waitUntil(lambda: "tissue preview" not in form.viewer.layers, timeout=5000)


def test_the_preview_of_a_view_lies_on_it(form, liver, qtbot):
    form.viewer.canvas.size = (200, 300)
    form.viewer.scene.camera.zoom = 1.0
    form.viewer.scene.camera.center = (0, 512.0, 512.0)
    form.preview.value = VIEW
    previewed(form, qtbot)
    layer = form.viewer.layers["tissue preview"]
    low = np.asarray(layer.translate)
    high = low + np.asarray(layer.scale) * (np.asarray(layer.data.shape) - 1)
    assert low == pytest.approx((412, 362), abs=6)
    assert high == pytest.approx((612, 662), abs=6)
    assert layer.data.mean() > 0.9


def test_shapes_are_left_out_and_recorded(form, liver, qtbot):
    inside = np.array([(400, 400), (400, 600), (600, 600), (600, 400)])  # um
    form.viewer.add_shapes([inside], name="tract", units=("um", "um"))
    form.exclude.value = form.viewer.layers["tract"]
    layer = found(form, qtbot)
    assert layer.metadata["tissue"].provenance["less"]["exclude"]["removed_mm2"] > 0.03
    frame = layer.metadata["tissue"].frame
    low, high = (np.rint(frame.to_px((um, um))).astype(int) for um in (420, 580))
    assert not layer.data[low[0] : high[0], low[1] : high[1]].any()


def test_a_dark_slide_says_why_there_is_no_tissue(form, qtbot):
    from dataclasses import replace

    slide = disc_slide()
    slide.source.pixels[:] = 3
    form.preview.value = OFF
    form.viewer.add_layer(Layer.create(*slide_layer(replace(slide, fingerprint="dark"))))
    layer = found(form, qtbot)
    assert not layer.data.any()
    assert "dark all over" in form.panel.flags.text()


def test_without_a_slide_it_says_how_to_open_one(form):
    form.start()
    assert "Open Sample" in form.panel.flags.text()


def test_labels_of_any_scale_are_resampled_and_others_refused(form, liver):
    image = form.viewer.layers["liver"]
    values = np.zeros((100, 100), np.int32)
    values[25:50, 25:50] = 3
    mine = form.viewer.add_labels(values, name="mine", scale=(10.24, 10.24), units=("um", "um"))
    mask = tissue_in(mine, image, liver)
    assert mask.area_mm2 == pytest.approx((25 * 10.24e-3) ** 2)
    assert mask.frame == Frame((10.24, 10.24))
    mine.translate = (900, 0)
    with pytest.raises(BadValueError, match="lies outside the slide"):
        tissue_in(mine, image, liver)
    mine.translate = (0, 0)
    mine.rotate = 30
    with pytest.raises(BadValueError, match="turned"):
        tissue_in(mine, image, liver)


def test_the_field_offers_labels_and_not_the_preview(form, liver, qtbot):
    form.preview.value = WHOLE
    previewed(form, qtbot)
    form.viewer.add_labels(np.zeros((9, 9), int), name="mine")
    form.viewer.add_labels(np.zeros((3, 9, 9), int), name="deep")
    assert [name for name, _ in tissues_among(form.viewer.layers)] == [FIND, "mine"]
