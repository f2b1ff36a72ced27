"""A person at a real window: what was found is green on screen, and the glass is as it was.

The picture in the documentation is made by this test::

    STEATOSIS_PICTURE=docs/images/tissue-form.png pytest tests/napari/test_tissue_window.py
"""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from scipy.ndimage import binary_dilation, binary_erosion

from napari_steatosis._napari.tissue_layers import OPACITY, TISSUE
from windows import WAIT_MS, canvas, keep_picture


def test_tissue_is_green_and_glass_is_not(docked, qtbot):
    viewer, form = docked("Find tissue")
    (image,) = viewer.open_sample("napari-steatosis", "liver_small")
    qtbot.waitUntil(lambda: form.slide.value is image, timeout=WAIT_MS)
    QTest.mouseClick(form.run.native, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: form.mask is not None and not form.is_running, timeout=WAIT_MS)
    with_mask = canvas(viewer, qtbot).astype(int)
    keep_picture(viewer, qtbot)
    form.mask.visible = False
    without = canvas(viewer, qtbot).astype(int)
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
