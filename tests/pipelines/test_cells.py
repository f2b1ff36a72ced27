"""Which cells, which windows, and what they make of each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from discs import disc_slide
from napari_steatosis.core.errors import BadValueError, MissingScaleError, NoTissueError
from napari_steatosis.core.geometry import Frame, Region
from napari_steatosis.core.mask import Mask
from napari_steatosis.pipelines._cells import plan_classification, shares
from napari_steatosis.pipelines._windows import blended, window_weights
from napari_steatosis.pipelines.classify import classify
from window_classifier import (
    ConstantClassifier,
    WindowClassifier,
    box,
    level0,
    probabilities,
    spec,
)


def by_hand(slide, model, step):
    """Accumulate every window over the plane of cells, as one would write it down."""
    tile, halo = model.spec.tile_px, model.spec.halo_px
    height, width = slide.shape
    rows, columns, span = -(-height // step), -(-width // step), tile // step
    total, weight = np.zeros((len(model.spec.classes), rows, columns)), np.zeros((rows, columns))
    middle = (tile - 1) / 2
    centres = np.arange(span) * step + (step - 1) / 2
    along = np.exp(-0.5 * ((centres - middle) / (0.25 * tile)) ** 2)
    weights = np.outer(along, along)
    for i in range(max(1, rows - span + 1)):
        for j in range(max(1, columns - span + 1)):
            seen = Region(y=i * step, x=j * step, height=tile, width=tile).grow(halo)
            found = model.predict(slide.read(seen)[None])[0]
            own = weights[: rows - i, : columns - j]
            total[:, i : i + span, j : j + span] += found[:, None, None] * own
            weight[i : i + span, j : j + span] += own
    return total / weight


@pytest.mark.parametrize(("step", "halo"), [(64, 0), (32, 0), (16, 0), (64, 16), (32, 16)])
def test_cells_are_the_weighted_means_of_the_windows_that_cover_them(step, halo):
    slide, model = disc_slide(500, 420), WindowClassifier(spec(64, halo))
    found = classify(slide, model, step_px=step)
    expected = by_hand(slide, model, step)
    assert found.shape == expected.shape[1:] == (-(-500 // step), -(-420 // step))
    assert np.array_equal(probabilities(found), np.rint(expected.astype(np.float32) * 255))
    assert np.array_equal(level0(found), expected.argmax(0) + 1)
    assert len(np.unique(level0(found))) > 1


def test_a_constant_stays_constant_whatever_the_overlap():
    slide, model = disc_slide(300, 260), ConstantClassifier()
    for step in (64, 32, 8, 4):
        found = classify(slide, model, step_px=step)
        expected = np.rint(np.array(model.given) * 255)[:, None, None]
        assert np.array_equal(probabilities(found), np.broadcast_to(expected, (3, *found.shape)))
        assert set(np.unique(level0(found))) == {2}


@pytest.mark.parametrize("span", [1, 2, 3, 8])
def test_blending_keeps_a_constant_to_1e_6(span):
    given = np.array([0.148, 0.6, 0.252], np.float32)
    windows = np.broadcast_to(given, (9 + span, 7 + span, 3)).copy()
    windows[: span - 1], windows[:, 7 + 1 :] = np.nan, np.nan  # beyond the edge of the slide
    assert np.abs(np.moveaxis(blended(windows, span), 0, -1) - given).max() <= 1e-6


def test_the_middle_of_a_window_counts_most():
    weights = window_weights(8)
    assert np.allclose(weights, weights.T)
    assert np.allclose(weights, weights[::-1])
    assert weights[3, 3] == weights.max()
    assert np.all(np.diff(weights[3, :4]) > 0)
    assert 0.04 < weights[0, 0] / weights[3, 3] < 0.05


def test_every_window_is_predicted_once_whatever_the_overlap():
    slide = disc_slide(900, 900)
    for step in (64, 16, 8):
        model = WindowClassifier()
        plan = plan_classification(slide, model, step_px=step)
        assert len(plan.tiles) > 1 or step == 64
        classify(slide, model, step_px=step)
        assert sum(model.calls) == plan.count == np.count_nonzero(plan.needed)


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_the_batch_changes_nothing_but_the_calls(batch):
    slide, model = disc_slide(), WindowClassifier()
    found = classify(slide, model, step_px=32, batch=batch)
    assert max(model.calls) <= batch
    assert sum(model.calls) == plan_classification(slide, model, step_px=32).count
    straight = classify(slide, WindowClassifier(), step_px=32)
    assert np.array_equal(probabilities(found), probabilities(straight))
    assert found.provenance["digest"] == straight.provenance["digest"]


def test_cells_lie_where_their_pixels_are():
    slide = replace(disc_slide(), origin_um=(100.0, -50.0))
    found = classify(slide, WindowClassifier(), step_px=32)
    assert found.frame.um_per_px == (16.0, 16.0)
    corners = slide.frame().to_um([(0, 0), (31, 31)])  # the centres of the outermost pixels
    assert np.allclose(found.frame.to_um((0, 0)), corners.mean(0), atol=1e-9)
    later = slide.frame().to_um([(10 * 32, 7 * 32), (10 * 32 + 31, 7 * 32 + 31)])
    assert np.allclose(found.frame.to_um((10, 7)), later.mean(0), atol=1e-9)


def test_a_slide_smaller_than_a_window_is_one_cell():
    found = classify(disc_slide(50, 40), WindowClassifier())
    assert found.shape == (1, 1)
    assert level0(found).all()


def test_a_finer_slide_is_read_at_the_resolution_of_the_model():
    fine = replace(disc_slide(), um_per_px=(0.25, 0.25))
    found = classify(fine, WindowClassifier(), step_px=32)
    assert found.shape == (-(-650 // 32), -(-550 // 32))
    assert found.frame.um_per_px == (16.0, 16.0)
    assert np.allclose(found.frame.origin_um, 15.5 * 0.5 + 0.125)


def test_shares_are_exact():
    values = np.zeros((20, 30), bool)
    values[3:11, 5:17] = True
    mask = Mask(values, Frame((3.0, 2.0), (1.0, 0.5)))
    plane = disc_slide(130, 110).at(0.5)
    pixels = plane.frame.to_um(np.stack(np.mgrid[:130:0.1, :110:0.1], -1) + 0.05 - 0.5)
    rows, columns = np.moveaxis(np.floor(mask.frame.to_px(pixels) + 0.5).astype(int), -1, 0)
    inside = (rows >= 0) & (rows < 20) & (columns >= 0) & (columns < 30)
    yes = inside & values[np.clip(rows, 0, 19), np.clip(columns, 0, 29)]
    found = shares(mask, plane, 24)
    assert found.shape == (6, 5)
    for i in range(6):
        for j in range(5):
            part = yes[i * 240 : (i + 1) * 240, j * 240 : (j + 1) * 240]
            assert found[i, j] == pytest.approx(part.mean(), abs=2e-3)


def test_only_cells_with_enough_tissue_are_analysed():
    slide, model = disc_slide(), WindowClassifier()
    within = box(64, 128, 320, 560)  # columns 2 to 8.75
    for least, columns in ((0.5, 9), (0.75, 9), (0.76, 8), (1.0, 8)):
        analysed = level0(classify(slide, model, within=within, least_share=least)) > 0
        expected = np.zeros((21, 18), bool)
        expected[1:5, 2:columns] = True
        assert np.array_equal(analysed, expected), least


def test_what_is_not_analysed_has_no_probability():
    found = classify(disc_slide(), WindowClassifier(), within=box(64, 128, 320, 560))
    seen = level0(found) > 0
    assert not probabilities(found)[:, ~seen].any()
    sums = probabilities(found)[:, seen].astype(int).sum(0)
    assert np.abs(sums - 255).max() <= 2  # three values, each rounded


def test_only_windows_over_such_cells_are_predicted():
    slide, model = disc_slide(), WindowClassifier()
    classify(slide, model, within=box(64, 128, 320, 576), step_px=64)
    assert sum(model.calls) == 4 * 7
    model.calls.clear()
    classify(slide, model, within=box(64, 128, 320, 576), step_px=32)
    assert sum(model.calls) == (8 + 1) * (14 + 1)


def test_a_region_gives_the_values_of_the_whole_slide():
    slide, model, within = disc_slide(), WindowClassifier(), box(200, 100, 900, 800)
    part = classify(slide, model, within=within, step_px=16)
    whole = classify(slide, model, step_px=16)
    seen = level0(part) > 0
    assert 0.3 < seen.mean() < 0.4
    assert np.array_equal(level0(part)[seen], level0(whole)[seen])
    assert np.array_equal(probabilities(part)[:, seen], probabilities(whole)[:, seen])


def test_two_classes_are_cut_at_the_threshold_of_the_model():
    two = replace(spec(64, 0, ("calm", "busy")), threshold=0.7)

    class Two(WindowClassifier):
        def predict(self, tiles):
            busy = tiles.std((1, 2, 3)) / 60
            return np.stack([1 - busy, busy], 1).astype(np.float32).clip(0, 1)

    found = classify(disc_slide(), Two(two))
    busy = probabilities(found)[1] / 255
    assert np.array_equal(level0(found)[np.abs(busy - 0.7) > 0.01] == 2,
                          busy[np.abs(busy - 0.7) > 0.01] >= 0.7)  # fmt: skip
    assert len(np.unique(level0(found))) == 2


def test_bad_input_is_named():
    slide, model = disc_slide(), WindowClassifier()
    with pytest.raises(BadValueError, match="Choose one of: 64, 32, 16, 8, 4"):
        classify(slide, model, step_px=48)
    for step in (0, -8, 128):
        with pytest.raises(BadValueError, match="does not divide"):
            classify(slide, model, step_px=step)
    for share in (0, 1.01):
        with pytest.raises(BadValueError, match="more than 0"):
            classify(slide, model, least_share=share)
    with pytest.raises(BadValueError, match="at least 1 window"):
        classify(slide, model, batch=0)
    segmenter = WindowClassifier(replace(spec(), task="segmentation"))
    with pytest.raises(BadValueError, match="is for segmentation"):
        classify(slide, segmenter)
    with pytest.raises(MissingScaleError, match=r"discs.svs.*--mpp"):
        classify(replace(slide, um_per_px=None), model)
    with pytest.raises(NoTissueError, match=r"discs.svs.*nothing to classify"):
        classify(slide, model, within=box(0, 0, 20, 20))
    with pytest.raises(TypeError, match="stepp"):
        classify(slide, model, stepp=3)
