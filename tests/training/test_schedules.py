"""Learning rates: those of torch where it has the schedule."""

from __future__ import annotations

import pytest
import torch

from napari_steatosis.training.recipe import Recipe, changed
from napari_steatosis.training.schedules import SCHEDULES, Plateau


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_rate_is_positive_and_at_most_its_highest(schedule: str):
    recipe = Recipe(steps=200, schedule=schedule, warmup=0.05)
    rates = [recipe.rate(step) for step in range(200)]
    assert min(rates) > 0
    assert max(rates) == pytest.approx(recipe.learning_rate)


def test_one_cycle_is_that_of_torch():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], lr=1.0)
    torchs = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=0.1, total_steps=1001)
    recipe = Recipe(steps=1000, schedule="one-cycle", learning_rate=0.1)
    for step in range(1000):
        assert recipe.rate(step) == pytest.approx(optimiser.param_groups[0]["lr"], abs=1e-3)
        optimiser.step()
        torchs.step()


def test_plateau_is_that_of_torch():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], lr=1.0)
    torchs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, mode="max", factor=0.5, patience=2, threshold=0
    )
    plateau = Plateau(patience=3, fall=0.5)
    for score in (0.1, 0.3, 0.2, 0.2, 0.3, 0.3, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1):
        torchs.step(score)
        assert plateau.seen(score) == pytest.approx(optimiser.param_groups[0]["lr"])


def test_a_recipe_is_changed_wherever_the_field_is():
    recipe = changed(Recipe(), {"epochs": 3, "crop_px": 64, "gamma": (1.0, 1.0)})
    assert (recipe.epochs, recipe.crops.crop_px) == (3, 64)
    assert recipe.crops.variation.gamma == (1.0, 1.0)
    assert recipe.crops.batch == Recipe().crops.batch
