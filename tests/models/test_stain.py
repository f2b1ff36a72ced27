"""A stain transform on a device gives what it gives in numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import napari_steatosis as st
from arrays import slide_of, stained_ground
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.model import StainingModel
from napari_steatosis.core.stain import StainTransform
from napari_steatosis.imaging.stain import fit_stain
from napari_steatosis.models._stain import ColourCube
from napari_steatosis.models._torch import TorchModel

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_gives_the_same_colours(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    stain = fit_stain(slide_of(stained_ground(500, 500)))
    noise = np.random.default_rng(0).integers(0, 256, (2, 40, 50, 3), np.uint8)
    tiles = np.concatenate([noise, stained_ground(80, 50, seed=4).reshape(2, 40, 50, 3)])
    found = ColourCube(stain, device).apply(torch.from_numpy(tiles).to(device))
    assert found.dtype == torch.uint8
    assert (found.cpu().numpy() == stain.apply(tiles)).all()


class Same:
    """Changes nothing."""

    name, findings = "same", ()

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return rgb

    def to_json(self) -> dict[str, Any]:
        return {"method": self.name}


def test_other_tensors_are_refused() -> None:
    cube = ColourCube(Same(), "cpu")
    for wrong in (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.zeros(1, 8, 8, 3)):
        with pytest.raises(BadValueError, match="must be \\(n, y, x, 3\\) uint8"):
            cube.apply(wrong)


@pytest.fixture(scope="module")
def stain() -> StainTransform:
    return fit_stain(slide_of(stained_ground(500, 500)))


TILES = stained_ground(128, 64, seed=4).reshape(2, 64, 64, 3)


def test_a_network_behind_a_stain_sees_its_colours(
    model: TorchModel, stain: StainTransform
) -> None:
    behind = model._with_colours(stain)  # what a GPU does, here
    expected = model.predict(stain.apply(TILES))
    assert (behind.predict(TILES) == expected).all()
    assert (model.predict(TILES) != expected).any()


def test_a_processor_has_the_stain_applied_before(model: TorchModel, stain: StainTransform) -> None:
    assert isinstance(model, StainingModel)
    assert model.stained(stain) is None


@pytest.mark.gpu
def test_on_cuda_the_stain_is_applied_there(folder: Path, stain: StainTransform) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    model = TorchModel.load(folder, device="cuda")
    behind = model.stained(stain)
    assert behind is not None
    assert model.stained(stain) is behind  # one table for a run
    assert (behind.predict(TILES) == model.predict(stain.apply(TILES))).all()
    model.release()
    assert model.stained(stain) is not behind
    slide = slide_of(stained_ground(700, 600, seed=5))
    there = st.segment(slide, model, stain=stain)
    before = st.segment(st.normalise(slide, stain), model)
    assert (np.asarray(there.levels[0][:]) == np.asarray(before.levels[0][:])).all()
