"""The form *Annotate* in a viewer: labels that lie on the slide, painted, saved and read back."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Layer
from napari.qt.threading import GeneratorWorker

import napari_steatosis as st
from napari_steatosis._napari.annotate import AnnotateForm
from napari_steatosis._napari.layers import slide_layer
from napari_steatosis._napari.part_fields import SHAPES
from napari_steatosis._napari.recent import ANNOTATED
from napari_steatosis._napari.view import camera_of

WAIT_MS = 240_000


@pytest.fixture
def form(make_napari_viewer_proxy, qtbot, monkeypatch, tmp_path):
    monkeypatch.setattr(ANNOTATED, "folders", [])
    viewer = make_napari_viewer_proxy()
    slide = st.drawn_liver(1200, 1000, seed=3, um_per_px=0.25, fat_percent=12)
    viewer.add_layer(Layer.create(*slide_layer(slide, "liver")))
    made = AnnotateForm(viewer)
    qtbot.addWidget(made.native)
    made.folder.value, made.patient.value = tmp_path / "mine", "P1"
    box = np.array([(50, 60), (50, 140), (120, 140), (120, 60)])  # um
    viewer.add_shapes([box], shape_type="rectangle", name="part", units=("um", "um"))
    made.part.region.value = SHAPES
    yield made
    made.stop()
    waited(made, qtbot)
    GeneratorWorker.await_workers(120_000)


def waited(form, qtbot) -> None:
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)


def annotated(form, qtbot):
    form.start()
    waited(form, qtbot)
    return form.labels.value


def saved(form, qtbot):
    form.save_annotation()
    waited(form, qtbot)
    assert not form.panel.flags.isVisibleTo(form.native), form.panel.flags.text()
    return st.open_dataset(form.folder.value)


def test_labels_lie_on_the_part_and_what_is_painted_is_saved(form, qtbot):
    layer = annotated(form, qtbot)
    assert isinstance(layer.data, np.ndarray)
    assert layer.editable
    assert (layer.mode, layer.selected_label) == ("paint", 2)
    assert layer.data.shape == (140, 160)
    assert tuple(layer.scale) == pytest.approx((0.5, 0.5))
    assert np.asarray(layer.translate) == pytest.approx((50, 60), abs=0.5)
    layer.brush_size = 20
    layer.paint((70, 80), 2)
    layer.paint((20, 20), 1)
    data = saved(form, qtbot)
    (sample,) = data
    assert data.classes == ("tissue", "fat")
    assert (sample.patient, sample.stain, sample.um_per_px) == ("P1", "H&E", 0.5)
    assert np.array_equal(sample.mask() == 1, layer.data == 2)
    assert np.array_equal(sample.mask() == 255, layer.data == 0)
    slide = form.slide.value.metadata["slide"]
    y, x = np.rint(slide.at(0.5).frame.to_px(layer.translate)).astype(int)
    region = st.Region(y=int(y), x=int(x), height=140, width=160)
    assert np.array_equal(sample.image(), slide.at(0.5).read(region))
    assert ANNOTATED.folders == [str(form.folder.value)]


def test_a_part_without_fat_is_not_read_as_fat_where_nothing_was_said(form, qtbot):
    layer = annotated(form, qtbot)
    layer.paint((70, 80), 1)
    (sample,) = saved(form, qtbot)
    assert set(np.unique(sample.mask())) == {0, 255}
    layer.paint((30, 30), 2)
    (sample,) = saved(form, qtbot)  # the same part again replaces what was saved
    assert set(np.unique(sample.mask())) == {0, 1, 255}
    assert form.saved.count() == 1


def test_the_model_begins_and_points_are_saved_with_their_labels(form, qtbot):
    form.begin_with.value = "steatosis-he"
    layer = annotated(form, qtbot)
    assert set(np.unique(layer.data)) == {1, 2}
    slide = form.slide.value.metadata["slide"]
    report = st.analyse(slide, model="steatosis-he")
    truth, place = report.prediction, layer.metadata["annotation"].region
    same = np.asarray(truth.levels[0][place.slices])
    assert (same[same > 0] == layer.data[same > 0]).mean() > 0.999
    form.set_points()
    points = form.points.value
    points.add([[30, 40], [90.5, 20]])
    (sample,) = saved(form, qtbot)
    marks = sample.points()
    assert marks.places.tolist() == [[30, 40], [90.5, 20]]
    assert marks.labels == ("fat", "fat")


def test_what_cannot_be_saved_is_said(form, qtbot):
    form.save_annotation()
    assert "There is no annotation" in form.panel.flags.text()
    layer = annotated(form, qtbot)
    form.save_annotation()
    waited(form, qtbot)
    assert "Nothing is annotated" in form.panel.flags.text()
    layer.paint((70, 80), 3)
    form.save_annotation()
    waited(form, qtbot)
    assert "holds the label 3" in form.panel.flags.text()
    form.patient.value = " "
    form.save_annotation()
    assert "whose tissue it is" in form.panel.flags.text()
    form.classes.value = "fat"
    form.start()
    assert "two classes or more" in form.panel.flags.text()


def test_the_view_is_annotated_where_no_shapes_are_chosen(form, qtbot):
    form.part.region.value = "Current view"
    form.viewer.canvas.size = (200, 300)
    camera_of(form.viewer).zoom = 4.0
    camera_of(form.viewer).center = (0, 150, 120)
    layer = annotated(form, qtbot)
    assert layer.data.shape == pytest.approx((100, 150), abs=2)
    assert np.asarray(layer.translate) == pytest.approx((125, 82.5), abs=0.6)
