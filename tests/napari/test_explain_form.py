"""The form *Explain* in a viewer: a map where it was asked for, and plain words where none is."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Layer
from napari.qt.threading import GeneratorWorker

import napari_steatosis as st
from napari_steatosis._napari.explain import ExplainForm
from napari_steatosis._napari.layers import slide_layer
from napari_steatosis._napari.part_fields import SHAPES
from napari_steatosis._napari.view import camera_of
from napari_steatosis.models import load_model
from napari_steatosis.pipelines.explain import explain
from untrained import untrained_classifier

WAIT_MS = 240_000


@pytest.fixture
def form(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy()
    slide = st.drawn_liver(600, 700, seed=3, um_per_px=0.5, fat_percent=12)
    viewer.add_layer(Layer.create(*slide_layer(slide, "liver")))
    made = ExplainForm(viewer)
    qtbot.addWidget(made.native)
    waited(made, qtbot)
    yield made
    made.stop()
    waited(made, qtbot)
    GeneratorWorker.await_workers(120_000)


def waited(form, qtbot) -> None:
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)


def explained(form, qtbot):
    form.start()
    waited(form, qtbot)
    return form.layer


def test_a_view_is_explained_as_by_a_script_and_lies_on_the_slide(form, qtbot):
    slide = form.slide.value.metadata["slide"]
    form.viewer.canvas.size = (200, 240)
    camera_of(form.viewer).zoom = 2.0
    camera_of(form.viewer).center = (0, 150, 170)  # um
    layer = explained(form, qtbot)
    low = np.asarray(layer.translate)
    assert low == pytest.approx((100, 110), abs=1)
    assert np.asarray(layer.data.shape) * layer.scale == pytest.approx((100, 120), abs=2)
    start = np.rint(slide.frame().to_px(low)).astype(int)
    size = layer.data.shape
    region = st.Region(y=int(start[0]), x=int(start[1]), height=size[0], width=size[1])
    same = explain(slide, load_model("steatosis-he"), region=region, target="fat")
    assert layer.data == pytest.approx(same.values, abs=1e-4)
    assert layer.name == "grad-cam: fat · steatosis-he"
    assert "Done in" in form.panel.status.text()


def test_outside_of_shapes_the_map_is_clear(form, qtbot):
    corner = np.array([(100, 100), (100, 180), (180, 100)])  # um: half of a square
    form.viewer.add_shapes([corner], shape_type="polygon", name="part", units=("um", "um"))
    form.part.region.value = SHAPES
    form.method.value = "grad-cam++"
    layer = explained(form, qtbot)
    assert layer.data.shape == pytest.approx((160, 160), abs=2)
    assert np.isfinite(layer.data[5, 5])
    assert np.isnan(layer.data[-5, -5])
    assert np.isnan(layer.data).mean() == pytest.approx(0.5, abs=0.02)
    assert layer.colormap.map(np.float32([np.nan]))[0, 3] == 0


def test_a_map_is_tested_and_the_figure_shown(form, qtbot):
    corner = np.array([(100, 100), (100, 150), (150, 150), (150, 100)])  # um
    form.viewer.add_shapes([corner], shape_type="polygon", name="part", units=("um", "um"))
    form.part.region.value = SHAPES
    assert form.tested.whole.isNull()
    form.test.value = True
    explained(form, qtbot)
    assert form.tested.whole.width() > 1000
    assert form.tested.isVisibleTo(form.native)
    assert "random blotches" in form.panel.status.text()
    form.test.value = False
    explained(form, qtbot)
    assert not form.tested.isVisibleTo(form.native)


def test_a_model_says_what_it_offers(form, qtbot, tmp_path):
    assert form.method.choices == ("grad-cam", "grad-cam++")
    form.model.offer(untrained_classifier(tmp_path / "m"))
    waited(form, qtbot)
    assert form.target.choices == ("calm", "busy", "torn")
    form.model.offer("white-regions-drawn")
    waited(form, qtbot)
    assert not form.run.enabled
    assert "no network of this package" in form.panel.flags.text()
    form.model.value = "steatosis-he"
    waited(form, qtbot)
    assert form.run.enabled
    assert not form.panel.flags.isVisibleTo(form.native)


def test_shapes_that_are_missing_are_asked_for(form):
    form.part.region.value = SHAPES
    form.start()
    assert "Shapes layer, but none" in form.panel.flags.text()
