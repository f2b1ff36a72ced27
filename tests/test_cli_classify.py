"""``napari-steatosis classify`` with a classifier of timm, untrained, saved as a folder."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas
import pytest
from typer.testing import CliRunner

import napari_steatosis as st
from napari_steatosis.cli import app
from napari_steatosis.io.write import write
from napari_steatosis.models import load_model
from untrained import untrained_classifier

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return untrained_classifier(tmp_path_factory.mktemp("models") / "untrained")


@pytest.fixture(scope="module")
def liver(tmp_path_factory):
    made = tmp_path_factory.mktemp("slides") / "a.ome.zarr"
    return write(st.drawn_liver(640, 512, seed=5), made)[0]


def said(*arguments, code=0):
    result = CliRunner().invoke(app, ["classify", *map(str, arguments)])
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture(scope="module")
def classified(liver, folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    result = said(liver, "--model", folder, "--out", out, "--precision", "fp32", "--json")
    return out, json.loads(result.stdout)


def test_it_leaves_a_store_a_table_and_the_provenance(classified, folder):
    out, told = classified
    names = {file.name for file in out.iterdir()}
    assert names == {"a.zarr", "a_classes.csv", "a_classes_summary.csv", "a_classes.json"}
    rows = pandas.read_csv(out / "a_classes.csv").set_index("class")
    assert list(rows.index) == ["calm", "busy", "torn"]
    stored = st.open_results(out / "a.zarr", "classes")
    classes = np.asarray(stored.levels[0][:])
    assert rows["cells"].sum() == np.count_nonzero(classes) == told["provenance"]["cells"]
    assert rows["area_mm2"].sum() == pytest.approx(np.count_nonzero(classes) * 0.032**2)
    chances = np.asarray(stored.probabilities[0][:])[:, classes > 0] / 255
    assert np.allclose(rows["mean_probability"], chances.mean(1))
    written = json.loads((out / "a_classes.json").read_text())
    assert written["notice"].startswith("Research use only")
    provenance = written["provenance"]
    assert provenance["task"] == "classification"
    assert provenance["model"]["digest"] == load_model(folder, device="cpu").digest
    assert provenance["step_px"] == provenance["tile_px"] == 64
    assert provenance["within"] is not None  # tissue only
    assert told["provenance"] == provenance


def test_shell_and_script_give_the_same_hashes(classified, liver, folder):
    slide, model = st.open_slide(liver), load_model(folder, device="cpu", precision="fp32")
    scripted = st.classify(slide, model, within=st.find_tissue(slide))
    _, told = classified
    for key in ("digest", "content"):
        assert scripted.provenance[key] == told["provenance"][key]


def test_the_same_command_again_computes_nothing_and_other_settings_are_refused(
    classified, liver, folder
):
    out, told = classified
    again = said(liver, "--model", folder, "--out", out, "--precision", "fp32", "--json")
    assert json.loads(again.stdout) == told
    options = ("--model", folder, "--out", out, "--precision", "fp32", "--step", 32)
    refused = said(liver, *options, "--json", code=1)
    assert "step_px" in json.loads(refused.stdout)["error"]
    stored = st.open_results(out / "a.zarr", "classes")
    assert stored.provenance["content"] == told["provenance"]["content"]


def test_overlapping_windows_inside_an_area(liver, folder, tmp_path):
    square = [[[100, 100], [100, 400], [400, 400], [400, 100], [100, 100]]]
    shape = {"type": "Polygon", "coordinates": square}
    drawn = tmp_path / "a.geojson"
    drawn.write_text(json.dumps({"type": "Feature", "geometry": shape, "properties": {}}))
    options = ("--regions", drawn, "--step", 16, "--least-share", 0.9, "--batch", 8)
    result = said(liver, "--model", folder, "--out", tmp_path / "out", *options)
    assert "busy_share" in result.stdout
    assert "Research use only" in result.stdout
    stored = st.open_results(tmp_path / "out" / "a.zarr", "classes")
    assert stored.shape == (40, 32)
    rows, columns = np.nonzero(stored.levels[0][:])
    assert rows.min() >= 6
    assert rows.max() <= 24
    assert columns.min() >= 6
    assert columns.max() <= 24
    assert len(rows) > 100


def test_beside_the_results_of_analyse(classified, liver):
    out, told = classified
    analysed = CliRunner().invoke(app, ["analyse", str(liver), "--out", str(out)])
    assert analysed.exit_code == 0, analysed.output
    labels = json.loads((out / "a.zarr/labels/.zattrs").read_text())
    assert labels == {"labels": ["classes", "fat"]}
    again = st.open_results(out / "a.zarr", "classes")
    assert again.provenance["content"] == told["provenance"]["content"]
    assert (out / "a.json").exists()


def test_a_slide_that_fails_does_not_stop_the_others(liver, folder, tmp_path):
    broken = tmp_path / "broken.svs"
    broken.write_bytes(b"no slide")
    command = [sys.executable, "-m", "napari_steatosis.cli", "classify", broken, liver]
    command += ["--model", folder, "--out", tmp_path / "out", "--json"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    first, second = map(json.loads, done.stdout.splitlines())
    assert "broken.svs" in first["error"]
    assert second["measurements"]
    assert "1 of 2 slides failed" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_that_segments_is_refused(liver, tmp_path):
    result = said(liver, "--model", "steatosis-he", "--out", tmp_path, "--json", code=1)
    assert "is for segmentation" in json.loads(result.stdout)["error"]
