"""The form *Classify slide*, and class maps and probabilities as layers."""

from __future__ import annotations

import numpy as np
import pandas
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from napari.qt.threading import GeneratorWorker
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

import napari_steatosis as st
from discs import disc_slide
from napari_steatosis._napari.classify import ClassifyForm
from napari_steatosis._napari.files import read
from napari_steatosis._napari.layers import prediction_layer, prediction_over, slide_layer
from napari_steatosis._napari.probability_layers import probabilities_over, probability_layers
from napari_steatosis._napari.save import write_bundle
from napari_steatosis.core.errors import BadValueError
from untrained import untrained_classifier
from window_classifier import WindowClassifier, probabilities, spec

WAIT_MS = 240_000
NAMES = ["calm: p × 255 · discs.svs", "busy: p × 255 · discs.svs", "torn: p × 255 · discs.svs"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return untrained_classifier(tmp_path_factory.mktemp("models") / "untrained")


@pytest.fixture
def form(make_napari_viewer_proxy, qtbot, folder):
    made = ClassifyForm(make_napari_viewer_proxy())
    qtbot.addWidget(made.native)
    made.viewer.add_layer(Layer.create(*slide_layer(disc_slide(700, 600))))
    made.model.value = folder
    yield made
    made.stop()
    qtbot.waitUntil(lambda: not made.is_running, timeout=WAIT_MS)
    made.warming.join(240)
    GeneratorWorker.await_workers(WAIT_MS)


def click(button) -> None:
    QTest.mouseClick(button.native, Qt.MouseButton.LeftButton)


def finish(form, qtbot) -> None:
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)


def errors_shown() -> list[str]:
    return [n.message for n in notification_manager.records if n.severity == "error"]


def test_a_run_gives_layers_and_the_numbers_of_a_script(form, qtbot, folder, tmp_path):
    form.step.value = 32
    form.folder.value = tmp_path
    click(form.run)
    finish(form, qtbot)
    assert not form.panel.flags.isVisible()
    slide = disc_slide(700, 600)
    model = st.load_model(folder)
    scripted = st.classify(slide, model, within=st.find_tissue(slide), step_px=32)
    for key in ("digest", "content"):
        assert form.report.provenance[key] == scripted.provenance[key]
    assert [layer.name for layer in form.viewer.layers] == [
        "discs.svs",
        *NAMES,
        "classes: discs.svs",
    ]
    labels = form.viewer.layers["classes: discs.svs"]
    assert np.array_equal(np.asarray(labels.data[:]), np.asarray(scripted.levels[0][:]))
    for index, name in enumerate(NAMES):
        image = form.viewer.layers[name]
        assert tuple(image.contrast_limits) == (0, 255)
        assert image.visible == (index == 2)
        assert tuple(image.scale) == (16, 16)
        assert np.array_equal(np.asarray(image.data[:]), probabilities(scripted)[index])
        assert image.metadata["prediction"] is form.report.prediction
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"discs.zarr", "discs_classes.csv", "discs_classes_summary.csv",
                     "discs_classes.json"}  # fmt: skip
    first = form.report.provenance["content"]
    click(form.run)  # everything is there already
    finish(form, qtbot)
    assert form.report.provenance["content"] == first


def test_what_is_missing_or_wrong_is_said(form, qtbot):
    form.model.value = None
    with pytest.raises(BadValueError, match="no classifier"):
        form.request()
    click(form.run)
    assert "no classifier" in errors_shown()[-1]
    assert not form.is_running
    form.model.value = st.models.shipped_folder("steatosis-he")
    click(form.run)
    finish(form, qtbot)
    assert "is for segmentation" in form.panel.flags.text()
    assert [layer.name for layer in form.viewer.layers] == ["discs.svs"]


def test_a_step_that_does_not_divide_the_window_is_explained(form, qtbot):
    form.step.value = 30
    click(form.run)
    finish(form, qtbot)
    assert "Choose one of: 64, 32, 16" in form.panel.flags.text()


def test_cancelled_before_the_first_cells_no_empty_layers_stay(form, qtbot):
    click(form.run)
    click(form.cancel)
    finish(form, qtbot)
    assert form.report is None
    assert [layer.name for layer in form.viewer.layers] == ["discs.svs"]


def test_tables_can_be_saved_later(form, qtbot, tmp_path):
    click(form.run)
    finish(form, qtbot)
    form.write_report(tmp_path)
    finish(form, qtbot)
    rows = pandas.read_csv(tmp_path / "discs_classes.csv")
    assert rows["cells"].sum() == form.report.provenance["cells"]


# Layers without a window

STEPS = [(64, 64), (64, 16), (8, 2)]


@pytest.mark.parametrize(("tile", "step"), STEPS)
@pytest.mark.parametrize("moved", [False, True])
def test_probabilities_lie_exactly_over_the_slide(tile, step, moved):
    slide = disc_slide()
    found = st.classify(slide, WindowClassifier(spec(tile)), step_px=step)
    image = Layer.create(*slide_layer(slide))
    if moved:
        image.scale, image.translate, image.rotate = (2, 2), (100, -30), 30
    over = [Layer.create(*data) for data in probabilities_over(found, image, slide.frame())]
    labels = Layer.create(*prediction_over(found, image, slide.frame()))
    for layer in (*over, labels):
        for cell in ((0, 0), (3, 5), (17, 2)):
            middle = np.multiply(cell, step) + (step - 1) / 2  # px of the slide
            away = np.subtract(layer.data_to_world(cell), image.data_to_world(middle))
            assert np.abs(away).max() < 1e-6
        assert layer.units == image.units


@pytest.mark.parametrize(("tile", "step"), STEPS)
def test_a_stored_classification_is_shown_with_its_probabilities(tile, step, tmp_path):
    slide = disc_slide()
    place = tmp_path / "a.zarr"
    found = st.classify(slide, WindowClassifier(spec(tile)), step_px=step, store=place)
    viewer = ViewerModel()
    layers = [viewer.add_layer(Layer.create(*data)) for data in read(str(place))]
    assert [type(layer) for layer in layers] == [Image, Image, Image, Labels]
    assert [layer.multiscale for layer in layers] == [step == 2] * 4
    for index, layer in enumerate(layers[:3]):
        finest = layer.data[0] if layer.multiscale else layer.data
        assert np.array_equal(np.asarray(finest[:]), probabilities(found)[index])
        assert np.allclose(layer.data_to_world((0, 0)), found.frame.origin_um, atol=1e-9)
        assert np.allclose(layer.scale, found.frame.um_per_px, atol=1e-9)
    assert layers[0].get_value((300, 300), world=True) is None  # hidden
    layers[0].visible = True
    assert layers[0].get_value((300, 300), world=True) is not None


def test_a_class_is_drawn_as_opaque_as_it_is_probable():
    found = st.classify(disc_slide(), WindowClassifier())
    layer = Layer.create(*probability_layers(found)[2])
    rgba = layer.colormap.map([0.0, 0.5, 1.0])
    assert np.allclose(rgba[:, 3], [0, 0.5, 1], atol=0.01)
    assert np.allclose(rgba[0, :3], rgba[2, :3])


def test_probabilities_that_are_saved_with_their_slide_stay_in_the_store(tmp_path):
    slide = disc_slide()
    found = st.classify(slide, WindowClassifier(), step_px=32, store=tmp_path / "a.zarr")
    data = [slide_layer(slide), *probability_layers(found), prediction_layer(found)]
    layers = [Layer.create(*one).as_layer_data_tuple() for one in data]
    write_bundle(str(tmp_path / "saved.ome.zarr"), layers)
    again = st.open_results(tmp_path / "saved.ome.zarr", "classes")
    assert np.array_equal(np.asarray(again.levels[0][:]), np.asarray(found.levels[0][:]))
    assert again.classes == found.classes
    assert again.frame == found.frame
