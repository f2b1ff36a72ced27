"""The form *Analyse slide* in a viewer, with a small slide of discs; windows on screen."""

from __future__ import annotations

import os

import pytest
from napari.layers import Layer
from napari.qt.threading import GeneratorWorker

from discs import disc_slide
from napari_steatosis._napari.analyse import AnalyseForm
from napari_steatosis._napari.layers import slide_layer
from windows import WAIT_MS


@pytest.fixture
def form(make_napari_viewer_proxy, qtbot):
    """The form as napari gives it: with the viewer that shows only public names."""
    viewer = make_napari_viewer_proxy()
    made = AnalyseForm(viewer)
    qtbot.addWidget(made.native)
    yield made
    made.stop()
    qtbot.waitUntil(lambda: not made.is_running, timeout=120_000)
    made.warming.join(240)
    GeneratorWorker.await_workers(120_000)


@pytest.fixture
def with_slide(form):
    """The same with a slide of two tiles."""
    form.viewer.add_layer(Layer.create(*slide_layer(disc_slide())))
    return form


@pytest.fixture
def docked(make_napari_viewer, qtbot):
    """Make a window on screen, with a form docked by the plugin's own manifest."""
    if os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal"):
        pytest.skip("this Qt platform draws no canvas; use xcb under Xvfb")
    forms = []

    def dock(name: str, size: tuple[int, int] = (1500, 950)):
        viewer = make_napari_viewer(show=True)
        viewer.window.resize(*size)
        _, form = viewer.window.add_plugin_dock_widget("napari-steatosis", name)
        forms.append(form)
        return viewer, form

    yield dock
    for form in forms:
        form.stop()
        qtbot.waitUntil(lambda form=form: not form.is_running, timeout=WAIT_MS)
    GeneratorWorker.await_workers(WAIT_MS)
