"""MONAI: the slide as one tensor, `sliding_window_inference` over it."""

from __future__ import annotations

import numpy as np
import torch
from measure import Measured, asked
from monai.data import WSIReader
from monai.inferers import sliding_window_inference
from network import load

given = asked()


def segment(network: torch.nn.Module) -> torch.Tensor:
    """Return probabilities, (2, y, x) float32."""
    reader = WSIReader(backend="openslide", level=0)
    image, _ = reader.get_data(reader.read(given.slide))
    inputs = torch.from_numpy(image)[None].float()
    with torch.inference_mode():
        return sliding_window_inference(
            inputs,
            roi_size=(given.tile, given.tile),
            sw_batch_size=4,
            predictor=network,
            overlap=1 - given.step / given.tile,
            mode=given.merge or "constant",
        )[0]


network = load(given)
measured = Measured("monai")
with measured.run():
    found = segment(network)
    classes = (found[1] >= 0.5).to(torch.uint8).numpy()
if given.keep:
    np.save(given.keep, found[1].float().numpy())
measured.tell(network_mpx=network.pixels / 1e6, fat=float(classes.mean()))
