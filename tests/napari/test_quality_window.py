"""A person at a real window: the blurred half of a slide is under colour, the sharp one as it was.

The picture in the documentation is made by this test::

    STEATOSIS_PICTURE=docs/images/quality-form.png pytest tests/napari/test_quality_window.py
"""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Layer
from napari.qt.threading import GeneratorWorker
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from arrays import slide_of
from damaged_liver import blurred, drawn
from napari_steatosis._napari.layers import slide_layer

PICTURE = os.environ.get("STEATOSIS_PICTURE")
"""Where to keep a picture of the window."""
WAIT_MS = 120_000
SIDE = 1280


@pytest.fixture
def window(make_napari_viewer, qtbot):
    """A viewer on screen, with the form docked by the plugin's own manifest."""
    if os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal"):
        pytest.skip("this Qt platform draws no canvas; use xcb under Xvfb")
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1500, 950)
    _, form = viewer.window.add_plugin_dock_widget("napari-steatosis", "Quality of a slide")
    yield viewer, form
    form.stop()
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
    GeneratorWorker.await_workers(WAIT_MS)


def half_blurred():
    left = np.broadcast_to(np.arange(SIDE)[None, :] < SIDE // 2, (SIDE, SIDE))
    slide = slide_of(blurred(drawn(SIDE, SIDE, seed=3), 5, left))
    said = "drawn at this pixel size"
    return replace(slide, path="liver, left half out of focus", scale_source=said)


def test_what_is_out_of_focus_is_coloured_and_the_rest_is_clear(window, qtbot):
    viewer, form = window
    image = viewer.add_layer(Layer.create(*slide_layer(half_blurred())))
    qtbot.waitUntil(lambda: form.slide.value is image, timeout=WAIT_MS)
    for button in (form.judge, form.focus):
        QTest.mouseClick(button.native, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
    viewer.reset_view()
    qtbot.wait(500)
    shown = viewer.screenshot(flash=False)[..., :3].astype(int)
    if PICTURE:
        viewer.screenshot(PICTURE, canvas_only=False, flash=False)
    form.layer.visible = False
    qtbot.wait(200)
    bare = viewer.screenshot(flash=False)[..., :3].astype(int)
    middle = bare.shape[1] // 2
    away = round(viewer.scene.camera.zoom * 64)  # um; half a square of the map
    changed = np.abs(shown - bare).max(axis=2)
    tissue = bare.min(axis=2) < 200
    assert np.median(changed[:, : middle - 2 * away][tissue[:, : middle - 2 * away]]) > 40
    assert np.median(changed[:, middle + 2 * away :]) == 0
