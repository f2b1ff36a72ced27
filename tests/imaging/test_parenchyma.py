"""Parenchyma: tissue less what is named, and the provenance that says so."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_steatosis.core.geometry import Frame
from napari_steatosis.core.mask import Mask
from napari_steatosis.imaging.parenchyma import parenchyma
from napari_steatosis.imaging.regions import mask_of_polygons

TISSUE = Mask(np.ones((50, 80), bool), Frame((8.0, 8.0)), {"slide": {"fingerprint": "a"}})


def box(y: float, x: float, side: float) -> Mask:
    corners = [(y, x), (y, x + side), (y + side, x + side), (y + side, x)]
    return mask_of_polygons([corners])


def test_what_is_named_is_taken_out_once_and_said() -> None:
    vessel, tract, shape = box(36, 36, 64), box(68, 36, 64), box(196, 196, 80)
    left = parenchyma(TISSUE, vessels=vessel, portal=tract, exclude=shape)
    less = left.provenance["less"]
    assert list(less) == ["vessels", "portal", "exclude"]
    assert less["vessels"]["removed_mm2"] == pytest.approx(64 * 64e-6)
    assert less["portal"]["removed_mm2"] == pytest.approx(64 * 32e-6)  # half is vessel already
    assert less["exclude"]["made_by"] == dict(shape.provenance)
    removed = sum(one["removed_mm2"] for one in less.values())
    assert left.area_mm2 == pytest.approx(TISSUE.area_mm2 - removed)
    assert left.provenance["slide"] == {"fingerprint": "a"}
    assert json.loads(json.dumps(left.provenance)) == left.provenance


def test_without_anything_to_take_out_it_is_the_tissue() -> None:
    left = parenchyma(TISSUE)
    assert np.array_equal(left.values, TISSUE.values)
    assert left.provenance["less"] == {}


def test_other_resolution_and_place_are_no_matter() -> None:
    fine = Mask(np.ones((100, 100), bool), Frame((2.0, 2.0), (97.0, 97.0)))  # 96 to 296 um
    left = parenchyma(TISSUE, portal=fine)
    gone = TISSUE.values & ~left.values
    rows, columns = np.nonzero(gone)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (12, 36, 12, 36)


@pytest.mark.parametrize(
    ("tissue", "reason"),
    [
        (TISSUE, "all tissue was taken out: exclude"),
        (Mask(np.zeros((5, 5), bool), Frame((8.0, 8.0)), {"reason": "no stain"}), "no stain"),
    ],
)
def test_nothing_left_has_a_reason(tissue: Mask, reason: str) -> None:
    left = parenchyma(tissue, exclude=box(-100, -100, 2000))
    assert left.area_mm2 == 0
    assert left.provenance["reason"] == reason
