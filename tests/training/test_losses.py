"""Losses: equal to torch's and Keras' where these have one, and blind to what is not judged."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from napari_steatosis.core.errors import UnknownNameError
from napari_steatosis.training.losses import LOSSES, bce_dice, objective


@pytest.fixture
def pixels() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(2, 1, 8, 8), (torch.rand(2, 1, 8, 8) > 0.7).float()


def test_one_logit_is_binary_cross_entropy(pixels):
    expected = F.binary_cross_entropy_with_logits(*pixels)
    assert torch.allclose(objective("ce")(*pixels), expected)
    assert torch.equal(objective("ce-dice")(*pixels), bce_dice(*pixels))


def test_the_masked_form_without_a_mask_is_the_plain_one(pixels):
    masked = objective("ce-dice", ignoring=True)(*pixels)
    assert torch.allclose(masked, bce_dice(*pixels), atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_pixels_that_are_not_judged_count_for_nothing(name: str, pixels):
    logits, truth = pixels
    truth[0, 0, :4] = 255
    judged = objective(name, ignoring=True)
    changed = logits.clone()
    changed[0, 0, :4] += 100
    assert torch.equal(judged(logits, truth), judged(changed, truth))
    logits.requires_grad_()
    judged(logits, truth).backward()
    assert not logits.grad[0, 0, :4].any()
    assert logits.grad[1].any()


def test_nothing_judged_is_no_loss():
    blank = torch.full((1, 1, 4, 4), 255.0)
    for name in LOSSES:
        found = objective(name, ignoring=True)(torch.zeros(1, 1, 4, 4), blank)
        assert torch.isfinite(found)


def test_weights_are_normalised_as_in_torch_or_in_keras():
    torch.manual_seed(0)
    logits, truth = torch.randn(6, 3), torch.tensor([0, 0, 0, 1, 1, 2])
    weights = torch.tensor([0.5, 1.0, 3.0])
    torchs = F.cross_entropy(logits, truth, weights, label_smoothing=0.1)
    found = objective("ce", weights=weights, smoothing=0.1)(logits, truth)
    assert torch.allclose(found, torchs)
    each = F.cross_entropy(logits, truth, reduction="none")
    keras = (each * weights[truth]).sum() / len(truth)
    assert torch.allclose(objective("ce-keras", weights=weights)(logits, truth), keras)


def test_focal_loss_of_one_sample():
    logits, truth = torch.tensor([[0.0, 0.0]]), torch.tensor([1])
    expected = -torch.tensor(0.5).log() * 0.5**2
    assert torch.allclose(objective("focal")(logits, truth), expected)


def test_several_classes_of_pixels():
    truth = torch.tensor([[[[0, 1], [2, 255]]]], dtype=torch.float32)
    right = torch.full((1, 3, 2, 2), -20.0)
    for y, x, kind in ((0, 0, 0), (0, 1, 1), (1, 0, 2)):
        right[0, kind, y, x] = 20
    assert float(objective("ce-dice", ignoring=True)(right, truth)) < 1e-3
    assert float(objective("ce-dice", ignoring=True)(-right, truth)) > 10


def test_an_unknown_loss_is_named():
    with pytest.raises(UnknownNameError, match="no loss named 'mse'"):
        objective("mse")
