"""Agreement and calibration in the shell, and the page and numbers that come of them."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_steatosis.cli import app
from napari_steatosis.core.errors import BadValueError, CannotOpenError
from napari_steatosis.quantify.calibration import Calibration

MEASURED = ("--measured", "fat_area_fraction_percent")


@pytest.fixture
def table(tmp_path):
    """Fifty patients, two rows each, with an expert's score and grade."""
    random, lines = np.random.default_rng(1), ["patient;fat_area_fraction_percent;score;grade"]
    for number, area in enumerate(random.uniform(0.3, 25, 50)):
        score = float(np.clip(3.5 * area + random.normal(0, 3), 0, 100))
        for shift in (-0.1, 0.1):
            grade = f"S{np.digitize(score, [5, 33, 66])}"
            lines.append(f"P{number};{area + shift:.3f};{score:.2f};{grade}")
    path = tmp_path / "lab.csv"
    path.write_text("\n".join([*lines, "P50;;12;S1"]) + "\n", encoding="utf-8")
    return path


def shell(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=True)


def test_agreement_is_printed_and_written_per_patient(table, tmp_path):
    options = (*MEASURED, "--expert", "score", "--patient", "patient", "--out", tmp_path / "out")
    done = shell("agreement", table, *options)
    assert done.exit_code == 0, done.output
    assert "n = 50" in done.output
    assert "icc_2_1" in done.output
    assert "1 of 101 rows were left out" in done.output
    found = json.loads((tmp_path / "out/agreement.json").read_text(encoding="utf-8"))
    values = {one["name"]: one["value"] for one in found["statistics"]}
    assert found["pairs"] == 50
    assert 0.25 < values["slope"] < 0.31
    page = (tmp_path / "out/agreement.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 1
    assert "http" not in re.sub(r"base64,[^\"]+", "", page)
    assert "Research use only" in page
    again = shell("agreement", table, *options)
    assert isinstance(again.exception, CannotOpenError)


def test_a_grade_and_an_area_share_nothing_but_ranks(table, tmp_path):
    done = shell("agreement", table, *MEASURED, "--expert", "grade", "--out", tmp_path, "--json")
    found = json.loads(done.stdout)
    assert [one["name"] for one in found["statistics"]] == ["spearman_rho"]
    assert "calibrate first" in found["note"]


@pytest.mark.parametrize(
    ("kind", "expert", "said"), [("linear", "score", "icc_2_1"), ("grade", "grade", "begins at")]
)
def test_a_calibration_is_checked_and_saved(table, tmp_path, kind, expert, said):
    options = (*MEASURED, "--expert", expert, "--patient", "patient", "--kind", kind)
    done = shell("calibrate", table, *options, "--out", tmp_path / "lab.json")
    assert done.exit_code == 0, done.output
    assert said in done.output
    assert "each predicted from" in done.output
    saved = Calibration.open(tmp_path / "lab.json")
    assert (saved.kind, saved.n, saved.measured) == (kind, 50, "fat_area_fraction_percent")
    again = shell("calibrate", table, *options, "--out", tmp_path / "lab.json")
    assert isinstance(again.exception, CannotOpenError)


def test_what_cannot_be_used_is_named(table, tmp_path):
    done = shell("agreement", table, "--measured", "area", "--expert", "score", "--out", tmp_path)
    assert isinstance(done.exception, BadValueError)
    assert "no column 'area'; it has: patient, fat_area_fraction_percent" in str(done.exception)
    table.write_text(table.read_text(encoding="utf-8").replace("P3;", "P3;ca. "), encoding="utf-8")
    done = shell("agreement", table, *MEASURED, "--expert", "score", "--out", tmp_path)
    assert "row 8: fat_area_fraction_percent is 'ca." in str(done.exception)
    assert list(tmp_path.iterdir()) == [table]
