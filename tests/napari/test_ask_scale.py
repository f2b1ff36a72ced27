from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

import napari_steatosis as st
from made_slides import png, stained
from napari_steatosis._napari import ask_scale
from napari_steatosis._napari.ask_scale import ScaleQuestion, show_question
from napari_steatosis._napari.layers import slide_layer
from napari_steatosis._napari.scale import give_scale

OURS = "napari-steatosis"


@pytest.fixture(autouse=True)
def nobody_asked_before(monkeypatch):
    monkeypatch.setattr(ask_scale, "_asked", set())


def warnings_shown() -> list[str]:
    return [n.message for n in notification_manager.records if n.severity == "warning"]


def question_about(viewer, path, qtbot) -> ScaleQuestion:
    """Open a path in a window, wait, and return the question that is shown."""
    shown = []

    def wait(viewer, slide):
        shown.append(show_question(viewer, slide))

    ask_scale.show_question, before = wait, ask_scale.show_question
    try:
        viewer.open(path, plugin=OURS)
        qtbot.waitUntil(lambda: bool(shown), timeout=60_000)
    finally:
        ask_scale.show_question = before
    return shown[0]


def click(button) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_the_answer_is_for_all_that_shows_the_slide_and_is_remembered(
    tmp_path, make_napari_viewer, qtbot
):
    viewer, path = make_napari_viewer(), png(tmp_path, stained(90, 120))
    question = question_about(viewer, path, qtbot)
    assert not question.ok.isEnabled()
    assert "slide.png" in question.text.text()
    (image,) = viewer.layers
    drawn = viewer.add_shapes([[(10, 10), (20, 20)]], name="drawn in px")
    click(question.usual[1])
    click(question.ok)
    assert tuple(image.scale) == tuple(drawn.scale) == (0.5, 0.5)
    assert [str(unit) for unit in (*image.units, *drawn.units)] == ["micrometer"] * 4
    assert image.metadata["slide"].um_per_px == (0.5, 0.5)
    assert st.open_slide(path).um_per_px == (0.5, 0.5)
    qtbot.waitUntil(lambda: not question.isVisible(), timeout=60_000)


def test_not_now_leaves_px_and_is_not_asked_again(tmp_path, make_napari_viewer, qtbot):
    viewer, path = make_napari_viewer(), png(tmp_path, stained(90, 120))
    click(question_about(viewer, path, qtbot).later)
    (image,) = viewer.layers
    assert tuple(image.scale) == (1, 1)
    assert not path.with_name("slide.png.scale.json").exists()
    before = len(warnings_shown())
    assert question_about(viewer, path, qtbot) is None
    assert "slide.png" in warnings_shown()[before]


def test_an_answer_need_not_be_remembered(tmp_path, make_napari_viewer, qtbot):
    viewer, path = make_napari_viewer(), png(tmp_path, stained(90, 120))
    question = question_about(viewer, path, qtbot)
    question.keep.setChecked(False)
    question.size.setValue(0.25)
    click(question.ok)
    assert tuple(viewer.layers[0].scale) == (0.25, 0.25)
    assert st.open_slide(path).um_per_px is None


def test_without_a_window_there_is_only_a_warning(tmp_path, qapp):
    before = len(warnings_shown())
    ViewerModel().open(png(tmp_path, stained(90, 120)), plugin=OURS)
    assert "slide.png" in warnings_shown()[before]


def in_px(tmp_path, name: str, seed: int) -> Layer:
    folder = tmp_path / name
    folder.mkdir()
    return Layer.create(*slide_layer(st.open_slide(png(folder, stained(90, 120, seed))), name))


def test_what_lies_on_another_slide_in_px_stays(tmp_path):
    viewer = ViewerModel()
    one, other = (viewer.add_layer(in_px(tmp_path, name, n)) for n, name in enumerate("ab"))
    drawn = viewer.add_shapes([[(10, 10), (20, 20)]])
    give_scale(viewer, one.metadata["slide"], 0.25)
    assert tuple(one.scale) == (0.25, 0.25)
    assert tuple(other.scale) == tuple(drawn.scale) == (1, 1)


def test_a_slide_that_was_moved_and_turned_stays_under_what_was_drawn_on_it(tmp_path):
    viewer = ViewerModel()
    image = viewer.add_layer(in_px(tmp_path, "a", 1))
    image.translate, image.rotate = (7, 9), 30
    drawn = viewer.add_points([(0, 0)], translate=image.data_to_world((10, 20)))
    before = np.asarray(image.data_to_world((10, 20)))
    give_scale(viewer, image.metadata["slide"], 0.25)
    assert image.data_to_world((10, 20)) == pytest.approx(before * 0.25)
    assert drawn.data_to_world((0, 0)) == pytest.approx(before * 0.25)
