from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pandas
import pytest
from typer.testing import CliRunner

import napari_steatosis as st
from napari_steatosis.cli import app
from napari_steatosis.io.write import write


@pytest.fixture(scope="module")
def liver(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    drawn = st.drawn_liver(1024, 1024, seed=5, fat_percent=12)
    return write(drawn, folder / "a.ome.zarr")[0]


@pytest.fixture(scope="module")
def analysed(liver, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    result = CliRunner().invoke(app, ["analyse", str(liver), "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    return out, json.loads(result.stdout)


def shell(*arguments):
    command = [sys.executable, "-m", "napari_steatosis.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_analyse_leaves_every_result(analysed):
    out, said = analysed
    assert {p.name for p in out.iterdir()} >= {
        "a.zarr",
        "a.html",
        "a.json",
        "a.csv",
        "a.geojson.gz",
    }
    assert json.loads((out / "a.json").read_text())["measurements"] == said["measurements"]
    fat = next(m for m in said["measurements"] if m["name"] == "fat_area_fraction")
    assert fat["unit"] == "%"
    assert said["notice"].startswith("Research use only")


def test_shell_and_script_give_the_same_hashes(analysed, liver):
    _, said = analysed
    report = st.analyse(st.open_slide(liver))
    assert report.provenance["digest"] == said["provenance"]["digest"]
    assert report.provenance["content"] == said["provenance"]["content"]
    stored = st.open_results(analysed[0] / "a.zarr")
    assert np.array_equal(stored.levels[0][:], report.prediction.levels[0][:])


def test_the_same_call_again_resumes_and_another_model_is_refused(analysed, liver):
    out, said = analysed
    again = CliRunner().invoke(app, ["analyse", str(liver), "--out", str(out), "--json"])
    assert json.loads(again.stdout)["provenance"] == said["provenance"]
    other = ["--model", "steatosis-he-drawn"]
    refused = CliRunner().invoke(app, ["analyse", str(liver), "--out", str(out), *other])
    assert refused.exit_code == 1
    assert "model.digest" in " ".join(refused.stderr.split())


def test_only_inside_drawn_areas_less_what_is_left_out(liver, tmp_path):
    def box(y, x, high, wide):
        corners = [[x, y], [x + wide, y], [x + wide, y + high], [x, y + high], [x, y]]
        geometry = {"type": "Polygon", "coordinates": [corners]}
        kind = {"name": "Liver" if y == 0 else "Other"}
        return {
            "type": "Feature",
            "geometry": geometry,
            "properties": {"objectType": "annotation", "classification": kind},
        }

    areas = {"type": "FeatureCollection", "features": [box(0, 0, 512, 1024), box(600, 0, 9, 9)]}
    (tmp_path / "a.geojson").write_text(json.dumps(areas))
    (tmp_path / "out.geojson").write_text(json.dumps(box(0, 0, 512, 512)))
    chosen = ["--regions", str(tmp_path), "--region-class", "Liver"]
    left_out = ["--exclude", str(tmp_path / "out.geojson")]
    command = ["analyse", str(liver), "--out", str(tmp_path / "o"), "--json", *chosen, *left_out]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    measurements = json.loads(result.stdout)["measurements"]
    tissue = next(m["value"] for m in measurements if m["name"] == "tissue_area")
    assert 0 < tissue <= 512 * 512 * 0.25 / 1e6 * 1.02  # mm^2, of px of 0.5 um
    (tmp_path / "empty").mkdir()
    missing = ["--regions", str(tmp_path / "empty"), "--out", str(tmp_path / "p")]
    refused = CliRunner().invoke(app, ["analyse", str(liver), *missing])
    assert refused.exit_code == 1
    assert "a.geojson" in refused.output


def test_several_slides_make_one_table_and_one_of_patients(liver, tmp_path):
    second = tmp_path / "b.ome.zarr"
    shutil.copytree(liver, second, ignore=shutil.ignore_patterns("labels"))
    (tmp_path / "whose.csv").write_text("slide,patient\na.ome.zarr,P1\nb,P1\nelsewhere,P9\n")
    command = ["analyse", str(liver), str(second), "--out", str(tmp_path / "o")]
    pdf = ["--pdf"] if find_spec("plutoprint") else []
    result = CliRunner().invoke(app, [*command, *pdf, "--patients", str(tmp_path / "whose.csv")])
    assert result.exit_code == 0, result.output
    printed = {path.name for path in (tmp_path / "o").glob("*.pdf")}
    assert printed == ({"a.pdf", "b.pdf", "cohort.pdf"} if pdf else set())
    slides = pandas.read_csv(tmp_path / "o/slides.csv")
    assert list(slides.iloc[:, 0]) == ["a", "b"]
    patients = pandas.read_csv(tmp_path / "o/slides_patients.csv")
    assert len(patients) == 1
    fat = "fat_area_fraction_percent"
    assert patients[fat][0] == pytest.approx(slides[fat][0])  # twice the same slide
    page = (tmp_path / "o/cohort.html").read_text(encoding="utf-8")
    assert "All visits of a patient together" not in page
    assert page.count("<td>P1</td>") == 4  # the patient, its grade, and two slides
    (tmp_path / "whose.csv").write_text("file;who\na;P1\n")
    refused = CliRunner().invoke(app, [*command, "--patients", str(tmp_path / "whose.csv")])
    assert "no column slide and patient; it has: file, who" in str(refused.exception)


def test_a_failed_slide_is_named_and_the_others_are_done(liver, tmp_path):
    broken = tmp_path / "broken.svs"
    broken.write_text("this is no slide")
    done = shell("analyse", broken, liver, "--out", tmp_path / "out", "--json")
    assert done.returncode == 1
    first, second = map(json.loads, done.stdout.splitlines())
    assert "broken.svs" in first["error"]
    assert second["measurements"]
    assert "1 of 2 slides failed" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_that_cannot_be_written_is_one_message(liver, tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = shell("analyse", liver, "--out", tmp_path / "file" / "results", "--json")
    assert done.returncode == 1
    assert "--out" in json.loads(done.stdout)["error"]
    assert "Traceback" not in done.stderr


def test_a_slide_without_pixel_size_is_asked_for_it(shared_data, tmp_path):
    slide = shared_data / "slides/aperio/TCGA-CR-7395-01A-01-TS1.svs"
    done = shell("analyse", slide, "--out", tmp_path)
    assert done.returncode == 1
    assert "--mpp" in done.stderr
    assert "TCGA-CR-7395" in done.stderr


def test_info_says_why_each_reader_refuses(tmp_path):
    (tmp_path / "notes.svs").write_text("words")
    done = shell("info", tmp_path / "notes.svs")
    assert done.returncode == 1
    assert all(name in done.stdout for name in ("openslide", "tiff", "ome-zarr", "picture"))


def test_version_and_models():
    assert st.__version__ in shell("--version").stdout
    listed = shell("models").stdout
    assert "steatosis-he " in listed
    assert "steatosis-he-drawn" in listed


def test_demo_measures_what_was_drawn(tmp_path):
    done = CliRunner().invoke(app, ["demo", "--out", str(tmp_path), "--size", "2048"])
    assert done.exit_code == 0, done.output
    assert "as drawn (truth)" in done.stdout
    names = {p.name for p in tmp_path.iterdir()}
    assert names >= {"liver.ome.zarr", "liver.html", "liver.csv", "liver.geojson.gz"}
    report = json.loads((tmp_path / "liver.json").read_text())
    fat = next(m for m in report["measurements"] if m["name"] == "fat_area_fraction")
    drawn = st.drawn_liver(2048, 2048, seed=20).source
    assert abs(fat["value"] - drawn.true_fat_percent()) < 2.0  # percentage points
    found = pandas.read_csv(tmp_path / "liver.csv")["diameter_um"]
    large, diameters = (found >= 6).sum(), drawn.true_diameters_um()
    assert abs(large / (diameters >= 6).sum() - 1) < 0.25
    labels = json.loads((tmp_path / "liver.ome.zarr/labels/.zattrs").read_text())
    assert labels == {"labels": ["fat"]}
