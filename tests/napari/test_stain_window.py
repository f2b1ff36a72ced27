"""A person at a real window: what is on screen is the transform of what was.

The picture in the documentation is made by this test::

    STEATOSIS_PICTURE=docs/images/stain-form.png pytest tests/napari/test_stain_window.py -k beside
"""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from arrays import slide_of, stained_ground
from napari_steatosis._napari.layers import slide_layer
from napari_steatosis._napari.stain_preview import BESIDE, OFF, OVER
from napari_steatosis.imaging import fit_stain
from napari_steatosis.imaging.separation import separation
from windows import WAIT_MS, canvas, keep_picture


@pytest.fixture(scope="module")
def slide():
    return slide_of(stained_ground(1200, 1500))


@pytest.fixture(scope="module")
def transform(slide):
    return fit_stain(slide)


def click(button) -> None:
    QTest.mouseClick(button.native, Qt.MouseButton.LeftButton)


def done(form, qtbot) -> None:
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)


@pytest.fixture
def window(docked):
    return docked("Normalise stain")


def alone(viewer, layer, qtbot) -> np.ndarray:
    for other in viewer.layers:
        other.visible = other is layer
    return canvas(viewer, qtbot)


def test_what_is_on_screen_is_the_transform_of_what_was(window, slide, transform, qtbot):
    viewer, form = window
    viewer.add_layer(Layer.create(*slide_layer(slide, "liver")))
    viewer.scene.camera.zoom = 2.0  # one pixel of the canvas is one of the slide
    form.preview.value = OVER
    done(form, qtbot)
    preview = canvas(viewer, qtbot)
    click(form.apply)
    qtbot.waitUntil(lambda: "liver: macenko" in viewer.layers, timeout=WAIT_MS)
    assert form.preview.value == OFF
    assert [layer.name for layer in viewer.layers] == ["liver", "liver: macenko"]
    applied = canvas(viewer, qtbot)
    before = alone(viewer, viewer.layers["liver"], qtbot)
    expected = transform.apply(before)
    stained = (before.max(-1) > 0) & (expected != before).any(-1)
    assert stained.mean() > 0.3
    np.testing.assert_array_equal(preview[stained], expected[stained])
    np.testing.assert_array_equal(applied[stained], expected[stained])


def test_the_amounts_are_on_screen_in_the_colours_of_the_stains(window, slide, transform, qtbot):
    viewer, form = window
    viewer.add_layer(Layer.create(*slide_layer(slide, "liver")))
    viewer.scene.camera.zoom = 2.0
    click(form.amounts)
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=WAIT_MS)
    assert [layer.name for layer in viewer.layers[1:]] == ["haematoxylin: liver", "eosin: liver"]
    assert not viewer.layers["liver"].visible
    stains = separation(transform)
    before = alone(viewer, viewer.layers["liver"], qtbot)
    inside = before.max(-1) > 0
    for index, layer in enumerate(viewer.layers[1:]):
        amounts = stains.amounts(before)[index]
        expected = stains.rgb_of(index, np.clip(amounts, 0, layer.contrast_limits[1]))
        seen = alone(viewer, layer, qtbot).astype(int)
        plain = inside & (amounts > 0)
        assert np.percentile(np.abs(seen - expected)[plain], 99) <= 6


def test_beside_the_slide_both_are_on_screen(window, qtbot):
    viewer, form = window
    viewer.open_sample("napari-steatosis", "liver_small")
    qtbot.waitUntil(lambda: form.slide.value is not None, timeout=WAIT_MS)
    form.method.value = "vahadane"
    form.preview.value = BESIDE
    done(form, qtbot)
    picture = canvas(viewer, qtbot)
    half = picture.shape[1] // 2
    left, right = picture[:, : half - 5], picture[:, half + 5 :]
    assert (left.max(-1) > 0).mean() > 0.5
    assert (right.max(-1) > 0).mean() > 0.5
    means = [part[part.max(-1) > 0].mean(0) for part in (left, right)]
    assert np.abs(means[0] - means[1]).max() > 3
    keep_picture(viewer, qtbot)
