"""The cuts between tiles do not show: in droplets, in areas, and on flat images."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image

from napari_steatosis.imaging import drawn_liver
from napari_steatosis.io import open_slide
from napari_steatosis.models import load_model
from napari_steatosis.pipelines.segment import segment
from napari_steatosis.quantify import measure

SIZES = (256, 512, 1024, 2048)


def tile_by_tile(slide, model, tile_px: int, **options):
    """Segment with every tile alone: who looks elsewhere each time is served one at a time."""
    turn = itertools.count()
    focus = lambda: (0.0, float(next(turn)))  # noqa: E731
    return segment(slide, model, tile_px=tile_px, focus=focus, **options)


@pytest.fixture(scope="module")
def model():
    return load_model("steatosis-he", device="cpu")


@pytest.fixture(scope="module")
def reports(model):
    slide = drawn_liver(768, 2304, seed=8, glass=False)
    return {px: measure(tile_by_tile(slide, model, px)) for px in SIZES}


@pytest.mark.parametrize("name", ["droplet_count", "fat_area_fraction"])
def test_numbers_do_not_depend_on_the_tile_size(reports, name: str):
    values = np.array([reports[px][name].value for px in SIZES])
    assert values.max() / values.min() - 1 <= 0.005
    assert reports[2048]["droplet_count"].value > 200


def test_more_droplets_lie_on_the_cuts_than_may_be_miscounted(reports):
    table = reports[256].tables["droplets"]
    centre, radius = table["x_px"], table["diameter_um"] / 2 / 0.5
    on_a_cut = (centre - radius) // 256 != (centre + radius) // 256
    assert on_a_cut.mean() > 0.01


@pytest.mark.parametrize("colour", [(236, 178, 208), (255, 255, 255), (0, 0, 0)])
def test_a_flat_image_has_flat_probabilities(model, tmp_path, colour: tuple[int, int, int]):
    Image.new("RGB", (800, 400), colour).save(tmp_path / "flat.png")
    slide = open_slide(tmp_path / "flat.png", um_per_px=0.5)
    for tile_px in (256, 512):
        found = tile_by_tile(slide, model, tile_px, probabilities=True)
        fat = np.asarray(found.probabilities[0][1])
        for y, x in itertools.product(range(2), repeat=2):  # a logit of its own for each of four
            assert np.ptp(fat[y::2, x::2]) == 0
