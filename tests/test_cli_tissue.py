"""``napari-steatosis tissue``, and ``analyse --tissue``."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import napari_steatosis as st
from napari_steatosis.cli import app
from napari_steatosis.io.write import write


@pytest.fixture(scope="module")
def liver(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    return write(st.drawn_liver(1024, 1024, seed=5), folder / "a.ome.zarr")[0]


def run(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.mark.parametrize("name", ["mask.ome.zarr", "mask.png", "mask.geojson"])
def test_a_mask_goes_out_and_decides_what_is_analysed(name, liver, tmp_path):
    said = run("tissue", liver, "--out", tmp_path / name, "--json")
    assert said.exit_code == 0, said.output
    area = json.loads(said.stdout)["tissue_mm2"]
    assert area == pytest.approx(st.find_tissue(st.open_slide(liver)).area_mm2)
    out = tmp_path / "out"
    done = run("analyse", liver, "--out", out, "--tissue", tmp_path / name, "--json")
    assert done.exit_code == 0, done.output
    found = {m["name"]: m["value"] for m in json.loads(done.stdout)["measurements"]}
    assert found["tissue_area"] == pytest.approx(area, rel=0.02)


def test_sensitivity_and_exclusions_are_options(liver, tmp_path):
    square = [[[0, 0], [0, 500], [500, 500], [500, 0], [0, 0]]]
    drawn = tmp_path / "drawn.geojson"
    drawn.write_text(json.dumps({"type": "Polygon", "coordinates": square}))
    options = ["--sensitivity", 0.8, "--portal", drawn, "--largest-droplet", 20]
    said = run("tissue", liver, "--out", tmp_path / "mask.png", *options)
    assert said.exit_code == 0, said.output
    assert said.stdout.startswith("Tissue  0.")
    assert "less portal: 0." in said.stdout
    with Image.open(tmp_path / "mask.png") as image:
        assert not np.asarray(image)[:60, :60].any()
        made = json.loads(image.info["napari-steatosis"])["made_by"]
    assert (made["of"]["sensitivity"], made["of"]["gap_um"]) == (0.8, 20)


def test_a_mask_of_another_slide_fails_with_the_reason(liver, tmp_path):
    other = st.drawn_liver(1024, 1024, seed=6)
    st.write(st.find_tissue(other), tmp_path / "mask.png")
    done = run("analyse", liver, "--out", tmp_path / "out", "--tissue", tmp_path / "mask.png")
    assert done.exit_code == 1
    assert "another slide" in " ".join(done.stderr.split())


def test_a_blank_slide_gives_an_empty_mask_and_says_why(tmp_path):
    Image.fromarray(np.full((300, 300, 3), 244, np.uint8)).save(tmp_path / "blank.png")
    done = run("tissue", tmp_path / "blank.png", "--mpp", 0.5, "--out", tmp_path / "mask.ome.zarr")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Tissue  0 mm^2")
    assert "no stained tissue" in " ".join(done.stderr.split())
