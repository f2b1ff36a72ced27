"""Cells, areas and mean probabilities of a classified slide."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas
import pytest

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.geometry import Frame
from napari_steatosis.core.prediction import Prediction
from napari_steatosis.io.write import write
from napari_steatosis.quantify import measure_classes

NAMES = ("calm", "busy", "torn")


def classified(height: int = 1100, width: int = 30, **known: object) -> Prediction:
    """Return random cells of two of three classes, a third of them not analysed."""
    rng = np.random.default_rng(5)
    values = rng.integers(0, 256, (3, height, width), dtype=np.uint8)
    classes = rng.integers(0, 3, (height, width), dtype=np.uint8)
    values[:, classes == 0] = 0
    frame = Frame((112.0, 110.0), (55.75, 54.75))
    return Prediction("classes", [classes], NAMES, frame, probabilities=[values], **known)


def test_the_table_counts_what_is_there():
    found = classified()
    classes, values = found.levels[0], found.probabilities[0] / 255
    table = pandas.DataFrame(dict(measure_classes(found).tables["classes"])).set_index("class")
    assert list(table.index) == list(NAMES)
    analysed = classes > 0
    for i, name in enumerate(NAMES):
        own, row = classes == i + 1, table.loc[name]
        assert row["cells"] == own.sum()
        assert row["area_mm2"] == pytest.approx(own.sum() * 0.112 * 0.110)
        assert row["share_percent"] == pytest.approx(100 * own.sum() / analysed.sum())
        assert row["mean_probability"] == pytest.approx(values[i][analysed].mean())
    busy = table.loc["busy", "mean_probability_of_own_cells"]
    assert busy == pytest.approx(values[1][classes == 2].mean())
    assert math.isnan(table.loc["torn", "mean_probability_of_own_cells"])
    assert table["share_percent"].sum() == pytest.approx(100)


def test_the_measurements_say_the_same_with_their_units():
    found = classified()
    report = measure_classes(found)
    table = report.tables["classes"]
    assert report["busy_cells"].value == table["cells"][1]
    assert str(report["busy_area"]) == f"{table['area_mm2'][1]:.4g} mm^2"
    assert report["busy_share"].value == table["share_percent"][1]
    assert report["busy_mean_probability"].value == 100 * table["mean_probability"][1]
    assert report["analysed_area"].value == pytest.approx(table["area_mm2"].sum())
    assert report.flags == ()


def test_it_is_written_as_tables_and_json(tmp_path):
    report = measure_classes(classified())
    made = write(report, tmp_path / "a_classes.csv")
    assert [file.name for file in made] == ["a_classes.csv", "a_classes_summary.csv"]
    rows = pandas.read_csv(made[0])
    assert list(rows["class"]) == list(NAMES)
    assert np.allclose(rows["mean_probability"], report.tables["classes"]["mean_probability"])
    summary = pandas.read_csv(made[1]).set_index("measurement")
    assert summary.loc["busy_area", "unit"] == "mm^2"
    write(report, tmp_path / "a.json")
    said = json.loads((tmp_path / "a.json").read_text())
    assert said["notice"].startswith("Research use only")
    assert {m["unit"] for m in said["measurements"]} == {"", "mm^2", "%"}
    assert write(report, tmp_path / "a.parquet")


def test_nothing_classified_is_said_and_gives_no_number():
    empty = classified(4, 4)
    empty.levels[0][:] = 0
    empty.probabilities[0][:] = 0
    report = measure_classes(empty)
    assert math.isnan(report["busy_share"].value)
    assert report["busy_area"].value == 0
    assert any("Nothing was classified" in flag for flag in report.flags)


def test_failures_and_a_given_pixel_size_are_flagged():
    known = {"slide": {"um_per_px_source": "given by the user"}}
    report = measure_classes(classified(failed=("a.svs: torn strip",), provenance=known))
    assert any("torn strip" in flag for flag in report.flags)
    assert any("given by the user" in flag for flag in report.flags)


def test_a_class_map_without_probabilities_is_not_of_a_classifier():
    fat = Prediction("fat", [np.ones((4, 4), np.uint8)], ("tissue", "fat"), Frame((0.5, 0.5)))
    with pytest.raises(BadValueError, match="no probabilities"):
        measure_classes(fat)


def test_shares_of_nothing_say_why_they_are_undefined():
    empty = np.zeros((4, 4), np.uint8)
    report = measure_classes(
        Prediction("classes", [empty], ("calm", "busy"), Frame((100.0, 100.0)),
                   probabilities=[np.zeros((2, 4, 4), np.uint8)])
    )  # fmt: skip
    for name in ("calm_share", "busy_mean_probability"):
        assert np.isnan(report[name].value)
        assert report[name].note == "Undefined: nothing was classified."
