"""Ours: `st.segment`, from the file to the stored label pyramid.

``--merge tiles`` computes every tile by itself, as the other tools do, where otherwise the rows
of many tiles pass through the network as one picture.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from measure import Measured, asked

import napari_steatosis as st
from napari_steatosis.pipelines import _tiles

given = asked()

WARM_UP_PX = 512


class Seen:
    """Counts the pixels that a model is given."""

    def __init__(self, model: Any) -> None:
        self.pixels = 0
        self._predict, self._stream = model.predict, model.stream
        model.predict, model.stream = self.predict, self.stream

    def predict(self, tiles: np.ndarray) -> np.ndarray:
        self.pixels += tiles[..., 0].size
        return said(self._predict(tiles))

    def stream(self) -> Any:
        stream = None if given.merge == "tiles" else self._stream()
        return None if stream is None else _Counted(stream, self)


class _Counted:
    def __init__(self, stream: Any, seen: Seen) -> None:
        self._stream, self._seen = stream, seen
        self.rows_at_a_time = stream.rows_at_a_time

    def push(self, rgb: np.ndarray, *, last: bool = False) -> np.ndarray:
        self._seen.pixels += rgb[..., 0].size
        return said(self._stream.push(rgb, last=last))


def said(found: np.ndarray) -> np.ndarray:
    """Return what the network said, or that all is fat where that was asked."""
    if given.constant:
        found[..., 0, :, :], found[..., 1, :, :] = 0, 1
    return found


def probabilities(slide: st.Slide, model: Any) -> np.ndarray:
    """Segment again, and return the probability of fat as it is before it becomes a class."""
    kept, stored = np.zeros(slide.shape, np.float32), _tiles._stored

    def decided(plan: Any, found: np.ndarray) -> Any:
        return _tiles.Decided(_tiles.class_values(found, plan.model.spec.threshold), found.copy())

    def stored_and_kept(plan: Any, tiles: range, inner: Any, rows: Any) -> Any:
        kept[inner.slices] = rows.probabilities[1]
        return stored(plan, tiles, inner, replace(rows, probabilities=None))

    _tiles._decided, _tiles._stored = decided, stored_and_kept
    st.segment(slide, model, store=given.out / "again.zarr")
    return kept


torch.set_num_threads(given.threads)
model = st.load_model(given.model, device="cpu", precision=given.precision)
model.predict(np.zeros((1, WARM_UP_PX, WARM_UP_PX, 3), np.uint8))
seen = Seen(model)
measured = Measured("napari-steatosis")
with measured.run():
    slide = st.open_slide(given.slide)
    found = st.segment(slide, model, store=given.out / "ours.zarr")
fat = np.asarray(found.levels[0]) == found.value_of("fat")
measured.values["network_mpx"] = seen.pixels / 1e6
if given.keep:
    np.save(given.keep, probabilities(slide, model))
measured.tell(fat=float(fat.mean()), compute=str(model.compute))
