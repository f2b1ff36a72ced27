"""The commands that say what a slide is and write it in another format."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import napari_steatosis as st
from made_slides import MAKERS, stained
from napari_steatosis.cli import app
from napari_steatosis.core.geometry import Region

SHAPE = (300, 420)
WHOLE = Region(y=0, x=0, height=SHAPE[0], width=SHAPE[1])


def said(*arguments, code=0):
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture
def path(tmp_path):
    return MAKERS["tiff"](tmp_path, stained(*SHAPE))


def test_info_for_people_and_for_programs(path):
    text = said("info", path).stdout
    assert "opens with the reader 'tiff'" in text
    assert "ICC profile" in text
    values = json.loads(said("info", path, "--json").stdout)
    assert (values["height_px"], values["width_px"]) == SHAPE
    assert values["um_per_px"] == [0.25, 0.25]
    assert {row["reader"] for row in values["refused"]} >= {"ome-zarr", "picture"}
    given = json.loads(said("info", path, "--json", "--mpp", 0.5, "--swap-red-blue").stdout)
    assert given["um_per_px"] == [0.5, 0.5]
    assert "in place of 0.25" in given["um_per_px_source"]
    assert given["colour"] == ["swap-red-blue"]


def test_info_can_remember_a_pixel_size(path):
    assert "add --mpp" in str(said("info", path, "--remember", code=1).exception)
    said("info", path, "--mpp", 0.5, "--remember")
    assert st.open_slide(path).um_per_px == (0.5, 0.5)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("out.ome.zarr", ()),
        ("out.ome.zarr", ("--version", "0.5")),
        ("out.ome.tif", ()),
        ("out.ome.tif", ("--compression", "zstd")),
    ],
)
def test_an_export_is_the_same_slide(path, tmp_path, name, more):
    out = tmp_path / "made" / name
    assert said("export", path, out, *more).stdout.split() == [str(out)]
    slide, copy = st.open_slide(path), st.open_slide(out)
    assert copy.um_per_px == pytest.approx(slide.um_per_px)
    np.testing.assert_array_equal(copy.read(WHOLE), slide.read(WHOLE))
    again = CliRunner().invoke(app, ["export", str(path), str(out), *more])
    assert "overwrite" in str(again.exception)
    said("export", path, out, *more, "--overwrite")


def test_an_export_with_swapped_channels(path, tmp_path):
    said("export", path, tmp_path / "right.ome.tif", "--swap-red-blue")
    right = st.open_slide(tmp_path / "right.ome.tif").read(WHOLE)
    np.testing.assert_array_equal(right, stained(*SHAPE)[..., ::-1])


def test_a_snapshot_of_a_part(path, tmp_path):
    out = tmp_path / "view.png"
    said("snapshot", path, out, "--box", 10, 20, 200, 300, "--width", 600, "--title", "A part")
    with Image.open(out) as image:
        assert image.width >= 600
    said("snapshot", path, tmp_path / "view.svg")
    assert "µm" in (tmp_path / "view.svg").read_text(encoding="utf-8")
