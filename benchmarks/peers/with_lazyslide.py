"""LazySlide: `SemanticSegmentationRunner`, what `zs.seg.semantic` runs, over a grid of tiles."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import lazyslide as zs
import numpy as np
import torch
from lazyslide.segmentation import SemanticSegmentationRunner
from lazyslide_models.base import SegmentationModel, SegmentationOutput
from measure import Measured, asked
from network import load
from torchvision.transforms.v2 import Compose, ToDtype, ToImage
from wsidata import open_wsi

given = asked()


class Model(SegmentationModel):
    """The network as LazySlide takes it."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.model = network

    def get_transform(self) -> Compose:
        return Compose([ToImage(), ToDtype(torch.float32)])

    def segment(self, image: torch.Tensor) -> SegmentationOutput:
        return SegmentationOutput(probability_map=self.model(image), classes=("tissue", "fat"))


class Runner(SemanticSegmentationRunner):
    """The runner as it is; it remembers the merged map that it outlines."""

    def tiler(self, array: np.ndarray, tile_size: int = 512) -> Iterator[Any]:
        self.merged, self.merged_at = array, time.perf_counter()
        return super().tiler(array, tile_size)


def segment(network: torch.nn.Module) -> Runner:
    """Tile the slide, run the network, merge and outline."""
    wsi = open_wsi(str(given.slide), store=None)
    zs.pp.tile_tissues(wsi, given.tile, stride_px=given.step, edge=True, tissue_key=None)
    low = given.precision != "fp32"
    runner = Runner(
        wsi,
        Model(network),
        class_names=["tissue", "fat"],
        mode=given.merge or "gaussian",
        device="cpu",
        pbar=False,
        amp=low,
        autocast_dtype=torch.bfloat16 if low else None,
    )
    runner.run()
    return runner


network = load(given)
network.autocast = False  # LazySlide has its own
measured = Measured("lazyslide")
began = time.perf_counter()
with measured.run():
    runner = segment(network)
fat = runner.merged[1]
if given.keep:
    np.save(given.keep, fat)
measured.tell(
    network_mpx=network.pixels / 1e6,
    fat=float((fat >= 0.5).mean()),
    merged_seconds=runner.merged_at - began,
)
