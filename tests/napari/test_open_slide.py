"""The form *Open slide* in a viewer."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from napari.qt.threading import GeneratorWorker
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

import napari_steatosis as st
from icc import wide_profile
from made_slides import aperio, png, stained
from napari_steatosis._napari.open_slide import OpenSlideForm, in_columns
from napari_steatosis.core.explanation import Explanation
from napari_steatosis.core.pyramid import LevelArray

WAIT_MS = 240_000


@pytest.fixture
def form(make_napari_viewer_proxy, qtbot):
    made = OpenSlideForm(make_napari_viewer_proxy())
    qtbot.addWidget(made.native)
    yield made
    qtbot.waitUntil(lambda: not made.is_running, timeout=WAIT_MS)
    GeneratorWorker.await_workers(120_000)


@pytest.fixture
def choose(form, qtbot):
    """Choose a path in the form, and wait until it is looked into."""

    def choose(path) -> OpenSlideForm:
        form.choose(path)
        qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
        return form

    return choose


def click_open(form, qtbot) -> list:
    QTest.mouseClick(form.open.native, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
    return list(form.viewer.layers)


def test_it_says_what_a_slide_holds_and_opens_it(choose, tmp_path, qtbot):
    rgb = stained(300, 420)
    form = choose(aperio(tmp_path, rgb))
    text = form.text.toPlainText()
    assert "300 x 420 px" in text
    assert "openslide" in text
    assert form.pixel_size.value == 0.5
    assert form.scale_source.text() == "as stated above"
    assert not form.srgb.enabled
    assert not form.remember.enabled
    (image,) = click_open(form, qtbot)
    assert tuple(image.scale) == (0.5, 0.5)
    assert np.array_equal(np.asarray(image.data[0]), rgb)


def test_a_size_in_place_of_the_stated_one_is_shown_as_such_and_remembered(choose, tmp_path, qtbot):
    path = aperio(tmp_path, stained(300, 420))
    form = choose(path)
    form.pixel_size.value = 0.25
    assert form.scale_source.text() == "given here, in place of 0.5"
    form.remember.value = True
    (image,) = click_open(form, qtbot)
    assert tuple(image.scale) == (0.25, 0.25)
    assert "in place of 0.5" in image.metadata["slide"].scale_source
    assert st.open_slide(path).um_per_px == (0.25, 0.25)


def test_an_unknown_size_can_be_given_or_left(choose, tmp_path, qtbot):
    form = choose(png(tmp_path, stained(90, 120)))
    assert form.pixel_size.value == 0
    assert "40x" in form.scale_source.text()
    (in_px,) = click_open(form, qtbot)
    assert tuple(in_px.scale) == (1, 1)
    form.pixel_size.value = 0.5
    assert tuple(click_open(form, qtbot)[1].scale) == (0.5, 0.5)


def test_colours_are_corrected_on_wish(choose, tmp_path, qtbot):
    rgb, path = stained(90, 120), tmp_path / "slide.tif"
    tifffile.imwrite(path, rgb, photometric="rgb", iccprofile=wide_profile(), metadata=None)
    form = choose(path)
    form.srgb.value = form.swap.value = True
    (image,) = click_open(form, qtbot)
    assert image.metadata["slide"].colour == ("swap-red-blue", "srgb")
    plain = st.open_slide(path, srgb=True, swap_red_blue=True)
    assert np.array_equal(np.asarray(image.data), np.asarray(LevelArray(plain, 0)))


def test_swapped_channels_are_noticed(choose, tmp_path, form):
    drawn = st.drawn_liver(600, 600, seed=1)
    rgb = drawn.read(st.Region(y=0, x=0, height=600, width=600))
    choose(png(tmp_path, rgb[..., ::-1]))
    assert not form.mind.isHidden()
    choose(aperio(tmp_path, rgb))
    assert form.mind.isHidden()


def test_label_macro_and_thumbnail_lie_beside_the_slide(choose, shared_data, qtbot):
    form = choose(shared_data / "slides" / "aperio" / "CMU-1-Small-Region.svs")
    form.associated.value = True
    *others, slide = click_open(form, qtbot)
    assert slide.name == "CMU-1-Small-Region.svs"
    assert form.viewer.layers.selection.active.name == slide.name
    names = {one.name.removeprefix(slide.name + " ") for one in others}
    assert names == {"label", "macro", "thumbnail"}
    edge = slide.extent.world[1]
    boxes = sorted((tuple(one.extent.world.ravel()) for one in others), key=lambda box: box[0])
    for (y, x, y_end, _), below in zip(boxes, [*boxes[1:], None], strict=True):
        assert x > edge[1]
        assert y_end <= edge[0]
        assert y_end > y
        assert below is None or below[0] > y_end


def test_what_cannot_be_opened_says_why_and_offers_nothing(choose, tmp_path):
    path = tmp_path / "text.svs"
    path.write_text("this is no slide")
    form = choose(path)
    assert "cannot be opened as a slide" in form.text.toPlainText()
    assert not form.open.enabled
    choose(tmp_path / "missing.svs")
    assert "no such file" in form.text.toPlainText()


def test_a_slide_whose_pixels_cannot_be_read_is_not_opened(choose, shared_data, qtbot):
    form = choose(shared_data / "slides" / "aperio" / "unreadable.svs")
    assert "16 x 16 px" in form.text.toPlainText()
    assert click_open(form, qtbot) == []
    assert "cannot be read" in form.status.text()


def test_another_path_replaces_what_was_said(choose, tmp_path):
    form = choose(aperio(tmp_path, stained(300, 420)))
    form.pixel_size.value = 0.25
    choose(png(tmp_path, stained(90, 120)))
    assert form.pixel_size.value == 0
    assert "90 x 120 px" in form.text.toPlainText()
    choose("  ")
    assert form.text.toPlainText() == ""
    assert not form.open.enabled


def test_a_text_is_set_as_text():
    said = in_columns(Explanation("a <b> & c.svs", refused=(("tiff", "<i>"),), remedy="Copy it."))
    assert "a &lt;b&gt; &amp; c.svs" in said
    assert "<b>" not in said
    assert "<i>" not in said
