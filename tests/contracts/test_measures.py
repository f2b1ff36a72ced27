"""What every row of MEASURES must do; a new measure is tested from the day it is listed."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

from class_maps import crowd, drawn, prediction_of
from napari_steatosis.core.report import Measurement
from napari_steatosis.core.study import SlideFacts
from napari_steatosis.quantify import MEASURES, measure
from napari_steatosis.quantify._evidence import Evidence
from napari_steatosis.quantify.patients import changes_of, compare_groups, patients_of

MAPS = {
    "droplets": drawn(600, 700, crowd(600, 700, 200)),
    "many squares": drawn(2100, 2100, crowd(2100, 2100, 900)),
    "no fat": np.ones((300, 300), np.uint8),
    "all fat": np.full((300, 300), 2, np.uint8),
    "nothing analysed": np.zeros((300, 300), np.uint8),
    "one pixel": np.full((1, 1), 2, np.uint8),
    "one square": drawn(500, 500, crowd(500, 500, 60)),
    "one droplet": drawn(300, 300, [(150, 150, 20)]),
    "fat too small for droplets": np.pad(np.full((2, 2), 2, np.uint8), 150, constant_values=1),
    "few squares": drawn(1500, 1100, crowd(1500, 1100, 400)),
    "an island in glass": np.pad(drawn(90, 90, [(40, 40, 9)]), 700),
}


@pytest.fixture(params=list(MEASURES))
def name(request):
    return request.param


@pytest.mark.parametrize("classes", list(MAPS.values()), ids=list(MAPS))
def test_it_says_what_each_number_is(name, classes):
    found = MEASURES[name](Evidence.gather(prediction_of(classes)))
    assert len(found) > 0
    for one in found:
        assert isinstance(one, Measurement)
        assert isinstance(one.value, float)
        assert len(one.definition) > 10
        assert one.unit in {"", "%", "um", "um^2", "mm^2", "1/mm^2"}
        if one.interval is not None:
            assert one.interval[0] <= one.value <= one.interval[1]
            assert one.n is not None
        json.dumps(one.to_json())


@pytest.mark.parametrize("classes", list(MAPS.values()), ids=list(MAPS))
def test_what_is_undefined_has_a_flag(name, classes):
    report = measure(prediction_of(classes), measures=[name])
    if any(math.isnan(one.value) for one in report.measurements):
        assert "undefined" in " ".join(report.flags).lower()


@pytest.mark.parametrize("classes", list(MAPS.values()), ids=list(MAPS))
def test_every_answer_is_defined_or_says_why_not(name, classes):
    report = measure(prediction_of(classes), measures=[name])
    for one in report.measurements:
        assert not math.isinf(one.value)
        if math.isnan(one.value):
            assert re.match(r"Undefined: .{10,}\.$", one.note), one
            assert one.interval is None
            assert "nan" not in str(one)
        elif one.interval is None and "Interval:" in one.definition:
            assert re.match(r"No interval: .{10,}\.$", one.note), one
        else:
            assert one.note == ""
        if one.interval is not None:
            assert all(map(math.isfinite, one.interval))
    if not classes.any():
        amounts = [one for one in report.measurements if one.unit in ("mm^2", "")]
        assert all(one.value == 0 or one.note for one in amounts)


@pytest.mark.parametrize("classes", list(MAPS.values()), ids=list(MAPS))
def test_one_slide_of_one_patient_is_enough_for_an_answer(classes):
    report = measure(prediction_of(classes))
    (patient,) = patients_of([(report, SlideFacts("P1", group="x", visit="0"))])
    assert patient.interval is None
    assert any("no interval: " in flag for flag in patient.flags)
    if report["tissue_area"].value:
        assert patient.pooled == pytest.approx(report["fat_area_fraction"].value)
        assert patient.mean == pytest.approx(patient.pooled)
    else:
        assert "0 mm^2 of tissue" in patient.flags[0]
    assert changes_of([patient]) == ()
    compared = compare_groups([patient])
    assert all(one.note and one.p is None for one in compared)
    assert len(compared) == math.isfinite(patient.pooled)


def test_the_same_map_gives_the_same_numbers(name):
    prediction = prediction_of(MAPS["many squares"])
    once, again = (MEASURES[name](Evidence.gather(prediction)) for _ in range(2))
    assert once == again
    assert not any(math.isnan(one.value) for one in once)


def test_resolution_does_not_change_what_is_measured(name):
    fine = MAPS["many squares"]
    coarse = MEASURES[name](Evidence.gather(prediction_of(fine, 0.5)))
    doubled = fine.repeat(2, axis=0).repeat(2, axis=1)
    for one, other in zip(
        coarse, MEASURES[name](Evidence.gather(prediction_of(doubled, 0.25))), strict=True
    ):
        assert other.value == pytest.approx(one.value, rel=0.05)


def test_names_are_given_once():
    evidence = Evidence.gather(prediction_of(MAPS["droplets"]))
    names = [one.name for row in MEASURES for one in MEASURES[row](evidence)]
    assert len(names) == len(set(names))
