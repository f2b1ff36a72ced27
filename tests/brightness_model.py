"""A real, exactly tileable segmentation model without torch: brightness after a box blur."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import uniform_filter

from napari_steatosis.core.model import ModelSpec


@dataclass(frozen=True)
class BrightnessModel:
    """Calls pixels fat whose 9 x 9 neighbourhood is bright; sees 4 px around each pixel."""

    cut: float = 200.0
    spec: ModelSpec = field(
        default_factory=lambda: ModelSpec(
            name="brightness",
            architecture="none",
            task="segmentation",
            classes=("tissue", "fat"),
            um_per_px=0.5,
            tile_px=512,
            halo_px=16,
            multiple_px=16,
        )
    )

    @property
    def digest(self) -> str:
        return hashlib.sha256(str(self.cut).encode()).hexdigest()

    @property
    def arithmetic(self) -> dict[str, str]:
        return {"device": "cpu", "precision": "fp64"}

    def predict(self, tiles: np.ndarray) -> np.ndarray:
        grey = tiles.mean(-1, dtype=np.float64)
        blurred = np.stack([uniform_filter(image, 9) for image in grey])
        fat = 1 / (1 + np.exp(-np.clip((blurred - self.cut) / 8, -40, 40)))
        return np.stack([1 - fat, fat], axis=1).astype(np.float32)
