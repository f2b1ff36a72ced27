"""From the reports of slides to the tables of a study."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import numpy as np
import pandas
import pytest

from measured import measured
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.report import RESEARCH_USE
from napari_steatosis.core.study import SlideFacts
from napari_steatosis.io.write import write
from napari_steatosis.io.write_report import share
from napari_steatosis.pipelines._manifest import read_rows
from napari_steatosis.pipelines.slides import write_slides
from napari_steatosis.pipelines.study import study_of
from napari_steatosis.quantify._calibrated import with_calibration
from napari_steatosis.quantify.calibration import fit_calibration

GROUPS = ("placebo", "drug")


def trial(expert=lambda fat: f"{4 * fat:.1f}"):
    """Twelve patients in two groups, two visits, three slides each."""
    random, reports, facts = np.random.default_rng(3), [], {}
    for number in range(12):
        first = random.uniform(5, 25)
        for visit, whole in (("0", first), ("24", first * (1 - 0.5 * (number % 2)))):
            for slide in range(3):
                title = f"P{number}-{visit}-{slide}"
                share = max(0.1, whole + random.normal(0, 1))
                reports.append(measured(title, share / 10, hepatocyte_equivalent=3 * share))
                group = GROUPS[number % 2]
                said = expert(share) if visit == "0" else ""
                facts[title] = SlideFacts(f"P{number}", visit, group, said)
    return reports, facts


def test_the_tables_of_a_study_hold_each_level(tmp_path):
    reports, facts = trial()
    files = write_slides(study_of(reports, facts), tmp_path)
    assert files.pop().name == "cohort.html"
    tables = {file.stem: pandas.read_csv(file) for file in files}
    assert {name: len(table) for name, table in tables.items()} == {
        "slides": 72,
        "slides_patients": 12,
        "slides_visits": 24,
        "slides_changes": 12,
        "slides_groups": 4,
        "slides_agreement": 13,
    }
    assert list(tables["slides"].columns[:5]) == ["slide", "patient", "visit", "group", "expert"]
    changes = tables["slides_changes"].groupby("group")["fat_area_fraction_change_percent"].mean()
    assert changes["drug"] < changes["placebo"] - 3
    visits = tables["slides_visits"]
    assert (visits["slides"] == 3).all()
    assert (
        visits["fat_area_fraction_ci95_low_percent"] < visits["fat_area_fraction_percent"]
    ).all()


def test_tables_that_no_longer_hold_are_removed(tmp_path):
    reports, facts = trial()
    write_slides(study_of(reports, facts), tmp_path)
    write_slides(study_of(reports[:2], {}), tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"slides.csv", "cohort.html"}


def test_an_experts_numbers_are_paired_by_patient():
    found = study_of(*trial()).agreement
    assert len(found.measured) == 12
    values = {one.name: one for one in found.statistics}
    assert values["pearson_r"].value > 0.999
    assert values["bias"].value < -10
    assert found.of == "fat_area_fraction"


def test_an_experts_grades_are_compared_with_grades():
    reports, facts = trial(lambda fat: f"S{int(np.digitize(3 * fat, [5, 33, 66]))}")
    found = study_of(reports, facts).agreement
    assert found.of == "steatosis_grade"
    kappa = found.statistics[0]
    assert kappa.name == "weighted_kappa"
    assert kappa.value > 0.8
    assert kappa.value == 1
    assert kappa.interval is None
    assert "agree perfectly" in kappa.note
    same = found.statistics[1]
    assert same.interval[0] < same.interval[1] == same.value == 100


def test_a_calibrated_value_is_what_the_expert_is_compared_with():
    fitted = fit_calibration(np.arange(30.0), 4 * np.arange(30.0), kind="linear")
    found = study_of(*trial(), calibration=fitted).agreement
    values = {one.name: one.value for one in found.statistics}
    assert found.of == "calibrated_score"
    assert abs(values["bias"]) < 0.1


def test_few_patients_with_an_expert_get_a_reason_and_no_numbers():
    found = study_of([measured("a", 1.0)], {"a": SlideFacts("P", expert="12")}).agreement
    assert found.statistics == ()
    assert "1 patient with both values; 3 are needed" in found.note


def test_what_is_left_out_is_a_flag():
    reports, facts = trial()
    facts[reports[0].title] = SlideFacts()
    facts[reports[1].title] = SlideFacts("P0")
    reports[2] = replace(reports[2], flags=("blurred",))
    text = "\n".join(study_of(reports, facts, failed={"x": "no"}).flags)
    assert "1 slide failed" in text
    assert "1 slide without a patient" in text
    assert "1 slide without a visit" in text
    assert "1 slide with flags" in text


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("a", "P1", "x", ""), ("b", "P1", "y", "")], "'P1' is in group 'y', and in row 1 in 'x'"),
        ([("a", "P1", "x", "much"), ("b", "P1", "x", "")], "expert is 'much'"),
        ([("a", "P1", "x", "S1"), ("b", "P2", "x", "12")], "Give grades or numbers, not both"),
    ],
)
def test_contradictions_in_a_manifest_are_named(tmp_path, rows, said):
    made = []
    for name, patient, group, expert in rows:
        (tmp_path / f"{name}.svs").touch()
        path = tmp_path / f"{name}.svs"
        made.append({"path": path, "patient": patient, "group": group, "expert": expert})
    with pytest.raises(BadValueError, match=said):
        read_rows(made)


def test_a_calibration_adds_a_score_and_says_where_it_guesses():
    fitted = fit_calibration(
        np.arange(30.0),
        4 * np.arange(30.0),
        kind="isotonic",
        names=("fat_area_fraction_percent", "expert_percent"),
    )
    inside = with_calibration(measured("a", 1.05), fitted)
    assert inside["calibrated_score"].value == pytest.approx(42.0)
    assert inside["calibrated_score"].unit == "%"
    low, high = inside["calibrated_score"].interval
    assert low <= 42 <= high
    assert inside.flags == ()
    assert inside.provenance["calibration"]["patients"] == 30
    assert "is a guess" in with_calibration(measured("a", 5.0), fitted).flags[0]
    assert np.isnan(with_calibration(measured("a", 0, 0), fitted)["calibrated_score"].value)


def test_a_calibration_of_grades_adds_their_shares():
    area = np.linspace(0.2, 20, 60)
    fitted = fit_calibration(area, np.digitize(area, [1, 4, 11]), kind="grade")
    found = with_calibration(measured("a", 0.6), fitted)
    assert found["calibrated_grade"].value == 2
    shares = [found[f"calibrated_grade_{number}_share"].value for number in range(4)]
    assert sum(shares) == pytest.approx(100)
    assert shares[2] > 90


def test_a_calibration_of_something_else_is_refused():
    fitted = fit_calibration(
        np.arange(30.0), np.arange(30.0), kind="linear", names=("x_area", "expert")
    )
    with pytest.raises(BadValueError, match="'x_area', which 'a' does not have"):
        with_calibration(measured("a", 1.0), fitted)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    reports, facts = trial()
    study = study_of(reports, facts, title="A <trial>", failed={"broken": "is no slide"})
    (path,) = write(study, tmp_path_factory.mktemp("page") / "study.html")
    return study, path.read_text(encoding="utf-8")


def test_the_page_of_a_study_needs_nothing_else(page):
    _, text = page
    assert text.count("data:image/png;base64,") == 3
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!data:)", text)
    assert "http" not in re.sub(r"base64,[^\"]+", "", text)


def test_the_page_of_a_study_says_what_its_tables_hold(page):
    study, text = page
    plain = " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())
    assert "A <trial>" in plain
    assert RESEARCH_USE in plain
    assert "broken is no slide" in plain
    assert "Mann-Whitney U" in plain
    for one in (*study.patients, *study.visits):
        assert f"{share(one.pooled)} {share(one.interval[0])} to {share(one.interval[1])}" in plain
    for change in study.changes:
        assert (
            f"0 → 24 {share(change.before)} {share(change.after)} {share(change.points)}" in plain
        )
    for statistic in study.agreement.statistics:
        assert statistic.name in plain


def test_a_study_of_nobody_says_so(tmp_path):
    (path,) = write(study_of([measured("a", 1.0)], {}), tmp_path / "study.html")
    text = path.read_text(encoding="utf-8")
    assert "The manifest names no patient" in text
    assert re.search(r"\bnan\b", text, re.IGNORECASE) is None
