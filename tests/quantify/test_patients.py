"""The patient is the unit: pooled and mean forms, intervals that cover, changes, groups."""

from __future__ import annotations

import math

import numpy as np
import pytest

from measured import measured
from napari_steatosis.core.study import PatientFat, SlideFacts
from napari_steatosis.quantify.patients import (
    changes_of,
    compare_groups,
    in_order,
    patients_of,
    slide_interval,
)


def patient(name, value, group="", visit=""):
    return PatientFat(name, visit, group, 1, 10.0, value / 10, value, value, (value, value))


def test_a_patient_is_pooled_by_tissue_and_averaged_by_slide():
    slides = [
        (measured("a", 1.0, 10.0), SlideFacts("P1", group="x")),
        (measured("b", 9.0, 30.0), SlideFacts("P1")),
        (measured("c", 2.0, 40.0), SlideFacts("P1")),
        (measured("d", 5.0, 10.0), SlideFacts()),
    ]
    (one,) = patients_of(slides)
    assert (one.patient, one.group, one.slides) == ("P1", "x", 3)
    assert one.tissue_mm2 == 80.0
    assert one.pooled == pytest.approx(15.0)
    assert one.mean == pytest.approx((10 + 30 + 5) / 3)
    assert one.span == (5.0, 30.0)
    assert one.interval[0] < 15 < one.interval[1]
    assert one.flags == ()


def test_little_tissue_few_slides_and_none_are_said():
    few, empty = patients_of(
        [
            (measured("a", 0.1, 0.4), SlideFacts("P1")),
            (measured("c", 0.0, 0.0), SlideFacts("P2")),
        ]
    )
    assert few.interval is None
    assert few.flags[0] == "0.4 mm^2 of tissue in all, less than 1 mm^2"
    assert few.flags[1] == "no interval: 1 slide with tissue, 2 are needed"
    assert math.isnan(empty.pooled)
    assert "0 mm^2 of tissue" in empty.flags[0]


def test_slides_that_do_not_differ_give_no_interval_of_width_0():
    interval, reason = slide_interval(np.zeros(4), np.full(4, 5.0))
    assert interval is None
    assert reason == "no interval: its slides do not differ"


def test_visits_are_in_time():
    assert in_order(["2024-03-01", "2023-12-01"]) == ["2023-12-01", "2024-03-01"]
    assert in_order(["w24", "w4", "w12"]) == ["w4", "w12", "w24"]
    assert in_order(["week 4", "month 1"]) == ["week 4", "month 1"]


def test_a_change_is_against_the_patients_own_first_visit():
    visits = [
        patient("P1", 12.0, visit="24"),
        patient("P1", 20.0, visit="0"),
        patient("P2", 9.0, visit="12"),
        patient("P2", 4.0, visit="24"),
        patient("P3", 1.0, visit="0"),
    ]
    found = [(one.patient, one.first, one.visit, one.points) for one in changes_of(visits)]
    assert found == [("P1", "0", "24", -8.0), ("P2", "12", "24", -5.0)]


def test_two_groups_are_compared_with_the_patient_as_the_unit():
    random = np.random.default_rng(1)
    patients = [patient(f"a{i}", v, "placebo") for i, v in enumerate(random.normal(20, 3, 15))]
    patients += [patient(f"b{i}", v, "drug") for i, v in enumerate(random.normal(10, 3, 12))]
    (one,) = compare_groups(patients)
    assert [(group.name, len(group.values)) for group in one.groups] == [
        ("placebo", 15),
        ("drug", 12),
    ]
    assert one.test == "Mann-Whitney U"
    assert one.p < 1e-4
    assert one.interval[0] < one.difference < one.interval[1] < -5


def test_more_groups_one_group_one_patient_and_no_difference_have_answers():
    three = [patient(f"{g}{i}", i + 5.0 * g, str(g)) for g in range(3) for i in range(4)]
    assert compare_groups(three)[0].test == "Kruskal-Wallis"
    assert "One group" in compare_groups([patient("a", 1.0, "x")])[0].note
    (few,) = compare_groups([patient("a", 1.0, "x"), patient("b", 3.0, "y")])
    assert (few.p, few.difference) == (None, 2.0)
    assert "'x' has one patient" in few.note
    same = [patient(f"{g}{i}", 2.0, g) for g in "xy" for i in range(3)]
    assert "same value" in compare_groups(same)[0].note
    assert compare_groups([patient("a", 1.0)]) == ()


def test_groups_are_compared_at_each_visit_on_its_own():
    visits = [
        patient(f"{g}{i}", i + v * 1.0, g, visit=str(v))
        for g in "xy"
        for i in range(3)
        for v in (24, 0)
    ]
    assert [one.visit for one in compare_groups(visits)] == ["0", "24"]
