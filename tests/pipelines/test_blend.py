"""Tiles that overlap: a constant stays one, and no seam is left of models that see the tile."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from brightness_model import BrightnessModel
from discs import disc_slide
from napari_steatosis.core.grid import Grid
from napari_steatosis.core.mask import Mask
from napari_steatosis.pipelines._blend import blended, neighbours
from napari_steatosis.pipelines.segment import segment


def outer_shape(tile):
    return tile.outer.height, tile.outer.width


@pytest.mark.parametrize("halo", [0, 16, 48])
def test_a_constant_stays_a_constant(halo):
    grid = Grid(500, 420, tile_px=128, halo_px=halo, multiple_px=16)
    for tile in grid:
        around = [grid[i] for i in neighbours(grid, tile.index)]
        values = np.float32([0.3, 0.7])[:, None, None]
        seen = [(one, np.broadcast_to(values, (2, *outer_shape(one))).copy()) for one in around]
        found = blended(tile, seen, halo)
        assert found.shape == (2, tile.inner.height, tile.inner.width)
        assert np.abs(found - values).max() < 1e-6


def test_steps_between_tiles_become_slopes():
    grid = Grid(256, 512, tile_px=128, halo_px=32, multiple_px=16)
    said = {
        tile.index: np.full((1, *outer_shape(tile)), tile.index % 4, np.float32) for tile in grid
    }
    rows = []
    for index in range(4):
        seen = [(grid[i], said[i]) for i in neighbours(grid, index)]
        rows.append(blended(grid[index], seen, 32)[0])
    row = np.concatenate(rows, 1)[64]
    assert np.abs(np.diff(row)).max() < 0.05  # 1 without blending
    assert row[64] == 0
    assert row[-64] == 3


@dataclass(frozen=True)
class TileMeanModel(BrightnessModel):
    """Sees the whole tile: brightness against the mean of the tile."""

    def predict(self, tiles: np.ndarray) -> np.ndarray:
        fat = super().predict(tiles)[:, 1]
        shift = tiles.mean((1, 2, 3)) / 255 - 0.7
        fat = np.clip(fat + 0.2 * shift[:, None, None], 0, 1).astype(np.float32)
        return np.stack([1 - fat, fat], axis=1)


def seam(context: str) -> float:
    """Return how much more neighbours differ across seams than beside them."""
    model = TileMeanModel()
    model = replace(model, spec=replace(model.spec, context=context, tile_px=128, halo_px=32))
    found = segment(disc_slide(), model, tile_px=128, probabilities=True)
    fat = np.asarray(found.probabilities[0][1]).astype(float) / 255
    step = np.abs(np.diff(fat, axis=1)).mean(0)
    across = step[127::128]
    beside = step[119::128]
    return float(across.mean() - beside[: len(across)].mean())


def test_a_model_that_sees_the_tile_leaves_no_seam():
    assert seam("tile") < seam("halo") / 4
    assert seam("halo") > 0.001


def test_blending_does_not_depend_on_what_was_done_before(tmp_path):
    model = TileMeanModel()
    model = replace(model, spec=replace(model.spec, context="tile", tile_px=128, halo_px=32))
    slide = disc_slide()
    straight = segment(slide, model, store=tmp_path / "a.zarr", tile_px=128)
    steps = []

    def stop():
        steps.append(1)
        return len(steps) > 7

    segment(slide, model, store=tmp_path / "b.zarr", tile_px=128, should_stop=stop)
    resumed = segment(slide, model, store=tmp_path / "b.zarr", tile_px=128)
    assert resumed.provenance["content"] == straight.provenance["content"]


def test_tiles_outside_the_mask_are_not_computed_for_it():
    counted = []

    class Counting(TileMeanModel):
        def predict(self, tiles):
            counted.append(len(tiles))
            return super().predict(tiles)

    model = Counting()
    model = replace(model, spec=replace(model.spec, context="tile", tile_px=128, halo_px=32))
    slide = disc_slide()
    plane = slide.at(0.5)
    values = np.zeros((plane.height, plane.width), bool)
    values[300:500, 300:500] = True
    segment(slide, model, within=Mask(values, plane.frame), tile_px=128)
    assert sum(counted) == 4
