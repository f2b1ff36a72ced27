"""Real classifiers without torch: by the mean brightness of a window, and one that never doubts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from napari_steatosis.core.geometry import Frame
from napari_steatosis.core.mask import Mask
from napari_steatosis.core.model import ModelSpec
from napari_steatosis.core.prediction import Prediction

CLASSES = ("dense", "fatty", "clear")
CENTRES = (172.0, 182.0, 200.0)


def spec(tile_px: int = 64, halo_px: int = 0, classes: tuple[str, ...] = CLASSES) -> ModelSpec:
    return ModelSpec(
        name="brightness-of-windows",
        architecture="none",
        task="classification",
        classes=classes,
        um_per_px=0.5,
        tile_px=tile_px,
        halo_px=halo_px,
    )


@dataclass(frozen=True)
class WindowClassifier:
    """The nearer the mean of a window to the centre of a class, the more probable the class."""

    spec: ModelSpec = field(default_factory=spec)
    width: float = 8.0
    calls: list[int] = field(default_factory=list, compare=False)

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"{self.width} {self.spec.tile_px}".encode()).hexdigest()

    @property
    def arithmetic(self) -> dict[str, str]:
        return {"device": "cpu", "precision": "fp64"}

    def predict(self, tiles: np.ndarray) -> np.ndarray:
        side = self.spec.tile_px + 2 * self.spec.halo_px
        assert tiles.shape[1:] == (side, side, 3)
        assert tiles.dtype == np.uint8
        self.calls.append(len(tiles))
        grey = tiles.mean((1, 2, 3), dtype=np.float64)
        score = np.exp(-0.5 * ((grey[:, None] - np.array(CENTRES)) / self.width) ** 2) + 1e-9
        return (score / score.sum(1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True)
class ConstantClassifier(WindowClassifier):
    """Gives the same probabilities whatever it sees."""

    given: tuple[float, ...] = (0.148, 0.6, 0.252)

    def predict(self, tiles: np.ndarray) -> np.ndarray:
        return np.tile(np.array(self.given, np.float32), (len(tiles), 1))


def level0(prediction: Prediction) -> np.ndarray:
    """Return the class map."""
    return np.asarray(prediction.levels[0][:])


def probabilities(prediction: Prediction) -> np.ndarray:
    """Return the stored probabilities, (class, row, column) uint8."""
    return np.asarray(prediction.probabilities[0][:])


def box(y: int, x: int, y_end: int, x_end: int) -> Mask:
    """Return a mask of a rectangle in px of the disc slide (0.5 um)."""
    values = np.zeros((1300, 1100), bool)
    values[y:y_end, x:x_end] = True
    return Mask(values, Frame((0.5, 0.5)), {"name": "box"})
