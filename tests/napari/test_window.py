"""A person at a real window: opens the sample, clicks Run, and sees the fat where it is.

The picture in the documentation is made by this test::

    STEATOSIS_PICTURE=docs/images/analyse-form.png pytest tests/napari/test_window.py
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from napari.qt.threading import GeneratorWorker
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from scipy.ndimage import binary_dilation, binary_erosion

import napari_steatosis as st
from napari_steatosis._napari.layers import OPACITY
from napari_steatosis._napari.sample_data import SEED, SIDE_PX
from napari_steatosis.io._palette import CLASS_COLOURS

PICTURE = os.environ.get("STEATOSIS_PICTURE")
"""Where to keep a picture of the window after the run."""


@pytest.fixture
def window(make_napari_viewer, qtbot):
    """A viewer on screen, with the form docked by the plugin's own manifest."""
    if os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal"):
        pytest.skip("this Qt platform draws no canvas; use xcb under Xvfb")
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1600, 1000)
    _, form = viewer.window.add_plugin_dock_widget("napari-steatosis", "Analyse slide")
    yield viewer, form
    form.stop()
    qtbot.waitUntil(lambda: not form.is_running, timeout=240_000)
    form.warming.join(240)


def canvas(viewer, qtbot) -> np.ndarray:
    qtbot.wait(500)
    return viewer.screenshot(flash=False)[..., :3].astype(int)


def pixel_of_slide(viewer, image, shape) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of the slide under the centre of each pixel of the canvas."""
    camera = viewer.scene.camera
    places = []
    for axis in range(2):
        on_canvas = np.arange(shape[axis]) + 0.5 - shape[axis] / 2
        world = camera.center[1 + axis] + on_canvas / camera.zoom
        places.append(np.rint(world / image.scale[axis]).astype(int))
    return np.meshgrid(*places, indexing="ij")


def test_open_the_sample_click_run_and_see_the_fat(window, qtbot):
    viewer, form = window
    (image,) = viewer.open_sample("napari-steatosis", "liver_small")
    qtbot.waitUntil(lambda: form.slide.value is image, timeout=60_000)
    QTest.mouseClick(form.run.native, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not form.is_running and form.report is not None, timeout=240_000)

    scripted = st.analyse(st.drawn_liver(SIDE_PX, SIDE_PX, seed=SEED))
    for key in ("digest", "content"):
        assert form.report.provenance[key] == scripted.provenance[key]
    for row, measurement in enumerate(scripted.measurements):
        assert form.panel.table.item(row, 0).toolTip().startswith(measurement.name)
        assert form.report[measurement.name].value == pytest.approx(measurement.value)
    assert form.panel.table.rowCount() == len(scripted.measurements)

    labels = viewer.layers["fat: drawn liver (small)"]
    viewer.scene.camera.zoom = 4.0  # two pixels of the canvas per pixel of the slide
    with_labels = canvas(viewer, qtbot)
    labels.visible = False
    without = canvas(viewer, qtbot)
    rows, columns = pixel_of_slide(viewer, image, without.shape[:2])
    labels.visible = True
    viewer.reset_view()

    classes = np.asarray(scripted.prediction.levels[0])
    fat = classes == scripted.prediction.value_of("fat")
    surely, possibly = binary_erosion(fat, iterations=2), binary_dilation(fat, iterations=2)
    inside = surely[rows, columns]
    outside = ~possibly[rows, columns]
    assert inside.sum() > 2000
    assert outside.sum() > 20_000
    colour = np.asarray(CLASS_COLOURS["fat"][:3])
    expected = OPACITY * colour + (1 - OPACITY) * without
    assert np.abs(with_labels - expected)[inside].max() <= 6
    assert np.abs(with_labels - without)[outside].max() <= 2
    if PICTURE:
        qtbot.wait(500)
        viewer.screenshot(PICTURE, canvas_only=False, flash=False)


def test_closing_the_window_in_the_middle_ends_the_run(make_napari_viewer, qtbot, tmp_path):
    viewer = make_napari_viewer(show=True)
    _, form = viewer.window.add_plugin_dock_widget("napari-steatosis", "Analyse slide")
    viewer.open_sample("napari-steatosis", "liver_large")
    form.folder.value = tmp_path
    form.start()
    qtbot.waitUntil(lambda: form.tiles_done > 0, timeout=240_000)
    form.warming.join(240)
    viewer.close()
    GeneratorWorker.await_workers(120_000)
    (store,) = tmp_path.glob("*.zarr")
    stored = st.open_results(store)
    assert np.asarray(stored.levels[0]).any()
