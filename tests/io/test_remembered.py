"""A pixel size is given once and found again, by content, and never hides what it replaces."""

import json
import os
import sys

import pytest

from made_slides import MAKERS, stained
from napari_steatosis.core.errors import BadValueError, MissingScaleError
from napari_steatosis.io import forget_scale, open_slide, remember_scale


@pytest.fixture(autouse=True)
def _own_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))


@pytest.fixture
def path(tmp_path):
    return MAKERS["picture"](tmp_path, stained(300, 400))


def test_it_is_found_beside_the_slide_and_can_be_forgotten(path):
    with pytest.raises(MissingScaleError):
        open_slide(path).frame()
    file = remember_scale(open_slide(path), (0.5, 0.25))
    assert file == path.with_name(path.name + ".scale.json")
    slide = open_slide(path)
    assert slide.um_per_px == (0.5, 0.25)
    assert str(file) in slide.scale_source
    assert open_slide(path, um_per_px=1.0).um_per_px == (1.0, 1.0)
    assert forget_scale(slide) == [file]
    assert open_slide(path).um_per_px is None


def test_it_replaces_a_wrong_value_visibly(tmp_path):
    path = MAKERS["ome-zarr"](tmp_path, stained(300, 400))
    stated = open_slide(path)
    assert stated.um_per_px is not None
    remember_scale(stated, 2 * stated.um_per_px[0])
    slide = open_slide(path)
    assert slide.um_per_px == pytest.approx([2 * stated.um_per_px[0]] * 2)
    assert f"in place of {stated.um_per_px[0]:.4g}" in slide.scale_source
    assert "OME-Zarr scale" in slide.scale_source


def test_another_content_is_asked_for_anew(path, tmp_path):
    remember_scale(open_slide(path), 0.5)
    MAKERS["picture"](tmp_path, stained(300, 400, seed=5))
    assert open_slide(path).um_per_px is None


@pytest.mark.parametrize("text", ["", "[]", '{"um_per_px": 3}', '{"fingerprint": "%s"}'])
def test_a_damaged_file_is_named_and_changes_nothing(path, text):
    slide = open_slide(path)
    file = remember_scale(slide, 0.5)
    file.write_text(text.replace("%s", slide.fingerprint))
    again = open_slide(path)
    assert again.um_per_px is None
    assert str(file) in again.scale_source


def test_a_negative_size_is_refused_and_nothing_is_written(path):
    with pytest.raises(BadValueError, match="-1"):
        remember_scale(open_slide(path), -1)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_where_it_cannot_stand_beside_the_slide_it_goes_to_the_users_data(tmp_path):
    short = MAKERS["picture"](tmp_path, stained(300, 400))
    path = short.rename(tmp_path / f"{'long' * 62}{short.suffix}")  # the name beside is too long
    file = remember_scale(open_slide(path), 0.5)
    assert file.is_relative_to(tmp_path / "user")
    assert json.loads(file.read_text())["um_per_px"] == [0.5, 0.5]
    slide = open_slide(path)
    assert slide.um_per_px == (0.5, 0.5)
    assert forget_scale(slide) == [file]


@pytest.mark.skipif(
    sys.platform == "win32" or os.getuid() == 0, reason="this user may write everywhere"
)
def test_in_a_read_only_folder_it_goes_to_the_users_data(path):
    slide = open_slide(path)
    path.parent.chmod(0o555)
    try:
        assert "user" in remember_scale(slide, 0.5).parts
    finally:
        path.parent.chmod(0o755)
