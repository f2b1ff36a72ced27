"""The field *Stain* of the form *Analyse slide*."""

from __future__ import annotations

from napari.layers import Layer

import napari_steatosis as st
from arrays import glass, slide_of, stained_ground
from napari_steatosis._napari.layers import slide_layer

WAIT_MS = 240_000


def test_a_run_normalises_as_it_is_asked_to(form, qtbot):
    slide = slide_of(stained_ground(600, 600))
    form.viewer.add_layer(Layer.create(*slide_layer(slide)))
    assert form.request().stain == "auto"
    assert "matrix" not in form.stain.choices
    form.stain.value = "macenko"
    form.run.native.click()
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
    stain = form.report.provenance["stain"]
    assert (stain["method"], stain["reference"]["name"]) == ("macenko", "he")
    scripted = st.analyse(slide, stain="macenko")
    assert form.report.provenance["digest"] == scripted.provenance["digest"]


def test_what_cannot_be_normalised_is_told(form, qtbot):
    form.viewer.add_layer(Layer.create(*slide_layer(slide_of(glass(600, 600)))))
    form.stain.value = "reinhard"
    form.run.native.click()
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
    assert "tissue" in form.panel.flags.text()
    assert form.run.enabled
