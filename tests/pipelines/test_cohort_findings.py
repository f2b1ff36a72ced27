"""One run over slides that are empty, lean or tiny: nothing undefined is shown without a reason."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from html import unescape
from importlib.util import find_spec

import numpy as np
import pandas
import pytest
from typer.testing import CliRunner

import napari_steatosis as st
from arrays import glass, slide_of
from napari_steatosis.cli import app
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.study import SlideFacts
from napari_steatosis.pipelines._manifest import read_rows
from napari_steatosis.pipelines.slides import read_facts
from napari_steatosis.quantify.calibration import Calibration, fit_calibration

GRADES = 4
PDF = ["--pdf"] if find_spec("plutoprint") else []
SLIDES = {
    "fat": st.drawn_liver(600, 600, seed=5, glass=False),
    "lean": st.drawn_liver(400, 400, seed=6, glass=False, fat_percent=0.0),
    "tile": st.drawn_liver(96, 96, seed=7, glass=False),
    "empty": slide_of(glass(300, 300)),
}


@pytest.fixture(scope="module")
def calibration(tmp_path_factory):
    """Fit grades to the fat of forty patients in the shell."""
    folder = tmp_path_factory.mktemp("lab")
    rows = [(f"L{n}", area) for n, area in enumerate(np.linspace(0.2, 30, 40))]
    graded = [f"{who},{area:.3f},S{np.digitize(area, [1, 9, 22])}" for who, area in rows]
    table = folder / "lab.csv"
    table.write_text("\n".join(["patient,fat_area_fraction_percent,grade", *graded]) + "\n")
    said = ["--measured", "fat_area_fraction_percent", "--expert", "grade", "--kind", "grade"]
    made = CliRunner().invoke(
        app, ["calibrate", str(table), *said, "--patient", "patient", "--out", f"{folder}/lab.json"]
    )
    assert made.exit_code == 0, made.output
    return folder / "lab.json"


def vessel(class_name, kind, corners):
    return {
        "type": "Feature",
        "geometry": {"type": kind, "coordinates": corners},
        "properties": {"objectType": "annotation", "classification": {"name": class_name}},
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory, calibration):
    """Give the folder of the results of one cohort, in the shell, and what was said."""
    folder = tmp_path_factory.mktemp("cohort")
    for name, slide in SLIDES.items():
        st.write(slide, folder / f"{name}.ome.zarr")
    found = st.find_tissue(st.open_slide(folder / "fat.ome.zarr"))
    st.write(found, folder / "mask.png")
    (folder / "vessels.geojson").write_text(json.dumps([
        vessel("Portal tract", "Polygon", [[[60, 60], [120, 60], [120, 120], [60, 60]]]),
        vessel("central vein", "Point", [450, 440]),
    ]))  # fmt: skip
    lines = [f"{name}.ome.zarr,P1,,none,," for name in ("lean", "tile", "empty")]
    lines.append("fat.ome.zarr,P1,mask.png,reinhard,vessels.geojson,nuclei")
    lines[0] = lines[0].replace(",,none", ",0.9,none")
    head = "path,patient,tissue,stain,zones,hepatocytes"
    (folder / "m.csv").write_text("\n".join([head, *lines]) + "\n")
    out = folder / "out"
    done = CliRunner().invoke(
        app,
        ["cohort", f"{folder}/m.csv", "--out", str(out), "--calibration", str(calibration), *PDF],
    )
    assert done.exit_code == 1, done.output
    return out, done.output


def refuse(constant):
    raise ValueError(f"{constant} in JSON")


def text_of(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_a_slide_without_tissue_fails_with_its_reason_and_the_command(run):
    out, _ = run
    with (out / "failed.csv").open() as file:
        (failed,) = csv.DictReader(file)
    assert failed["results"] == "empty"
    assert "tissue" in failed["error"]
    page = text_of((out / "cohort.html").read_text(encoding="utf-8"))
    assert failed["error"] in page
    assert "To try them again: napari-steatosis" in page
    assert "--retry-failed" in page


def test_no_file_holds_a_bare_nan(run):
    out, said = run
    texts = [file for file in out.iterdir() if file.suffix in {".json", ".jsonl", ".csv", ".html"}]
    assert len(texts) > 12
    assert not re.search(r"\bnan\b", said, re.IGNORECASE)
    for file in texts:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".jsonl":
            assert [json.loads(line, parse_constant=refuse) for line in text.splitlines()]
        elif file.suffix == ".json":
            assert json.loads(text, parse_constant=refuse)
        text = re.sub(r"base64,[^\"]+", "", text)
        assert not re.search(r"\b(nan|inf|infinity)\b", text, re.IGNORECASE), file.name


@pytest.mark.parametrize("name", ["fat", "lean", "tile"])
def test_what_is_undefined_says_why(run, name):
    out, _ = run
    told = json.loads((out / f"{name}.json").read_text(encoding="utf-8"))["measurements"]
    undefined = {one["name"]: one["note"] for one in told if one["value"] is None}
    assert all(undefined.values())
    rows = pandas.read_csv(out / f"{name}_summary.csv").set_index("measurement")
    assert set(rows.index[rows["value"].isna()]) == set(undefined)
    page = text_of((out / f"{name}.html").read_text(encoding="utf-8"))
    for measurement, note in undefined.items():
        assert rows.loc[measurement, "note"] == note
        assert note.replace("um", "µm") in page
    if name == "lean":
        assert undefined["droplet_diameter_median"] == "Undefined: no droplet was found."
    if name == "tile":
        assert "of 256 um, and 8 are needed" in undefined["fat_hot_spot"]


def test_the_calibrated_grade_and_its_neighbours_are_in_tables_and_pages(run, calibration):
    out, _ = run
    fitted = Calibration.open(calibration)
    slides = pandas.read_csv(out / "slides.csv").set_index("slide")
    assert list(slides.index) == ["lean", "tile", "fat"]
    shares = [f"calibrated_grade_{grade}_share_percent" for grade in range(GRADES)]
    for name, row in slides.iterrows():
        area = row["fat_area_fraction_percent"]
        assert row["calibrated_grade"] == fitted.predict(area), name
        assert np.allclose(row[shares].astype(float), 100 * fitted.probabilities(area))
    page = text_of((out / "cohort.html").read_text(encoding="utf-8"))
    (patient,) = pandas.read_csv(out / "slides_patients.csv").to_dict("records")
    pooled = patient["fat_area_fraction_percent"]
    assert patient["calibrated_grade"] == fitted.predict(pooled)
    grade = int(patient["calibrated_grade"])
    near = range(max(0, grade - 1), min(GRADES, grade + 2))
    said = [f"{one}: {patient[shares[one]]:.0f}" for one in near]
    assert f"{grade} ({', '.join(said)}" in page
    own = text_of((out / "fat.html").read_text(encoding="utf-8"))
    assert "Grade, calibrated to the expert" in own
    assert "Calibrated grade 3 share" in own


@pytest.mark.skipif(not PDF, reason="needs the extra pdf")
def test_every_page_is_printed_too(run):
    out, _ = run
    pages, prints = (sorted(one.stem for one in out.glob(f"*.{kind}")) for kind in ("html", "pdf"))
    assert pages == prints == ["cohort", "fat", "lean", "tile"]


def test_a_slide_is_analysed_in_the_tissue_and_the_colours_of_its_row(run):
    out, _ = run
    given = json.loads((out / "fat.json").read_text(encoding="utf-8"))["provenance"]
    assert given["stain"]["method"] == "reinhard"
    lean = json.loads((out / "lean.json").read_text(encoding="utf-8"))["provenance"]
    assert lean["stain"] is None
    assert lean["within"]["made_by"]["sensitivity"] == 0.9
    tile = json.loads((out / "tile.json").read_text(encoding="utf-8"))["provenance"]
    assert tile["within"]["made_by"]["sensitivity"] == 0.5


def test_zones_and_nuclei_of_one_row_are_in_tables_and_pages(run):
    out, _ = run
    slides = pandas.read_csv(out / "slides.csv").set_index("slide")
    assert slides.loc["fat", "zone_1_tissue_area_mm2"] > 0
    assert slides.loc["fat", "hepatocyte_nuclei"] > 50
    for name in ("lean", "tile"):
        assert (
            slides.loc[name, ["zone_1_fat_area_fraction_percent", "hepatocyte_nuclei"]].isna().all()
        )
        assert "No zones: portal and central" in slides.loc[name, "flags"]
        assert "not counted by their nuclei" in slides.loc[name, "flags"]
    (patient,) = pandas.read_csv(out / "slides_patients.csv").to_dict("records")
    for column in ("zone_1_fat_area_fraction_percent", "hepatocytes_with_fat_percent"):
        assert patient[column] == pytest.approx(slides.loc["fat", column])
    assert patient["hepatocyte_nuclei_slides"] == 1
    assert "Of 1 of 3 slides" in patient["flags"]
    own = text_of((out / "fat.html").read_text(encoding="utf-8"))
    assert "zones by the distance to the drawn regions" in own
    assert "Hepatocytes by their nuclei" in own
    page = text_of((out / "cohort.html").read_text(encoding="utf-8"))
    assert "Zone 1, periportal: fat, %" in page
    assert "With fat, by nuclei, %" in page


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("nowhere.geojson,", "nowhere.geojson, of the column zones, is not there"),
        (",by hand", "hepatocytes is 'by hand'; write one of squares, nuclei"),
    ],
)
def test_zones_and_counting_of_a_row_are_checked_first(tmp_path, cells, said):
    (tmp_path / "a.svs").touch()
    (tmp_path / "m.csv").write_text(f"path,zones,hepatocytes\na.svs,{cells}\n")
    with pytest.raises(BadValueError, match=said):
        read_rows(tmp_path / "m.csv")


def test_a_manifest_says_whose_slides_they_are_to_analyse_too(tmp_path):
    table = tmp_path / "m.csv"
    table.write_text("Slide;patient;visit;group;mpp\nin/a.ome.zarr;P1;2;x;\nb.svs;P2;1;y;0.5\n")
    known = {"a": SlideFacts("P1", "2", "x"), "b": SlideFacts("P2", "1", "y")}
    assert read_facts(table) == known


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["a,,1"], "row 2: it names no slide or no patient"),
        (["a,P1,1", "a,P2,1"], "row 3: of the slide 'a' it says patient 'P2'.*row 2 patient 'P1'"),
        (["a,P1,x", "b,P1,y"], "row 3: patient 'P1' is in group 'y', and in row 2 in 'x'"),
    ],
)
def test_a_table_of_patients_that_cannot_be_used_is_refused(tmp_path, rows, said):
    table = tmp_path / "m.csv"
    table.write_text("\n".join(["slide,patient,group", *rows]) + "\n")
    with pytest.raises(BadValueError, match=f"(?s){said}"):
        read_facts(table)


def test_cut_offs_that_nobody_passes_are_kept_as_text(tmp_path):
    area = np.linspace(1, 20, 30)
    fitted = fit_calibration(area, np.where(area > 10, 3, 0), kind="grade")
    endless = replace(fitted, curve=((-np.inf, 10.0, np.inf), fitted.curve[1]))
    path = endless.save(tmp_path / "a.json")
    json.loads(path.read_text(), parse_constant=refuse)
    assert Calibration.open(path) == endless
