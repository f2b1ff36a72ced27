"""The reference: one forward pass of the whole slide, float32. And the speed of the bare network.

The probability of fat goes to ``--keep``. Without it, tiles in memory go through the network.
"""

from __future__ import annotations

import numpy as np
import openslide
import torch
from measure import Measured, asked
from network import load

given = asked()

BARE_PASSES = 6


def read(side: int | None = None) -> torch.Tensor:
    """Return the slide, or its first corner, as (1, 3, y, x) float32."""
    slide = openslide.OpenSlide(str(given.slide))
    size = slide.dimensions if side is None else (side, side)
    rgb = np.array(slide.read_region((0, 0), 0, size).convert("RGB"))
    return torch.from_numpy(rgb).permute(2, 0, 1)[None].float().contiguous()


network = load(given)
measured = Measured("torch")
rgb = read() if given.keep else read(given.tile)
with measured.run(), torch.inference_mode():
    for _ in range(1 if given.keep else BARE_PASSES):
        found = network(rgb)
if given.keep:
    np.save(given.keep, found[0, 1].numpy())
measured.tell(network_mpx=network.pixels / 1e6, fat=float((found[0, 1] >= 0.5).float().mean()))
