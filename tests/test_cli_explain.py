"""``napari-steatosis explain``: a picture or the values, and plain words for what is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

import napari_steatosis as st
from napari_steatosis.cli import app
from napari_steatosis.core.errors import BadValueError, CannotOpenError, UnknownNameError
from napari_steatosis.io.write import write
from napari_steatosis.models import load_model
from napari_steatosis.pipelines.explain import explain


@pytest.fixture(scope="module")
def liver(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    return write(st.drawn_liver(512, 512, seed=5, fat_percent=12), folder / "a.ome.zarr")[0]


def run(*arguments):
    asked = ["explain", *(str(one) for one in arguments), "--device", "cpu"]
    return CliRunner().invoke(app, asked, catch_exceptions=False)


def test_the_values_are_those_of_a_script_with_their_place(liver, tmp_path):
    out = tmp_path / "map.tif"
    done = run(liver, "--region", "50,60,64,80", "--class", "fat", "--out", out)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("grad-cam: fat  128 x 160 px")
    region = st.Region(y=100, x=120, height=128, width=160)
    model = load_model("steatosis-he", device="cpu")
    same = explain(st.open_slide(liver), model, region=region)
    with tifffile.TiffFile(out) as file:
        assert file.asarray() == pytest.approx(same.values, abs=1e-5)
        about = json.loads(file.pages[0].description)
    assert about["um_per_px"] == pytest.approx([0.5, 0.5])
    assert about["origin_um"] == pytest.approx([50, 60])
    assert (about["made_by"]["method"], about["made_by"]["class"]) == ("grad-cam", "fat")


def test_the_picture_shows_the_slide_under_a_map_and_a_caption(liver, tmp_path):
    done = run(
        liver, "--region", "50,60,64,80", "--method", "grad-cam++", "--out", tmp_path / "a.png"
    )
    assert done.exit_code == 0, done.output
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape[1] == 800
    assert pixels.shape[0] > 640  # the part is 640 px high; caption and legend are beside it
    with pytest.raises(CannotOpenError, match="there already"):
        run(liver, "--region", "50,60,64,80", "--out", tmp_path / "a.png")


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        (["--region", "1,2,3"], BadValueError, "y,x,height,width in um"),
        (["--region", "9000,9000,50,50"], BadValueError, "lies outside"),
        (["--method", "attention"], BadValueError, r"offers grad-cam, grad-cam\+\+"),
        (["--class", "iron"], UnknownNameError, "no class 'iron'"),
        (["--model", "white-regions-drawn"], BadValueError, "no network of this package"),
    ],
)
def test_what_cannot_be_done_is_said(liver, tmp_path, options, error, said):
    with pytest.raises(error, match=said):
        run(liver, "--out", tmp_path / "map.png", *options)


def test_a_map_is_tested_where_it_is_asked_for(liver, tmp_path):
    out = tmp_path / "map.png"
    done = run(liver, "--region", "50,60,64,64", "--out", out, "--check")
    assert done.exit_code == 0, done.output
    assert "Rank correlation with the map of random weights" in done.stdout
    found = json.loads((tmp_path / "map_check.json").read_text())
    assert len(found["curves"]["insertion"]) == 17
    assert 0 < found["areas"]["deletion"] < 1
    with Image.open(tmp_path / "map_check.png") as image:
        assert min(image.size) > 600


def test_a_map_has_no_other_format(liver, tmp_path):
    with pytest.raises(UnknownNameError, match="a picture"):
        run(liver, "--region", "50,60,32,32", "--out", tmp_path / "map.jpg")
