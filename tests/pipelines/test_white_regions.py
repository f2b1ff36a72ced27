"""White places by kind: labels, table, and the denominator without vessels and glass."""

from __future__ import annotations

import numpy as np
import pytest

import napari_steatosis as st
from napari_steatosis.core.errors import BadValueError, UnknownNameError
from napari_steatosis.core.geometry import Frame
from napari_steatosis.core.mask import Mask
from napari_steatosis.core.prediction import Prediction
from napari_steatosis.imaging.phantom import WHITES
from napari_steatosis.models import load_model
from napari_steatosis.pipelines.white_regions import LEAVE, WhiteRegions, white_regions

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def slide() -> st.Slide:
    return st.drawn_liver(384, 384, seed=1, fat_percent=15)


@pytest.fixture(scope="module")
def found(slide) -> WhiteRegions:
    return white_regions(slide)


def test_the_shipped_model_knows_the_kinds_that_are_drawn():
    assert load_model("white-regions-drawn").spec.classes == WHITES


def test_every_row_lies_on_a_pixel_of_its_kind(found: WhiteRegions):
    classes, table = np.asarray(found.prediction.levels[0][:]), found.table
    assert len({len(column) for column in table.values()}) == 1
    assert len(table["kind"]) > 20
    for kind in set(table["kind"].tolist()):
        own = table["kind"] == kind
        value = found.prediction.value_of(kind)
        assert table["area_um2"][own].sum() == pytest.approx(0.25 * (classes == value).sum())
    assert "tissue" not in table["kind"]
    assert np.all((table["probability"] > 1 / len(WHITES) - 0.01) & (table["probability"] <= 1))


def test_glass_and_fat_are_found_where_they_were_drawn(slide, found: WhiteRegions):
    truth = slide.source.white_kinds(slide.source.bounds)
    classes = np.asarray(found.prediction.levels[0][:]) - 1
    for kind, least in (("fat", 0.3), ("glass", 0.7)):  # half of this fat is in hazy droplets
        own = truth == WHITES.index(kind)
        assert (classes[own] == WHITES.index(kind)).mean() > least


def test_its_fat_is_measured_like_that_of_any_model(slide, found: WhiteRegions):
    fat = st.segment(slide, load_model("white-regions-drawn"))
    classes = np.asarray(fat.levels[0][:])
    assert np.array_equal(classes, np.asarray(found.prediction.levels[0][:]))
    share = (classes == fat.value_of("fat")).sum() / (classes > 0).sum()
    assert 0.01 < share < 0.3
    assert st.measure(fat)["fat_area_fraction"].value == pytest.approx(100 * share)


def test_an_image_is_judged_like_a_slide(slide, found: WhiteRegions):
    """But for the surroundings, which an image does not have at its borders."""
    rgb = slide.read(st.Region(y=0, x=0, height=384, width=384))
    own = white_regions(rgb, um_per_px=0.5)
    same = np.asarray(own.prediction.levels[0]) == np.asarray(found.prediction.levels[0][:])
    assert same[100:-100, 100:-100].mean() > 0.9
    assert own.prediction.shape == (384, 384)
    assert set(own.table) == set(found.table)


def by_hand(classes: np.ndarray, probability: float = 1.0) -> WhiteRegions:
    """Return regions whose kinds have this probability; the rest says fat."""
    planes = np.stack([(classes == i + 1) * probability for i in range(len(WHITES))])
    planes[1] += (classes > 2) * (1 - probability)
    stored = np.rint(255 * planes).astype(np.uint8)
    frame = Frame((0.5, 0.5))
    return WhiteRegions(Prediction("kinds", [classes], WHITES, frame, probabilities=[stored]), {})


def test_the_mask_holds_the_kinds_that_leave_and_no_other():
    classes = np.ones((64, 90), np.uint8)
    for i in range(1, len(WHITES)):
        classes[8 * i : 8 * i + 8] = i + 1
    mask = by_hand(classes).mask()
    assert mask.frame.um_per_px == (2.0, 2.0)
    rows = mask.values[:, 0].reshape(-1, 2)
    left = {WHITES[i] for i in range(len(WHITES)) if rows[i].all()}
    assert left == set(LEAVE)
    assert mask.values.sum() == 4 * 2 * mask.values.shape[1]


def test_parenchyma_is_tissue_without_them():
    classes = np.ones((80, 80), np.uint8)
    classes[16:32, 16:48] = WHITES.index("vein") + 1
    classes[48:56, 16:48] = WHITES.index("fat") + 1
    classes[64:, 64:] = 0  # not analysed
    tissue = Mask(np.ones((5, 5), bool), Frame((0.5, 0.5)).coarser(16))
    kept = by_hand(classes).parenchyma(tissue)
    assert tissue.area_mm2 - kept.area_mm2 == pytest.approx(16 * 32 * 0.25e-6)
    on = kept.on(st.Region(y=0, x=0, height=80, width=80), Frame((0.5, 0.5)))
    assert not on[18:30, 18:46].any()
    assert on[48:56, 16:48].all()
    assert on[64:, 64:].all()


def test_what_is_in_doubt_stays_in_the_denominator():
    classes = np.ones((40, 40), np.uint8)
    classes[8:24, 8:24] = WHITES.index("vein") + 1
    assert by_hand(classes, 0.8).mask().area_mm2 == 0
    assert by_hand(classes, 0.8).mask(least_probability=0.7).area_mm2 == pytest.approx(64e-6)
    assert by_hand(classes, 0.95).mask().area_mm2 == pytest.approx(64e-6)


def test_the_denominator_of_the_fat_fraction_uses_it(slide, found: WhiteRegions):
    tissue = st.find_tissue(slide)
    parenchyma = found.parenchyma(tissue)
    assert 0.5 * tissue.area_mm2 < parenchyma.area_mm2 < tissue.area_mm2
    fat = st.segment(slide, load_model("steatosis-he-drawn", device="cpu"), within=parenchyma)
    report = st.measure(fat)
    assert report["tissue_area"].value == pytest.approx(parenchyma.area_mm2, rel=0.02)


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"model": "steatosis-he-drawn", "um_per_px": 0.5}, "does not know the kind 'vein'"),
        ({}, "State um_per_px"),
        ({"um_per_px": 0.25}, "0.25"),
    ],
)
def test_what_cannot_be_judged_is_named(asked: dict, word: str):
    with pytest.raises(BadValueError, match=word):
        white_regions(np.zeros((16, 16, 3), np.uint8), **asked)
    with pytest.raises(BadValueError, match="RGB"):
        white_regions(np.zeros((16, 16), np.uint8), um_per_px=0.5)


def test_an_unknown_kind_is_named(found: WhiteRegions):
    with pytest.raises(UnknownNameError, match="vain"):
        found.mask(["vain"])
