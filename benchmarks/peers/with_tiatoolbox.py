"""TIAToolbox: `SemanticSegmentor` on the whole slide, the network as its `ModelABC`."""

from __future__ import annotations

import numpy as np
import torch
import zarr
from measure import Measured, asked
from network import load
from tiatoolbox.models.engine.io_config import IOSegmentorConfig
from tiatoolbox.models.engine.semantic_segmentor import SemanticSegmentor
from tiatoolbox.models.models_abc import ModelABC

given = asked()


class Model(ModelABC):
    """The network as TIAToolbox takes it; like its own U-Net it gives the middle of a tile."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return self.network(rgb)

    @staticmethod
    def infer_batch(model: Model, batch_data: torch.Tensor, *, device: str) -> np.ndarray:
        margin = (given.tile - given.step) // 2
        inner = slice(margin, given.tile - margin)
        with torch.inference_mode():
            found = model(batch_data.to(device).permute(0, 3, 1, 2).float())
        return found[:, :, inner, inner].permute(0, 2, 3, 1).float().numpy()

    @staticmethod
    def postproc(image: np.ndarray) -> np.ndarray:
        return np.argmax(image, axis=-1)


def segment(network: torch.nn.Module) -> str:
    """Segment, and return the zarr group with predictions and probabilities."""
    engine = SemanticSegmentor(model=Model(network), batch_size=8, device="cpu", verbose=False)
    config = IOSegmentorConfig(
        input_resolutions=[{"units": "baseline", "resolution": 1.0}],
        output_resolutions=[{"units": "baseline", "resolution": 1.0}],
        patch_input_shape=(given.tile, given.tile),
        patch_output_shape=(given.step, given.step),
        stride_shape=(given.step, given.step),
        save_resolution={"units": "baseline", "resolution": 1.0},
    )
    made = engine.run(
        [given.slide],
        ioconfig=config,
        patch_mode=False,
        auto_get_mask=False,
        save_dir=given.out / "tiatoolbox",
        output_type="zarr",
        return_probabilities=bool(given.keep),
    )
    return str(next(iter(made.values())))


network = load(given)
measured = Measured("tiatoolbox")
with measured.run():
    group = zarr.open_group(segment(network), mode="r")
classes = np.asarray(group["predictions"])
if given.keep:
    np.save(given.keep, np.asarray(group["probabilities"])[..., 1])
measured.tell(network_mpx=network.pixels / 1e6, fat=float((classes == 1).mean()))
