"""Zones and nuclei in the form *Analyse slide*: what a script gives, and the maps as layers."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

import napari_steatosis as st
from arrays import slide_of
from napari_steatosis._napari.landmarks import Place
from napari_steatosis._napari.layers import slide_layer
from napari_steatosis.pipelines.hepatocytes import find_hepatocytes

WAIT_MS = 240_000
SIDE, UM = 640, 0.5
PORTAL, CENTRAL = (100, 100), (500, 520)


def press(button) -> None:
    QTest.mouseClick(button.native, Qt.MouseButton.LeftButton)


def around_um(y, x, half=15):
    corners = [(-half, -half), (-half, half), (half, half), (half, -half)]
    return UM * (np.array(corners) + np.array((y, x)))


def test_zones_nuclei_and_their_maps(form, qtbot):
    source = st.drawn_liver(SIDE, SIDE, seed=5, fat_percent=10, glass=False).source
    slide = slide_of(source.read(0, source.bounds), UM)
    viewer, asked = form.viewer, form.findings
    image = viewer.add_layer(Layer.create(*slide_layer(slide)))
    assert not form.maps.zones.enabled
    both = viewer.add_shapes(
        [around_um(*PORTAL), around_um(*CENTRAL)],
        features={"class": ["Portal tract", "central"]},
        name="vessels",
        units=("um", "um"),
    )
    asked.portal.value = asked.central.value = both
    asked.hepatocytes.value = "nuclei"
    press(form.run)
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
    found, report = form.report.prediction, form.report
    landmarks = asked.landmarks(Place(image, slide.frame(), slide))
    expected = st.measure(found, landmarks=landmarks, nuclei=find_hepatocytes(found))
    for one in expected.measurements:
        assert report[one.name].value == pytest.approx(one.value, nan_ok=True), one.name
    assert report["zone_3_fat_area_fraction"].value > 0

    for button, name in ((form.maps.zones, "zones"), (form.maps.nuclei, "nuclei")):
        press(button)
        (layer,) = (one for one in viewer.layers if one.name.startswith(name))
        if name == "zones":
            np.testing.assert_array_equal(layer.data, expected.maps["zones"].levels[0])
        else:
            assert len(layer.data) == len(expected.tables["hepatocytes"]["y_um"])
