"""The field *Tissue* of *Analyse slide*: a painted mask decides what is analysed."""

from __future__ import annotations

import numpy as np
from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

import napari_steatosis as st
from discs import disc_slide
from napari_steatosis._napari.tissue_layers import FIND, tissue_layer

WAIT_MS = 240_000


def test_edits_are_what_is_analysed(with_slide, qtbot):
    form, slide = with_slide, disc_slide()
    assert form.tissue.value == FIND
    image = form.viewer.layers["discs.svs"]
    layer = form.viewer.add_layer(Layer.create(*tissue_layer(st.find_tissue(slide), image, slide)))
    layer.data[: len(layer.data) // 2] = 0
    form.tissue.value = layer
    QTest.mouseClick(form.run.native, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
    classes = np.asarray(form.report.prediction.levels[0])
    assert not classes[: len(classes) // 2 - 10].any()
    assert classes[len(classes) // 2 + 10 :].all()
    assert "as edited by hand" in form.report["fat_area_fraction"].definition


def test_a_mask_of_the_wrong_place_is_refused_before_the_run(with_slide):
    form = with_slide
    far = form.viewer.add_labels(
        np.ones((9, 9), int), name="far", translate=(9e3, 0), units=("um", "um")
    )
    form.tissue.value = far
    form.start()
    assert "lies outside the slide" in form.panel.flags.text()
    assert not form.is_running
