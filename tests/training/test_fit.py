"""The loop: it learns, repeats itself, and says when it cannot."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.models import build
from napari_steatosis.training.fit import fit
from napari_steatosis.training.losses import bce_dice
from napari_steatosis.training.recipe import Recipe
from napari_steatosis.training.tiles import batches, drawn_tiles

SMALL = {"channels": (16, 32), "down": (1, 1), "up": (1,)}


def fatty_tiles() -> list:
    return [tile for tile in drawn_tiles(14, seed=2, side_px=128) if tile.fat_fraction > 0.05]


def rows_of(steps: int, seed: int = 1) -> tuple[list, torch.nn.Module]:
    torch.manual_seed(seed)
    network = build("droplet-net", **SMALL)
    crops = batches([(1.0, fatty_tiles())], np.random.default_rng(seed), batch=4, crop_px=64)
    return list(fit(network, crops, Recipe(steps))), network


def test_a_tiny_training_overfits_drawn_tiles():
    rows, network = rows_of(160)
    assert [row.step for row in rows] == list(range(160))
    first, last = (np.mean([row.loss for row in part]) for part in (rows[:10], rows[-10:]))
    assert last < 0.5 * first
    tile = max(fatty_tiles(), key=lambda tile: tile.fat_fraction)
    with torch.inference_mode():
        rgb = torch.tensor(tile.image).permute(2, 0, 1)[None].float()
        found = network(rgb)[0, 0].numpy() > 0
    truth = tile.mask > 0
    assert (found & truth).sum() / (found | truth).sum() > 0.6


def test_a_training_repeats_itself():
    one, two, other = (rows_of(3, seed) for seed in (1, 1, 2))
    assert [row.loss for row in one[0]] == [row.loss for row in two[0]]
    assert [row.loss for row in one[0]] != [row.loss for row in other[0]]
    pairs = zip(one[1].state_dict().values(), two[1].state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_the_result_is_the_average_not_the_last_step():
    torch.manual_seed(0)
    network = build("droplet-net", **SMALL)
    tiles = list(drawn_tiles(2, seed=2, side_px=64))
    crops = batches([(1.0, tiles)], np.random.default_rng(0), batch=2, crop_px=32)
    seen = []
    for _ in fit(network, crops, Recipe(20)):
        seen.append(network.head.weight.detach().clone())
    assert not network.training
    assert not torch.equal(network.head.weight, seen[-1])
    assert (network.head.weight - seen[-1]).abs().max() < (seen[0] - seen[-1]).abs().max()


def test_another_objective_takes_the_place_of_the_recipes():
    network = build("droplet-net", **SMALL)
    crops = batches([(1.0, fatty_tiles())], np.random.default_rng(0), batch=2, crop_px=32)
    rows = list(fit(network, crops, Recipe(30), judged=lambda logits, _: logits.square().mean()))
    assert rows[-1].loss < 0.1 * rows[0].loss
    with torch.inference_mode():
        assert network(next(crops)[0]).abs().max() < 0.5


def test_the_learning_rate_rises_and_falls():
    recipe = Recipe(steps=200, learning_rate=1e-3)
    rates = [recipe.rate(step) for step in range(200)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == rates[9] == 1e-3
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] < 1e-6


def test_a_loss_that_is_not_finite_stops_the_training():
    network = build("droplet-net", **SMALL)
    broken = iter([(torch.full((1, 3, 16, 16), torch.nan), torch.zeros(1, 1, 16, 16))])
    with pytest.raises(BadValueError, match="loss of step 0 is nan"):
        list(fit(network, broken, Recipe(5)))


def test_the_loss_of_known_cases():
    truth = torch.zeros(1, 1, 8, 8)
    truth[..., :4] = 1
    unsure = bce_dice(torch.zeros(1, 1, 8, 8), truth)  # p = 0.5: ln 2, Dice 33 / 65
    assert float(unsure) == pytest.approx(np.log(2) + 1 - 33 / 65, abs=1e-5)
    nothing = bce_dice(torch.full((2, 1, 8, 8), -20.0), torch.zeros(2, 1, 8, 8))
    assert float(nothing) == pytest.approx(0, abs=1e-5)
