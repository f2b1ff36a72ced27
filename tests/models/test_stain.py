"""A stain transform on a device gives what it gives in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from arrays import slide_of, stained_ground
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.imaging.stain import fit_stain
from napari_steatosis.models._stain import ColourCube

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
