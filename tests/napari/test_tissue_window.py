"""A person at a real window: what was found is green on screen, and the glass is as it was.

The picture in the documentation is made by this test::

    STEATOSIS_PICTURE=docs/images/tissue-form.png pytest tests/napari/test_tissue_window.py
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from napari.qt.threading import GeneratorWorker
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from scipy.ndimage import binary_dilation, binary_erosion

from napari_steatosis._napari.tissue_layers import OPACITY, TISSUE

PICTURE = os.environ.get("STEATOSIS_PICTURE")
"""Where to keep a picture of the window."""
WAIT_MS = 120_000


@pytest.fixture
def window(make_napari_viewer, qtbot):
    """A viewer on screen, with the form docked by the plugin's own manifest."""
    if os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal"):
        pytest.skip("this Qt platform draws no canvas; use xcb under Xvfb")
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1500, 950)
    _, form = viewer.window.add_plugin_dock_widget("napari-steatosis", "Find tissue")
    yield viewer, form
    form.stop()
    qtbot.waitUntil(lambda: not form.is_busy, timeout=WAIT_MS)
    GeneratorWorker.await_workers(WAIT_MS)


def canvas(viewer, qtbot) -> np.ndarray:
    qtbot.wait(500)
    return viewer.screenshot(flash=False)[..., :3].astype(int)


def test_tissue_is_green_and_glass_is_not(window, qtbot):
    viewer, form = window
    (image,) = viewer.open_sample("napari-steatosis", "liver_small")
    qtbot.waitUntil(lambda: form.slide.value is image, timeout=WAIT_MS)
    QTest.mouseClick(form.run.native, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: form.mask is not None and not form.is_busy, timeout=WAIT_MS)
    with_mask = canvas(viewer, qtbot)
    if PICTURE:
        viewer.screenshot(PICTURE, canvas_only=False, flash=False)
    form.mask.visible = False
    without = canvas(viewer, qtbot)
    camera, layer = viewer.scene.camera, form.mask
    index = []
    for axis in range(2):
        on_canvas = np.arange(without.shape[axis]) + 0.5 - without.shape[axis] / 2
        world = camera.center[1 + axis] + on_canvas / camera.zoom
        own = np.rint((world - layer.translate[axis]) / layer.scale[axis]).astype(int)
        index.append(np.clip(own, 0, layer.data.shape[axis] - 1))
    rows, columns = np.ix_(*index)
    tissue = layer.data != 0
    inside = binary_erosion(tissue, iterations=2)[rows, columns]
    outside = ~binary_dilation(tissue, iterations=2)[rows, columns]
    assert inside.mean() > 0.2
    green = 255 * np.asarray(TISSUE[:3])
    expected = OPACITY * green + (1 - OPACITY) * without
    assert np.abs(with_mask - expected)[inside].max() <= 6
    assert np.abs(with_mask - without)[outside].max() <= 2
