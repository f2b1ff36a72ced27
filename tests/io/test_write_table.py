from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from class_maps import apart, drawn, prediction_of
from napari_steatosis.core.errors import BadValueError, CannotOpenError
from napari_steatosis.core.report import Measurement, Report, Reports
from napari_steatosis.io._tables import UNIT_SUFFIXES, column_name, unit_of
from napari_steatosis.io.write import write
from napari_steatosis.quantify import measure

HOSTILE = [
    '=HYPERLINK("http://example.org","x")',
    "-2+3+cmd|' /C calc'!A0",
    "+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "＝1",
    "\n=1",
]
HARMLESS = [
    "liver, 017",
    'a "quoted" name',
    "two\nlines",
    "two\rlines, one\r=1",
    "Müller 肝 🔬",
    "a=b",
    "",
    "NULL",
]


@pytest.fixture(scope="module")
def report():
    return measure(prediction_of(drawn(600, 600, apart(10, 10, 60))))


@pytest.fixture(scope="module")
def large():
    """Enough squares for an interval."""
    return measure(prediction_of(drawn(2048, 2048, apart(10, 10, 60))))


def cohort(report, *titles, patients=None):
    return Reports(tuple(replace(report, title=title) for title in titles), patients or {})


def test_csv_has_a_row_per_droplet_with_units_in_the_names(report, tmp_path):
    made = write(report, tmp_path / "slide.csv")
    assert [path.name for path in made] == ["slide.csv", "slide_summary.csv", "slide_tiles.csv"]
    table = pd.read_csv(made[0])
    assert len(table) == 100
    assert {"y_um", "x_um", "area_um2", "diameter_um", "size_class"} <= set(table.columns)
    assert np.abs(table["area_um2"] - report.tables["droplets"]["area_um2"]).max() < 1e-4
    assert set(table["size_class"]) <= {"macro", "micro"}


def test_the_summary_has_a_row_per_measurement(report, tmp_path):
    summary = write(report, tmp_path / "slide.csv")[1]
    with summary.open(encoding="utf-8", newline="") as file:
        rows = {row["measurement"]: row for row in csv.DictReader(file)}
    assert list(rows) == [one.name for one in report.measurements]
    assert float(rows["fat_area_fraction"]["value"]) == report["fat_area_fraction"].value
    assert rows["fat_area_fraction"]["unit"] == "%"
    low = rows["fat_area_fraction"]["ci95_low"]
    assert float(low) == report["fat_area_fraction"].interval[0]
    assert rows["fat_area_fraction"]["n"] == "4"


def test_tiles_add_up_to_the_report(report, tmp_path):
    tiles = pd.read_csv(write(report, tmp_path / "slide.csv")[2])
    assert len(tiles) == report["fat_area_fraction"].n
    assert tiles["tissue_area_um2"].sum() / 1e6 == pytest.approx(report["tissue_area"].value)
    share = 100 * tiles["fat_area_um2"].sum() / tiles["tissue_area_um2"].sum()
    assert share == pytest.approx(report["fat_area_fraction"].value)


def test_parquet_gives_back_what_was_measured(large, tmp_path):
    made = write(large, tmp_path / "slide.parquet")
    stems = ["slide", "slide_summary", "slide_tiles"]
    assert [path.name for path in made] == [f"{stem}.parquet" for stem in stems]
    table = pd.read_parquet(made[0])
    for name, values in large.tables["droplets"].items():
        np.testing.assert_array_equal(table[name].to_numpy(), values, err_msg=name)
    assert table["touches_border"].dtype == bool
    summary = pd.read_parquet(made[1]).set_index("measurement")
    low, high = large["fat_area_fraction"].interval
    assert summary.loc["fat_area_fraction", ["ci95_low", "ci95_high"]].tolist() == [low, high]
    assert summary["n"].dtype == "Int64"


def test_parquet_says_units_and_provenance(large, tmp_path):
    schema = pq.read_schema(write(large, tmp_path / "slide.parquet")[0])
    assert schema.field("area_um2").metadata == {b"unit": b"um^2"}
    assert schema.field("y_px").metadata == {b"unit": b"px"}
    assert schema.field("roundness").metadata is None
    known = json.loads(schema.metadata[b"napari-steatosis"])
    assert known["provenance"]["measure"]["square_um"] == 256.0
    assert known["notice"] == "Research use only. Not a diagnostic device."


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_slides_and_patients(large, suffix, tmp_path):
    patients = {"a.svs": "P1", "b.svs": "P1", "c.svs": "P2"}
    value = cohort(large, "a.svs", "b.svs", "c.svs", "d.svs", patients=patients)
    made = write(value, tmp_path / f"study{suffix}")
    assert [path.name for path in made] == [f"study{suffix}", f"study_patients{suffix}"]
    read = pd.read_csv if suffix == ".csv" else pd.read_parquet
    slides, people = (read(path) for path in made)
    assert slides["slide"].tolist() == ["a.svs", "b.svs", "c.svs", "d.svs"]
    assert slides["patient"].fillna("").tolist() == ["P1", "P1", "P2", ""]
    fat = large["fat_area_fraction"]
    for column, expected in {
        "fat_area_fraction_percent": fat.value,
        "fat_area_fraction_ci95_low_percent": fat.interval[0],
        "fat_area_fraction_ci95_high_percent": fat.interval[1],
        "fat_area_fraction_n": fat.n,
        "tissue_area_mm2": large["tissue_area"].value,
        "droplet_density_per_mm2": large["droplet_density"].value,
        "droplet_diameter_median_um": large["droplet_diameter_median"].value,
        "droplet_count": 100,
    }.items():
        assert slides[column].tolist() == [expected] * 4
    assert people["patient"].tolist() == ["P1", "P2"]
    assert people["slides"].tolist() == [2, 1]
    assert people["tissue_area_mm2"].tolist() == pytest.approx(
        [2 * large["tissue_area"].value, large["tissue_area"].value]
    )
    assert people["fat_area_fraction_percent"].tolist() == pytest.approx([fat.value] * 2)
    assert not [name for name in people if "ci95" in name]


def test_a_patient_is_the_ratio_of_sums_not_the_mean_of_ratios(tmp_path):
    def of(title, tissue, fat):
        areas = {"tissue_area": tissue, "fat_area": fat}
        return Report(title, tuple(Measurement(n, v, "mm^2", "") for n, v in areas.items()))

    value = Reports((of("a", 9.0, 0.9), of("b", 1.0, 0.9)), {"a": "P", "b": "P"})
    _, people = write(value, tmp_path / "study.csv")
    assert pd.read_csv(people)["fat_area_fraction_percent"].tolist() == pytest.approx([18.0])


def test_slides_without_what_others_have_stay_empty(tmp_path):
    first = Report("a", (Measurement("fat_area", 1.5, "mm^2", "", (1.0, 2.0), 9),))
    slides = pd.read_parquet(
        write(Reports((first, Report("b", (), flags=("x", "y")))), tmp_path / "s.parquet")[0]
    )
    assert slides["fat_area_mm2"].isna().tolist() == [False, True]
    assert slides["fat_area_n"].dtype == "Int64"
    assert slides["flags"].tolist() == ["", "x | y"]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_cell_of_a_csv_is_a_formula(report, name, tmp_path):
    value = cohort(report, name, "b", patients={name: name})
    for path in write(value, tmp_path / "study.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert f"'{name}" in cells
        assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n＝"))]
    hostile = replace(report, tables={"droplets": {name: np.array([-1.5]), "text": [name]}})
    with write(hostile, tmp_path / "one.csv")[0].open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [[f"'{name}", "text"], ["-1.5000", f"'{name}"]]


@pytest.mark.parametrize("name", [*HOSTILE, *HARMLESS])
def test_parquet_keeps_any_text(report, name, tmp_path):
    value = cohort(report, name, "b", patients={name: name})
    slides, people = write(value, tmp_path / "study.parquet")
    assert pd.read_parquet(slides)["slide"].tolist() == [name, "b"]
    assert pd.read_parquet(people)["patient"].tolist() == [name]


@pytest.mark.parametrize("name", HARMLESS)
def test_csv_keeps_harmless_text(report, name, tmp_path):
    (slides,) = write(cohort(report, name, "b"), tmp_path / "study.csv")
    read = pd.read_csv(slides, keep_default_na=False, encoding="utf-8")
    assert read["slide"].tolist() == [name, "b"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_no_droplets_keep_the_columns(report, suffix, tmp_path):
    empty = measure(prediction_of(np.zeros((50, 50), np.uint8)))
    for path in write(empty, tmp_path / f"empty{suffix}"):
        full = write(report, tmp_path / f"full{suffix}", overwrite=True)
        other = next(one for one in full if one.stem[4:] == path.stem[5:])
        if suffix == ".csv":
            assert path.read_text("utf-8").splitlines()[0] == other.read_text().splitlines()[0]
        else:
            assert pq.read_schema(path).equals(pq.read_schema(other))
    assert len(pd.read_csv(path) if suffix == ".csv" else pd.read_parquet(path)) == 0


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_no_file_is_made_where_one_of_them_stands_already(report, suffix, tmp_path):
    there = tmp_path / f"slide_tiles{suffix}"
    there.write_text("mine")
    with pytest.raises(CannotOpenError, match="slide_tiles"):
        write(report, tmp_path / f"slide{suffix}")
    assert list(tmp_path.iterdir()) == [there]
    assert there.read_text() == "mine"


def test_a_cohort_that_makes_no_sense_is_refused(report, tmp_path):
    with pytest.raises(BadValueError, match="no report"):
        Reports(())
    with pytest.raises(BadValueError, match="title 'a'"):
        cohort(report, "a", "a")
    with pytest.raises(BadValueError, match=r"'b'.*not among"):
        cohort(report, "a", patients={"b": "P"})
    with pytest.raises(BadValueError, match=r"no tissue_area in mm\^2"):
        write(Reports((Report("a", ()),), {"a": "P"}), tmp_path / "study.csv")
    with pytest.raises(BadValueError, match="'furlong'"):
        write(Reports((Report("a", (Measurement("x", 1, "furlong", ""),)),)), tmp_path / "s.csv")
    assert list(tmp_path.iterdir()) == []


def test_names_tell_their_unit():
    for unit in UNIT_SUFFIXES:
        assert unit_of(column_name("name", unit)) == unit


def test_every_unit_of_a_report_has_a_name(large):
    assert {one.unit for one in large.measurements} <= set(UNIT_SUFFIXES)


def test_json_is_strict_and_undefined_is_null(tmp_path):
    report = measure(prediction_of(np.zeros((50, 50), np.uint8)))
    (path,) = write(report, tmp_path / "slide.json")
    found = json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    values = {one["name"]: one["value"] for one in found["measurements"]}
    assert values["fat_area_fraction"] is None
    assert values["droplet_count"] == 0
    assert found["notice"] == "Research use only. Not a diagnostic device."
    assert found["flags"] == list(report.flags)
