"""A network becomes a `Model` that maps arrays to arrays, on whatever device there is."""

from __future__ import annotations

import copy
import threading
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..core.errors import BadValueError, ModelFileError
from ..core.model import ModelSpec, Stream
from ..core.stain import StainTransform
from . import WEIGHTS, build
from ._batches import Batches
from ._device import DTYPES, Compute, choose_compute
from ._folder import State, check_fits, digest_of, halved, read_folder
from ._fuse import fused
from ._memory import empty_cache, is_out_of_memory
from ._passes import Pass, Passes
from ._prepare import prepared
from ._seam import check_tiles, restore
from ._stain import ColourCube
from ._threads import share_heap, trim_heap


class TorchModel:
    """A trained network behind the seam `napari_steatosis.core.model.Model`.

    Parameters
    ----------
    network : torch.nn.Module
        Maps RGB of 0 to 255 to logits; it is copied, so training may go on with it.
    spec : ModelSpec
        What it needs and gives.
    device, precision : str
        As for `napari_steatosis.models.load_model`.
    own : bool
        Whether the network may be changed instead of copied, which takes less memory.
    """

    def __init__(
        self,
        network: nn.Module,
        spec: ModelSpec,
        *,
        device: str = "auto",
        precision: str = "auto",
        own: bool = False,
    ) -> None:
        share_heap()  # before the threads of a run, which would each have their own
        self.spec = spec
        self.state: State = halved(network.state_dict())
        self.digest = digest_of(spec, self.state)
        self.compute = choose_compute(device, precision)
        self.folder: Path | None = None
        self._asked = (device, precision)
        self._batches = Batches(self.compute.device)
        ready = (network if own else copy.deepcopy(network)).cpu()
        ready.load_state_dict(self.state)  # what is saved is what predicts, to the last bit
        ready = fused(ready.float().eval().requires_grad_(False), spec.multiple_px)
        ready = ready.to(DTYPES[self.compute.precision]).to(memory_format=torch.channels_last)
        self._network: nn.Module = _placed(ready, self.compute)
        dtype = DTYPES[self.compute.precision]
        self._passes = Passes(self._network, self.compute.device, dtype)
        self._behind: tuple[StainTransform, TorchModel] | None = None
        self._staining = threading.Lock()
        self._turn = threading.Lock()  # threads that read tiles share a GPU and its memory

    @classmethod
    def load(cls, folder: Path, *, device: str = "auto", precision: str = "auto") -> TorchModel:
        """Read a model folder (see `napari_steatosis.models.load_model`)."""
        spec, state = read_folder(folder)
        try:
            network = build(spec.architecture, **spec.parameters)
        except (LookupError, TypeError, ValueError) as error:
            raise ModelFileError(
                f"{folder / 'model.json'} asks for architecture {spec.architecture!r} with "
                f"{spec.parameters}, which cannot be built here ({error}). "
                f"Update napari-steatosis to the version that trained it."
            ) from error
        check_fits(network, state, folder)
        network.load_state_dict(state)
        del state
        model = cls(network, spec, device=device, precision=precision, own=True)
        model.folder = folder
        del network
        trim_heap()  # of what the weights were read into, and of the folding's probe
        return model

    @property
    def arithmetic(self) -> dict[str, str]:
        """What may change the last digits of a result."""
        return {"device": self.compute.kind, "precision": self.compute.precision}

    def with_scores(self, scores: dict[str, Any]) -> TorchModel:
        """Return the model with measured results in its specification; same digest."""
        other = object.__new__(TorchModel)
        other.__dict__.update(self.__dict__, spec=replace(self.spec, scores=scores), folder=None)
        return other

    def stained(self, stain: StainTransform) -> TorchModel | None:
        """Return the model behind a stain transform that its GPU applies; None without CUDA.

        The table of colours is made once for a transform and lasts until `release`. What is
        returned cannot be sent to another process.
        """
        if self.compute.kind != "cuda" or self.spec.preparation:
            return None
        known = self._behind
        if known is None or known[0] != stain:
            with self._staining:
                known = self._behind
                if known is None or known[0] != stain:
                    known = self._behind = stain, self._with_colours(stain)
        return known[1]

    def _with_colours(self, stain: StainTransform) -> TorchModel:
        other = object.__new__(TorchModel)
        other.__dict__.update(self.__dict__, folder=None, _behind=None)
        other._passes = self._passes.behind(ColourCube(stain, self.compute.device))
        return other

    def with_threshold(self, threshold: float) -> TorchModel:
        """Return the model with another threshold.

        It has another digest, and no scores, which were of the old one.
        `napari_steatosis.models.save_model` keeps it.

        Raises
        ------
        BadValueError
            Where the model has more than two classes, or the threshold is not between 0 and 1.
        """
        if len(self.spec.classes) != 2 or not 0 < threshold < 1:
            raise BadValueError(
                f"Model {self.spec.name!r} has {len(self.spec.classes)} classes, and the threshold "
                f"is {threshold:g}: there must be two classes, and it must be between 0 and 1."
            )
        spec = replace(self.spec, threshold=threshold, scores={})
        other = object.__new__(TorchModel)
        own = {"spec": spec, "digest": digest_of(spec, self.state), "folder": None}
        other.__dict__.update(self.__dict__, **own)
        return other

    def predict(self, tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Map tiles to probabilities in the order of ``spec.classes``.

        Parameters
        ----------
        tiles : (n, y, x, 3) uint8
            RGB at about ``spec.um_per_px``; y and x are multiples of ``spec.multiple_px``.

        Returns
        -------
        (n, class, y, x) float32, or (n, class) for a classifier; sums to 1 over the classes

        Raises
        ------
        BadValueError
            Where the array has another shape or type, or a number is too large for fp16.
        NoMemoryError
            Where a single tile does not fit into the memory of the device.
        """
        check_tiles(tiles, self.spec)
        tiles = prepared(tiles, self.spec.preparation)
        with nullcontext() if self.compute.kind == "cpu" else self._turn:
            found = self._predicted(tiles)
        if self.compute.precision == "fp16" and np.isnan(found).any():
            raise BadValueError(
                f"Model {self.spec.name!r} computes values that are too large for fp16. "
                f"Use precision 'bf16' or 'fp32'."
            )
        return found

    def _predicted(self, tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        count, height, width = tiles.shape[:3]
        size = (height, width) if self.spec.task == "segmentation" else ()
        found = np.empty((count, len(self.spec.classes), *size), np.float32)
        done, under_way = 0, None
        while done < count:  # the host waits for a pass when the next one has begun
            tried = tiles[done : done + self._batches.count(height, width)]
            begun = self._begin(tried)
            if under_way is not None:
                under_way[0].into(under_way[1])
            under_way = None
            if begun is not None:
                under_way = begun, found[done : done + len(tried)]
                done += len(tried)
        if under_way is not None:
            under_way[0].into(under_way[1])
        return found

    def _begin(self, tiles: NDArray[np.uint8]) -> Pass | None:
        """Begin a pass; None where it found no room and the next ones take fewer tiles."""
        height, width = tiles.shape[1:3]
        try:
            return self._batches.watched(height, width, lambda: self._passes.begin(tiles))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            said = str(error).strip().split("\n")[0]
        self._batches.halve(height, width, tried=len(tiles), failure=said)
        return None

    def stream(self) -> Stream | None:
        """Begin an image that comes in bands of rows; None where this network cannot."""
        from ._stream import stream_of

        if self.spec.task != "segmentation" or self.compute.kind != "cpu" or self.spec.preparation:
            return None
        return stream_of(self._network, DTYPES[self.compute.precision])

    def release(self) -> None:
        """Give the memory that passes have used back to the device; the weights stay."""
        self._behind = None
        empty_cache(self.compute.device)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.folder is None:
            raise BadValueError(
                f"Model {self.spec.name!r} is not on disk, so no other process can load it. "
                f"Save it (save_model) and load it from its folder."
            )
        shipped = self.folder.parent == WEIGHTS  # a worker has its own copy of the package
        where = self.folder.name if shipped else str(self.folder)
        return restore, (where, *self._asked, self.digest)

    def __repr__(self) -> str:
        return f"<{self.spec.name} {self.digest[:12]} on {self.compute}>"


def _placed(network: nn.Module, compute: Compute) -> nn.Module:
    try:
        return network.to(compute.device)
    except RuntimeError as error:  # of drivers: busy, out of memory, in exclusive mode
        raise BadValueError(
            f"{compute} cannot be used: {str(error).strip().splitlines()[0]} Close what else "
            f"uses it, or choose another device."
        ) from error
