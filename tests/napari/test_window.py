"""A person at a real window: opens the sample, clicks Run, and sees the fat where it is.

The picture in the documentation is made by this test::

    STEATOSIS_PICTURE=docs/images/analyse-form.png pytest tests/napari/test_window.py
"""

from __future__ import annotations

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
from windows import canvas, keep_picture


@pytest.fixture
def window(docked):
    viewer, form = docked("Analyse slide", size=(1600, 1000))
    yield viewer, form
    form.warming.join(240)


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
    with_labels = canvas(viewer, qtbot).astype(int)
    labels.visible = False
    without = canvas(viewer, qtbot).astype(int)
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
    keep_picture(viewer, qtbot)


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
