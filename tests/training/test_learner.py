"""One step: short memory halves the batch, and the gradients stay those of the whole."""

from __future__ import annotations

import pytest
import torch

from napari_steatosis.core.errors import NoMemoryError
from napari_steatosis.training.learner import Learner, training_compute
from napari_steatosis.training.losses import objective
from napari_steatosis.training.recipe import Recipe


class Little(torch.nn.Module):
    """A network that has room for a few images at a time."""

    def __init__(self, room: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Conv2d(3, 1, 3, padding=1)
        self.room = room
        self.seen: list[int] = []

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        self.seen.append(len(rgb))
        if len(rgb) > self.room:
            raise RuntimeError("CUDA out of memory. Tried to allocate 3 GiB")
        return self.layer(rgb / 255)


def learner_of(room: int) -> Learner:
    recipe = Recipe(steps=4, optimiser="adamw", averaging=0.0)
    return Learner(Little(room), recipe, objective=objective("ce"), precision="fp32")


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return 255 * torch.rand(8, 3, 16, 16), (torch.rand(8, 1, 16, 16) > 0.5).float()


def test_a_batch_in_parts_gives_the_same_step():
    whole, parts = learner_of(8), learner_of(3)
    losses = [[one.step(*batch()) for _ in range(3)] for one in (whole, parts)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert parts.part == 2
    assert parts.network.seen == [8, 4, 2, 2, 2, 2, *[2] * 8]  # found once, then kept
    assert torch.allclose(whole.network.layer.weight, parts.network.layer.weight, atol=1e-5)


def test_where_one_does_not_fit_the_remedy_is_said():
    with pytest.raises(NoMemoryError, match="smaller crop_px"):
        learner_of(0).step(*batch())


def test_other_errors_are_not_taken_for_short_memory():
    learner = learner_of(8)
    with pytest.raises(ValueError, match="to match target"):
        learner.step(batch()[0], torch.zeros(8, 1, 3, 3))


def test_long_gradients_are_cut():
    recipe = Recipe(steps=4, optimiser="adam", averaging=0.0, clip=1e-4)
    learner = Learner(Little(8), recipe, objective=objective("ce"), precision="fp32")
    learner.step(*batch())
    norm = torch.stack([p.grad.norm() for p in learner.network.parameters()]).norm()
    assert float(norm) == pytest.approx(1e-4, rel=1e-3)


@pytest.mark.gpu
def test_half_precision_on_a_gpu_learns():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    assert training_compute("cuda", "auto").precision in ("bf16", "fp16", "fp32")
    for precision in ("fp16", "bf16"):
        network = Little(8).cuda()
        learner = Learner(network, Recipe(steps=40), objective=objective("ce"), precision=precision)
        losses = [learner.step(*batch()) for _ in range(40)]
        assert losses[-1] < losses[0]
