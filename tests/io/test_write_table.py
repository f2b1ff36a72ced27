from __future__ import annotations

import csv
import json

import numpy as np
import pandas as pd
import pytest

from class_maps import apart, drawn, prediction_of
from napari_steatosis.io.write import write
from napari_steatosis.quantify import measure


@pytest.fixture(scope="module")
def report():
    return measure(prediction_of(drawn(600, 600, apart(10, 10, 60))))


def test_csv_has_a_row_per_droplet_with_units_in_the_names(report, tmp_path):
    made = write(report, tmp_path / "slide.csv")
    assert [path.name for path in made] == ["slide.csv", "slide_summary.csv"]
    table = pd.read_csv(made[0])
    assert len(table) == 100
    assert {"y_um", "x_um", "area_um2", "diameter_um", "size_class"} <= set(table.columns)
    assert np.abs(table["area_um2"] - report.tables["droplets"]["area_um2"]).max() < 1e-4
    assert set(table["size_class"]) <= {"macro", "micro"}


def test_the_summary_has_a_row_per_measurement(report, tmp_path):
    _, summary = write(report, tmp_path / "slide.csv")
    with summary.open(encoding="utf-8", newline="") as file:
        rows = {row["measurement"]: row for row in csv.DictReader(file)}
    assert list(rows) == [one.name for one in report.measurements]
    assert float(rows["fat_area_fraction"]["value"]) == report["fat_area_fraction"].value
    assert rows["fat_area_fraction"]["unit"] == "%"
    assert rows["fat_area_fraction"]["ci95_low"] == ""  # too few squares


def test_json_is_strict_and_undefined_is_null(tmp_path):
    report = measure(prediction_of(np.zeros((50, 50), np.uint8)))
    (path,) = write(report, tmp_path / "slide.json")
    found = json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    values = {one["name"]: one["value"] for one in found["measurements"]}
    assert values["fat_area_fraction"] is None
    assert values["droplet_count"] == 0
    assert found["notice"] == "Research use only. Not a diagnostic device."
    assert found["flags"] == list(report.flags)
