from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils.notifications import notification_manager
from PIL import Image
from qtpy.QtWidgets import QFileDialog

from discs import disc_slide
from napari_steatosis._napari.layers import slide_layer
from napari_steatosis._napari.snapshot import save_snapshot, snapshot_of, with_suffix
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.geometry import Region

UM = {"units": ("um", "um")}


def notes(severity: str) -> list[str]:
    return [n.message for n in notification_manager.records if n.severity == severity]


def look(viewer, centre: tuple[float, float], size: tuple[int, int] = (100, 200)) -> None:
    """Have a canvas of 100 x 200 show 50 x 100 um of a slide."""
    viewer.canvas.size, viewer.scene.camera.zoom = size, 2.0
    viewer.scene.camera.center = (0, *centre)


def add_slide(viewer):
    return viewer.add_layer(Layer.create(*slide_layer(disc_slide(400, 300))))


def add_labels(viewer, **options):
    labels = np.zeros((100, 75), np.uint8)
    labels[40:60] = 3
    where = {"scale": (2, 2), "translate": (0.75, 0.75), **UM}
    return viewer.add_labels(labels, name="band", **where, **options)


def test_what_is_in_view_with_the_visible_labels():
    viewer = ViewerModel()
    add_slide(viewer)
    add_labels(viewer, opacity=0.4)
    add_labels(viewer, visible=False)
    look(viewer, (100.0, 75.0))
    snapshot = snapshot_of(viewer)
    assert snapshot.view == Region(y=150, x=50, height=101, width=201)
    (band,) = snapshot.overlays
    assert (band.name, band.frame.um_per_px) == ("band", (2.0, 2.0))
    assert snapshot.opacity == pytest.approx(0.4)
    look(viewer, (5.0, 75.0))
    assert snapshot_of(viewer).view.y == 0


def test_a_slide_in_px_has_a_view_too():
    viewer = ViewerModel()
    image = add_slide(viewer)
    slide = image.metadata["slide"]
    image.metadata = {"slide": type(slide)(**{**vars(slide), "um_per_px": None})}
    image.scale, image.units = (1, 1), ("pixel", "pixel")
    look(viewer, (200.0, 150.0))
    assert snapshot_of(viewer).view == Region(y=175, x=100, height=51, width=101)


def test_nothing_to_show_says_what_to_do():
    viewer = ViewerModel()
    with pytest.raises(BadValueError, match="Open slide"):
        snapshot_of(viewer)
    with pytest.raises(BadValueError, match="Open slide"):
        snapshot_of(None)
    add_slide(viewer)
    look(viewer, (5000.0, 75.0))
    with pytest.raises(BadValueError, match="no part"):
        snapshot_of(viewer)


@pytest.mark.parametrize(
    ("given", "chosen", "made"),
    [
        ("a.png", "SVG drawing (*.svg)", "a.png"),
        ("a.SVG", "PNG picture (*.png)", "a.SVG"),
        ("liver 1.2", "SVG drawing (*.svg)", "liver 1.2.svg"),
        ("a", "", "a.png"),
    ],
)
def test_the_suffix_is_the_typed_one_or_the_chosen(given, chosen, made):
    assert with_suffix(given, chosen).name == made


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_command_asks_and_writes(make_napari_viewer, qtbot, tmp_path, monkeypatch, suffix):
    viewer = make_napari_viewer()
    add_slide(viewer)
    add_labels(viewer)
    viewer.reset_view()
    path = tmp_path / f"view{suffix}"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *given: (str(path), ""))
    save_snapshot()
    qtbot.waitUntil(lambda: f"Saved {path}." in notes("info"), timeout=240_000)
    if suffix == ".png":
        pixels = np.asarray(Image.open(path).convert("RGB"))
        assert pixels.shape[1] >= 1200
    else:
        assert "band" in path.read_text("utf-8")


def test_a_window_without_a_slide_is_told(make_napari_viewer, monkeypatch):
    make_napari_viewer()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *given: pytest.fail("asked"))
    save_snapshot()
    assert "Open slide" in notes("error")[-1]


def test_a_cancelled_dialog_writes_nothing(make_napari_viewer, monkeypatch, tmp_path):
    add_slide(make_napari_viewer())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *given: ("", ""))
    save_snapshot()
    assert not list(tmp_path.iterdir())
