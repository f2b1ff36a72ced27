"""The whole loop in a window: annotate, train on it, and use the model in the view.

The pictures in the documentation are made by this test::

    STEATOSIS_PICTURES=docs/images pytest -m slow tests/napari/test_annotate_train_predict.py
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtGui import QGuiApplication

from napari_steatosis._napari.part_fields import VIEW
from napari_steatosis._napari.training_steps import AUTO
from napari_steatosis._napari.view import camera_of

PICTURES = os.environ.get("STEATOSIS_PICTURES")
WAIT_MS = 600_000


def dock(viewer, name: str):
    return viewer.window.add_plugin_dock_widget("napari-steatosis", name, tabify=True)


def picture(viewer, qtbot, name: str) -> None:
    if PICTURES:
        qtbot.wait(800)
        viewer.screenshot(str(Path(PICTURES) / name), canvas_only=False, flash=False)


@pytest.fixture
def viewer(make_napari_viewer, qtbot):
    if QGuiApplication.platformName() in ("offscreen", "minimal"):
        pytest.skip("this Qt platform draws no canvas; use xcb under Xvfb")
    made = make_napari_viewer(show=True)
    made.window.resize(1500, 950)
    made.open_sample("napari-steatosis", "liver_small")
    qtbot.wait(1000)  # it is drawn, as it is before somebody opens a form
    return made


def annotate(viewer, qtbot, folder: Path) -> None:
    """Correct what the model finds in three views, of three patients."""
    _, form = dock(viewer, "Annotate")
    form.begin_with.value, form.folder.value = "steatosis-he", folder
    for number, centre in enumerate(((300, 300), (600, 600), (300, 650)), start=1):
        camera_of(viewer).zoom, camera_of(viewer).center = 4.0, (0, *centre)
        form.part.region.value, form.patient.value = VIEW, f"P{number}"
        qtbot.wait(500)
        form.start()
        qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
        layer = form.labels.value
        layer.paint((40, 40), 2)
        layer.paint((80, 80), 0)
        form.save_annotation()
        qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
        assert form.saved.count() == number, form.panel.flags.text()
        if number == 3:
            picture(viewer, qtbot, "annotate-form.png")
        layer.visible = False


@pytest.mark.slow
def test_annotate_train_predict(viewer, qtbot, tmp_path):
    annotate(viewer, qtbot, tmp_path / "mine")
    image = viewer.layers[0]

    _, form = dock(viewer, "Train a model")
    assert str(form.data.value) == str(tmp_path / "mine")
    form.architecture.value, form.judged_on.value = "steatosis-he", AUTO
    form.folder.value = tmp_path / "model"
    form.epochs.value, form.batch.value = 3, 4
    form.start()
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
    assert form.trained == tmp_path / "model", form.panel.flags.text()
    assert len(form.curves.scores) == 3
    assert form.curves.scores[-1][1] > 0.8
    picture(viewer, qtbot, "train-form.png")
    form.start()
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
    assert "holds a model already" in form.panel.flags.text()

    _, analyse = dock(viewer, "Analyse slide")
    assert str(tmp_path / "model") in analyse.model.choices
    analyse.model.value, analyse.part.region.value = str(tmp_path / "model"), "Current view"
    analyse.start()
    qtbot.waitUntil(lambda: not analyse.is_running, timeout=WAIT_MS)
    analyse.warming.join(240)
    assert analyse.report is not None, analyse.panel.flags.text()
    assert analyse.report["fat_area_fraction"].value > 1
    assert image in viewer.layers
    assert np.count_nonzero(np.asarray(analyse.labels.data[0]) == 2) > 1000
