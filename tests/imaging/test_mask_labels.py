"""Labels as masks: at any scale and place, and refused where they are not of the slide."""

from __future__ import annotations

import numpy as np
import pytest

from arrays import glass, slide_of, stained_ground
from napari_steatosis.core.errors import BadValueError, MissingScaleError
from napari_steatosis.core.geometry import Frame, Region
from napari_steatosis.core.label_image import LabelImage
from napari_steatosis.core.mask import Mask
from napari_steatosis.imaging.mask_labels import checked_on, mask_of_labels
from napari_steatosis.imaging.tissue import find_tissue

SLIDE = slide_of(glass(600, 800))  # 300 x 400 um
WHOLE = Region(y=0, x=0, height=600, width=800)


def painted(shape: tuple[int, int], frame: Frame | None) -> LabelImage:
    values = np.zeros(shape, np.int32)
    values[shape[0] // 4 : shape[0] // 2, shape[1] // 4 : shape[1] // 2] = 7
    return LabelImage("mine", [values], frame)


@pytest.mark.parametrize(
    ("shape", "frame"),
    [
        ((600, 800), None),
        ((75, 100), Frame((4.0, 4.0), (1.75, 1.75))),
        ((60, 50), Frame((5.0, 8.0), (2.25, 3.75))),
        ((300, 400), Frame((1.0, 1.0), (0.25, 0.25))),
    ],
)
def test_what_is_not_0_is_tissue_wherever_it_lies(shape: tuple[int, int], frame: Frame) -> None:
    found = mask_of_labels(painted(shape, frame), SLIDE).on(WHOLE, SLIDE.frame())
    rows, columns = np.nonzero(found)
    ends = (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1)
    assert ends == pytest.approx((150, 300, 200, 400), abs=8)


def test_of_a_pyramid_a_level_of_the_size_of_a_mask_is_taken() -> None:
    finest = np.zeros((600, 800), np.uint8)
    finest[:300] = 1
    levels = [finest[:: 2**n, :: 2**n] for n in range(5)]
    mask = mask_of_labels(LabelImage("big", levels, SLIDE.frame()), SLIDE)
    assert mask.values.shape == (75, 100)  # 4 um
    assert mask.area_mm2 == pytest.approx(0.15 * 0.4, rel=0.02)


def test_a_part_of_the_slide_is_enough() -> None:
    part = LabelImage("part", [np.ones((10, 10), np.uint8)], Frame((4.0, 4.0), (100.0, 100.0)))
    assert mask_of_labels(part, SLIDE).area_mm2 == pytest.approx(0.0016)


@pytest.mark.parametrize(
    "frame", [Frame((4.0, 4.0), (250.0, 0.0)), Frame((40.0, 40.0)), Frame((4.0, 4.0), (0, -90.0))]
)
def test_a_mask_that_sticks_out_is_refused_with_both_places(frame: Frame) -> None:
    labels = LabelImage("other", [np.ones((75, 100), np.uint8)], frame)
    with pytest.raises(BadValueError, match=r"lies outside the slide array: it reaches from \("):
        mask_of_labels(labels, SLIDE)


def test_a_mask_of_another_slide_or_scale_is_refused() -> None:
    pixels = stained_ground(600, 800)
    mask = find_tissue(slide_of(pixels))
    assert checked_on(mask, slide_of(pixels)) is mask
    with pytest.raises(BadValueError, match=r"level 0 pixels of 0.5 x 0.5 um, and array has 0.25"):
        checked_on(mask, slide_of(pixels, 0.25))
    other = {**mask.provenance, "slide": {**mask.provenance["slide"], "fingerprint": "other"}}
    with pytest.raises(BadValueError, match="another slide"):
        checked_on(Mask(mask.values, mask.frame, other), slide_of(pixels))


def test_a_slide_without_a_scale_is_asked_for_one() -> None:
    with pytest.raises(MissingScaleError):
        mask_of_labels(painted((75, 100), Frame((4.0, 4.0))), slide_of(glass(600, 800), None))
