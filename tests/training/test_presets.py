"""Recipes as the published systems state them, number by number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_steatosis.models import MODELS
from napari_steatosis.training.presets import DEFAULTS, STATED, recipe_for
from napari_steatosis.training.samples import Samples, Wanted
from napari_steatosis.training.sampling import Batches
from training.trainings import drawn


def test_every_preset_is_of_an_architecture_and_has_a_default_beside_it():
    assert STATED.keys() == DEFAULTS.keys()
    assert set(STATED) <= set(MODELS)


def test_valid_unet_as_stated():
    (recipe,) = STATED["valid-unet"]
    assert (recipe.optimiser, recipe.learning_rate, recipe.loss) == ("nadam", 0.002, "ce")
    crops = recipe.crops
    assert (crops.per_sample, crops.crop_px, crops.distinct, crops.batch) == (250, 268, True, 16)
    assert (crops.variation.turn_degrees, crops.variation.nearest_mask) == (180, True)
    assert (recipe.epochs, recipe.patience, recipe.monitor) == (100, 10, "loss")
    assert recipe.parameters == {"strict": True}


def test_valid_unet_sees_268_and_answers_148_without_black_corners():
    (recipe,) = STATED["valid-unet"]
    tiles = Samples(drawn(1, side_px=416), Wanted("segmentation", ("tissue", "fat")))
    batches = Batches(tiles, recipe.crops, seed=0, margin_px=60)
    assert batches.per_epoch == -(-250 // 16)
    rgb, truth = batches.batch(3)
    assert rgb.shape == (16, 3, 268, 268)
    assert truth.shape == (16, 1, 148, 148)
    assert set(np.unique(truth)) <= {0.0, 1.0}
    corners = rgb[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.max(1).values.min() > 0
    few = Batches(tiles, replace(recipe.crops, per_sample=4, batch=2), seed=0, margin_px=60)
    epochs = [
        {tuple(crop.flatten()[::997].tolist()) for n in epoch for crop in few.batch(n)[0]}
        for epoch in ((0, 1), (6, 7))
    ]
    assert epochs[0] == epochs[1]  # the same patches in every epoch
    assert len(epochs[0]) == 4


def test_resnet_vgg_as_stated():
    (recipe,) = STATED["resnet-vgg"]
    assert (recipe.optimiser, recipe.learning_rate) == ("adam", 1e-4)
    assert (recipe.crops.batch, recipe.epochs, recipe.patience) == (32, 10, 10)
    assert (recipe.loss, recipe.balanced, recipe.monitor) == ("ce-keras", True, "loss")
    how = recipe.crops.variation
    assert (how.turn_degrees, how.flip, how.zoom, how.shift) == (15, "horizontal", (0.9, 1.1), 0.1)
    assert (recipe.preparation, recipe.crops.crop_px) == ("grey-equalised", 224)
    assert recipe.parameters["vgg_features"] == "fc2"


def test_hybrid_convformer_as_stated():
    (recipe,) = STATED["hybrid-convformer"]
    assert (recipe.optimiser, recipe.learning_rate, recipe.backbone_rate) == ("adamw", 3e-4, 0.1)
    assert (recipe.weight_decay, recipe.schedule, recipe.warmup) == (0.05, "cosine", 0.05)
    assert recipe.crops.variation.stain_gain == (0.95, 1.05)
    assert recipe_for("hybrid-convformer", "classification", None)[0].crops.whole


def test_cnn_rnn_has_two_phases():
    head, block = STATED["cnn-rnn"]
    assert (head.freeze, head.learning_rate) == ("backbone", 1e-3)
    assert (block.freeze, block.learning_rate, block.backbone_rate) == ("last_block", 1e-4, 0.1)


def test_cnn_lstm_attention_as_stated():
    (recipe,) = STATED["cnn-lstm-attention"]
    assert (recipe.optimiser, recipe.learning_rate, recipe.crops.batch) == ("adam", 1e-3, 32)
    assert (recipe.schedule, recipe.patience) == ("cosine", 10)


@pytest.mark.parametrize("architecture", MODELS)
def test_every_architecture_has_a_recipe(architecture: str):
    task = getattr(MODELS[architecture], "task", "segmentation")
    whole = recipe_for(architecture, task, None)[0].crops.whole
    assert whole == (task == "classification")
