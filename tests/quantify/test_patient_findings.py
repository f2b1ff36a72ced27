"""Zones, hepatocytes and grade of patients, from slides whose values are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_steatosis.core.report import Measurement, Report
from napari_steatosis.quantify._patient_findings import RATIO, findings_of

ZONED = [f"zone_{n}_{end}" for n in (1, 2, 3) for end in ("tissue_area", "fat_area_fraction")]


def slide(title, **values):
    units = {"tissue_area": "mm^2", "fraction": "%", "fat": "%", "equivalent": "%"}
    made = [
        Measurement(
            name, value, units.get(name.split("_", 2)[-1], "%"), f"Zone {name[5:6]}: of it."
        )
        for name, value in values.items()
    ]
    return Report(title, tuple(made))


def zoned(title, fat, areas=(1.0, 1.0, 1.0)):
    parts = zip((1, 2, 3), fat, areas, strict=True)
    values = {}
    for number, share, area in parts:
        values |= {f"zone_{number}_tissue_area": area, f"zone_{number}_fat_area_fraction": share}
    return slide(title, **values, zone_3_to_1_ratio=1.0)


def found(*slides, names=(*ZONED, RATIO)):
    return {one.name: one for one in findings_of(slides, names)}


def test_zones_are_pooled_by_their_area():
    own = found(zoned("a", (2, 4, 8), (1, 2, 3)), zoned("b", (10, 4, 20), (3, 2, 1)))
    assert own["zone_1_fat_area_fraction"].value == pytest.approx((2 * 1 + 10 * 3) / 4)
    assert own["zone_3_fat_area_fraction"].value == pytest.approx((8 * 3 + 20 * 1) / 4)
    assert own["zone_1_tissue_area"].value == 4
    assert own[RATIO].value == pytest.approx((44 / 4) / (32 / 4))
    assert own["zone_1_fat_area_fraction"].n == 2


def test_slides_that_differ_give_intervals():
    own = found(*(zoned(str(n), (2 + 0.3 * n, 4, 8 - 0.5 * n)) for n in range(4)))
    for name in ("zone_1_fat_area_fraction", RATIO):
        low, high = own[name].interval
        assert low < own[name].value < high
        assert not own[name].note


def test_a_patient_without_zones_says_why():
    own = found(slide("a"))
    assert all(math.isnan(one.value) and one.note for one in own.values())
    assert "no portal or central region" in own["zone_1_tissue_area"].note


def test_slides_without_zones_are_counted_out():
    own = found(slide("a"), zoned("b", (2, 4, 8)))
    assert own["zone_1_fat_area_fraction"].value == 2
    assert own["zone_1_fat_area_fraction"].n == 1
    assert "Of 1 of 2 slides" in own["zone_1_fat_area_fraction"].note


def test_no_fat_in_zone_1_gives_no_ratio():
    own = found(zoned("a", (0, 4, 8)))
    assert math.isnan(own[RATIO].value)
    assert own[RATIO].note == "Undefined: there is no fat in zone 1."


def test_the_grade_rests_on_nuclei_where_there_are_any():
    names = ("hepatocyte_equivalent", "hepatocytes_with_fat", "hepatocyte_nuclei")
    squares = {"hepatocyte_equivalent": 80.0, "tissue_area": 2.0}
    both = (slide("a", hepatocytes_with_fat=20.0, hepatocyte_nuclei=100.0, **squares),
            slide("b", **squares))  # fmt: skip
    own = found(*both, names=names)
    assert own["steatosis_grade"].value == 1
    assert "hepatocytes_with_fat" in own["steatosis_grade"].definition
    own = found(slide("b", **squares), names=names)
    assert own["steatosis_grade"].value == 3
    assert own["steatosis_grade"].note.endswith("Grade by squares.")
    assert math.isnan(own["hepatocytes_with_fat"].value)
    assert "on no slide" in own["hepatocytes_with_fat"].note


def test_the_interval_of_the_ratio_holds_the_truth_at_about_its_rate():
    runs, slides, true = 300, 5, 2.0
    held = 0
    for seed in range(runs):
        random = np.random.default_rng(seed)
        level = random.lognormal(math.log(5), 0.3, slides)
        ratio = true * random.lognormal(0, 0.3, slides)
        own = found(*(zoned(str(n), (level[n], 4, level[n] * ratio[n])) for n in range(slides)))
        low, high = own[RATIO].interval
        held += low <= true * math.exp(0.3**2 / 2) <= high
    assert 0.9 <= held / runs <= 0.99
