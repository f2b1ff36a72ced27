from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from scipy import stats

from napari_steatosis.core.errors import BadValueError, CannotOpenError
from napari_steatosis.quantify.calibration import Calibration, check_calibration, fit_calibration
from napari_steatosis.quantify.kappa import weighted_kappa


@pytest.fixture(scope="module")
def pairs():
    random = np.random.default_rng(8)
    area = random.gamma(1.2, 4, 80)
    return area, np.clip(4 * area + random.normal(0, 4, 80), 0, 95)


@pytest.mark.parametrize("kind", ["linear", "isotonic"])
def test_a_curve_is_found_again(pairs, kind):
    fitted = fit_calibration(*pairs, kind=kind)
    asked = np.linspace(1, 12, 12)
    assert fitted.predict(asked) == pytest.approx(4 * asked, abs=6)
    assert (np.diff(fitted.predict(np.linspace(0, 30, 50))) >= 0).all()
    low, high = fitted.interval(8.0)
    assert low <= 32 <= high
    assert np.isnan(fitted.predict(np.nan))


def test_cut_offs_are_the_best_there_are():
    """Against every choice of three cut-offs on few values."""
    random = np.random.default_rng(2)
    area = random.uniform(0, 10, 14)
    grade = np.clip(np.digitize(area + random.normal(0, 1.5, 14), [2, 5, 8]), 0, 3)
    grade[np.argmax(area)] = 3
    fitted = fit_calibration(area, grade, kind="grade")
    own = ((fitted.predict(area) - grade) ** 2).sum()
    edges = np.concatenate([[-1], (np.sort(area)[1:] + np.sort(area)[:-1]) / 2, [11]])
    best = min(
        ((np.searchsorted([a, b, c], area, side="right") - grade) ** 2).sum()
        for i, a in enumerate(edges)
        for j, b in enumerate(edges[i:], i)
        for c in edges[j:]
    )
    assert own == best


def test_probabilities_of_grades_add_up_and_peak_in_the_middle_of_a_grade(pairs):
    area, percent = pairs
    fitted = fit_calibration(area, np.digitize(percent, [5, 33, 66]), kind="grade")
    sure = fitted.probabilities(4.0)
    assert sure.sum() == pytest.approx(1)
    assert sure[1] > 0.9
    cut = fitted.curve[0][1]
    assert 0.05 < fitted.probabilities(cut)[1] < 0.95
    with pytest.raises(BadValueError, match="no grades"):
        fit_calibration(area, percent, kind="linear").probabilities(1.0)


@pytest.mark.parametrize("kind", ["linear", "isotonic", "grade"])
def test_it_is_kept_as_json(pairs, kind, tmp_path):
    area, percent = pairs
    expert = np.digitize(percent, [5, 33, 66]) if kind == "grade" else percent
    fitted = fit_calibration(area, expert, kind=kind)
    assert Calibration.open(fitted.save(tmp_path / "lab.json")) == fitted
    assert [path.name for path in tmp_path.iterdir()] == ["lab.json"]


def test_what_is_no_calibration_is_refused(tmp_path):
    with pytest.raises(CannotOpenError, match="no calibration"):
        Calibration.open(tmp_path / "none.json")
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"format": 2, "kind": "linear"}))
    with pytest.raises(CannotOpenError, match="format 2"):
        Calibration.open(other)


@pytest.mark.parametrize(
    ("measured", "expert", "kind", "said"),
    [
        (np.arange(5), np.arange(5), "linear", "5 complete pairs"),
        (np.arange(20), -np.arange(20), "linear", "do not rise"),
        (np.ones(20), np.arange(20), "linear", "do not rise"),
        (np.arange(20), np.arange(20) + 0.5, "grade", "whole numbers"),
        (np.arange(20), np.arange(19), "linear", "do not pair"),
        (np.arange(20), np.arange(20), "cubic", "one of linear"),
    ],
)
def test_bad_input(measured, expert, kind, said):
    with pytest.raises(BadValueError, match=said):
        fit_calibration(measured, expert, kind=kind)


def test_real_slides_and_their_grades(shared_data):
    """109 GTEx livers: area of fat by another program, grade 0 to 3 by a pathologist."""
    table = shared_data / "liver" / "liverquant" / "gtex_liver_steatosis_dataset.csv"
    with table.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    area = np.array([float(row["SPA"]) for row in rows])
    grade = np.array([int(row["Steatosis"]) for row in rows])
    rank = stats.spearmanr(area, grade)[0]
    found = check_calibration(area, grade, kind="grade")
    assert len(rows) == 109
    assert rank == pytest.approx(0.749, abs=0.001)
    assert found.kappa == pytest.approx(0.666, abs=0.001)
    # Cut-offs that are meant for the share of hepatocytes grade nearly everything too low.
    wrong = weighted_kappa(np.digitize(area, [5, 33, 66]), grade, grades=4)
    assert wrong < found.kappa - 0.3
