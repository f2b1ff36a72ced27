"""``napari-steatosis normalise``, and the stain of ``analyse``."""

from __future__ import annotations

import json

import numpy as np
import pytest
import zarr
from PIL import Image
from typer.testing import CliRunner

import napari_steatosis as st
from arrays import glass, slide_of, stained_ground
from napari_steatosis.cli import app
from napari_steatosis.imaging import fit_stain
from napari_steatosis.imaging.references import Reference
from napari_steatosis.imaging.separation import separation

WHOLE = st.Region(y=0, x=0, height=700, width=800)


def shell(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


def said(*arguments):
    result = shell(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    made = tmp_path_factory.mktemp("slides") / "liver.ome.zarr"
    return st.write(slide_of(stained_ground(700, 800)), made)[0]


def test_the_slide_is_written_in_the_colours_of_a_reference(path, tmp_path):
    out = tmp_path / "made" / "normalised.ome.zarr"
    assert said("normalise", path, "--out", out).splitlines()[-1] == str(out)
    slide = st.open_slide(path)
    expected = fit_stain(slide, method="macenko").apply(slide.read(WHOLE))
    np.testing.assert_array_equal(st.open_slide(out).read(WHOLE), expected)
    again = shell("normalise", path, "--out", out)
    assert "--overwrite" in str(again.exception)
    said("normalise", path, "--out", out, "--overwrite", "--method", "reinhard")
    assert (st.open_slide(out).read(WHOLE) != expected).any()


def test_the_amounts_of_its_stains_are_written(path, tmp_path):
    out = tmp_path / "stains.ome.zarr"
    assert said("normalise", path, "--amounts", out).splitlines()[-1] == str(out)
    slide = st.open_slide(path)
    expected = separation(fit_stain(slide)).amounts(slide.read(WHOLE))
    np.testing.assert_array_equal(zarr.open_group(str(out), mode="r")["0"][:], expected)
    assert "--overwrite" in str(shell("normalise", path, "--amounts", out).exception)


def test_a_reference_is_kept_and_used(path, tmp_path):
    file = tmp_path / "ours.json"
    assert said("normalise", path, "--save-reference", file).splitlines() == [str(file)]
    assert Reference.open(file).name == "liver.ome.zarr"
    fitted = json.loads(said("normalise", path, "--reference", file, "--json"))
    assert fitted["reference"]["name"] == "liver.ome.zarr"
    assert np.allclose(fitted["stains"], fitted["reference"]["stains"], atol=1e-6)
    of_slide = json.loads(said("normalise", path, "--reference", path, "--json"))
    assert of_slide["stains"] == fitted["stains"]
    assert "--overwrite" in str(shell("normalise", path, "--save-reference", file).exception)


def test_without_a_target_it_says_what_was_fitted(path):
    text = said("normalise", path, "--method", "matrix", "--stains", "0.6 .7 .3, 0.1 .9 .2")
    assert "matrix" in text
    assert "concentrations" in text
    values = json.loads(said("normalise", path, "--seed", 3, "--json"))
    assert values["method"] == "macenko"
    assert isinstance(values["findings"], list)


@pytest.mark.parametrize(
    ("pixels", "more", "message"),
    [
        (glass(600, 600), ("--mpp", 0.5), "tissue"),
        (stained_ground(600, 600), (), "--mpp"),
        (stained_ground(600, 600), ("--mpp", 0.5, "--method", "maceko"), "macenko"),
        (stained_ground(600, 600), ("--mpp", 0.5, "--reference", "mars"), "mars"),
    ],
    ids=["glass", "no pixel size", "no such method", "no such reference"],
)
def test_what_cannot_be_done_is_said(tmp_path, pixels, more, message):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    result = shell("normalise", tmp_path / "a.png", "--out", tmp_path / "out.ome.zarr", *more)
    assert isinstance(result.exception, st.SteatosisError)
    assert message in str(result.exception)
    assert [one.name for one in tmp_path.iterdir()] == ["a.png"]


def test_analyse_takes_a_stain(tmp_path):
    path = st.write(slide_of(stained_ground(400, 400)), tmp_path / "small.ome.zarr")[0]
    asked = ("--stain", "reinhard", "--json", "--precision", "fp32")
    told = json.loads(said("analyse", path, "--out", tmp_path / "out", *asked))["provenance"]
    assert told["stain"]["method"] == "reinhard"
    slide, model = st.open_slide(path), st.load_model("steatosis-he", precision="fp32")
    fat = st.segment(slide, model, within=st.find_tissue(slide), stain="reinhard")
    assert told["digest"] == fat.provenance["digest"]
