"""What every row of MEASURES must do; a new measure is tested from the day it is listed."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from class_maps import crowd, drawn, prediction_of
from napari_steatosis.core.report import Measurement
from napari_steatosis.quantify import MEASURES, measure
from napari_steatosis.quantify._evidence import Evidence

MAPS = {
    "droplets": drawn(600, 700, crowd(600, 700, 200)),
    "many squares": drawn(2100, 2100, crowd(2100, 2100, 900)),
    "no fat": np.ones((300, 300), np.uint8),
    "all fat": np.full((300, 300), 2, np.uint8),
    "nothing analysed": np.zeros((300, 300), np.uint8),
    "one pixel": np.full((1, 1), 2, np.uint8),
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
