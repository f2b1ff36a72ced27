"""The form *Analyse slide* in a viewer, with a small slide of discs."""

from __future__ import annotations

import pytest
from napari.layers import Layer
from napari.qt.threading import GeneratorWorker

from discs import disc_slide
from napari_steatosis._napari.analyse import AnalyseForm
from napari_steatosis._napari.layers import slide_layer


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
