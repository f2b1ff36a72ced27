"""The one file that knows devices: a network becomes a `Model` that maps arrays to arrays."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..core.errors import BadValueError, ModelFileError
from ..core.model import ModelSpec, Stream
from . import WEIGHTS, build, shipped_folder
from ._folder import State, check_fits, digest_of, halved, read_folder
from ._fuse import fused

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

PASS_PX = {"cpu": 2**21, "mps": 2**22, "cuda": 2**25}
"""Input pixels of one forward pass; more at once gains nothing and costs memory."""


@dataclass(frozen=True)
class Compute:
    """Where and in which arithmetic a model computes, and why.

    Parameters
    ----------
    device : {"cpu", "cuda", "mps"}
    precision : {"fp32", "bf16", "fp16"}
    reason : str
        For the user: what decided it.
    """

    device: str
    precision: str
    reason: str

    def __str__(self) -> str:
        return f"{self.device}, {self.precision} ({self.reason})"


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
    """

    def __init__(
        self,
        network: nn.Module,
        spec: ModelSpec,
        *,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        self.spec = spec
        self.state: State = halved(network.state_dict())
        self.digest = digest_of(spec, self.state)
        self.compute = choose_compute(device, precision)
        self.folder: Path | None = None
        self._asked = (device, precision)
        self._pass_px = PASS_PX[self.compute.device]
        own = copy.deepcopy(network).cpu()
        own.load_state_dict(self.state)  # what is saved is what predicts, to the last bit
        ready = fused(own.float().eval().requires_grad_(False), spec.multiple_px)
        ready = ready.to(DTYPES[self.compute.precision]).to(memory_format=torch.channels_last)
        self._network: nn.Module = ready.to(self.compute.device)

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
        model = cls(network, spec, device=device, precision=precision)
        model.folder = folder
        return model

    @property
    def arithmetic(self) -> dict[str, str]:
        """What may change the last digits of a result."""
        return {"device": self.compute.device, "precision": self.compute.precision}

    def with_scores(self, scores: dict[str, Any]) -> TorchModel:
        """Return the model with measured results in its specification; same digest."""
        other = object.__new__(TorchModel)
        other.__dict__.update(self.__dict__, spec=replace(self.spec, scores=scores), folder=None)
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
            Where the array has another shape or type.
        """
        self._check(tiles)
        done: list[Tensor] = []
        start = 0
        while start < len(tiles):
            count = max(1, self._pass_px // (tiles.shape[1] * tiles.shape[2]))
            try:
                done.append(self._forward(tiles[start : start + count]))
            except torch.cuda.OutOfMemoryError:
                if count == 1:
                    raise
                torch.cuda.empty_cache()
                self._pass_px = count // 2 * tiles.shape[1] * tiles.shape[2]
                continue
            start += count
        whole = done[0] if len(done) == 1 else torch.cat(done)
        return whole.numpy()

    def stream(self) -> Stream | None:
        """Begin an image that comes in bands of rows; None where this network cannot."""
        from ._stream import stream_of

        if self.spec.task != "segmentation" or self.compute.device != "cpu":
            return None
        return stream_of(self._network, DTYPES[self.compute.precision])

    @torch.inference_mode()
    def _forward(self, tiles: NDArray[np.uint8]) -> Tensor:
        rgb = torch.from_numpy(np.array(tiles, order="C")).to(self.compute.device)
        # A view of (n, y, x, 3) as (n, 3, y, x) is already in the memory order channels_last.
        logits = self._network(rgb.permute(0, 3, 1, 2).to(DTYPES[self.compute.precision]))
        if logits.shape[1] > 1:
            return logits.float().softmax(1).cpu()
        found = torch.empty((len(logits), 2, *logits.shape[2:]), dtype=torch.float32)
        found[:, 1] = logits[:, 0].float().sigmoid_()
        torch.sub(1.0, found[:, 1], out=found[:, 0])
        return found

    def _check(self, tiles: NDArray[np.uint8]) -> None:
        if tiles.dtype != np.uint8 or tiles.ndim != 4 or tiles.shape[3] != 3 or not tiles.size:
            raise BadValueError(
                f"Model {self.spec.name!r} takes tiles (n, y, x, 3) uint8, got {tiles.shape} "
                f"{tiles.dtype}. Convert the image to 8-bit RGB."
            )
        multiple = self.spec.multiple_px
        if tiles.shape[1] % multiple or tiles.shape[2] % multiple:
            raise BadValueError(
                f"Model {self.spec.name!r} takes tiles whose sides are multiples of "
                f"{multiple} px, got {tiles.shape[1]} x {tiles.shape[2]}. Read a larger "
                f"region; outside a slide it is mirrored."
            )

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


_restored: dict[tuple[str, str, str, str], TorchModel] = {}
_restoring = threading.Lock()


def restore(where: str, device: str, precision: str, digest: str) -> TorchModel:
    """Load a model that another process sent, once per process.

    Raises
    ------
    ModelFileError
        Where the folder holds another model here than it did there.
    """
    key = (where, device, precision, digest)
    with _restoring:
        if key not in _restored:
            folder = shipped_folder(where)
            model = TorchModel.load(folder, device=device, precision=precision)
            if model.digest != digest:
                raise ModelFileError(
                    f"{folder} holds model {model.digest[:12]} here, but {digest[:12]} was sent. "
                    f"Use the same version and the same folder on every worker."
                )
            _restored.clear()  # a run has one model; an earlier one would only hold memory
            _restored[key] = model
        return _restored[key]


def choose_compute(device: str = "auto", precision: str = "auto") -> Compute:
    """Decide device and precision.

    Raises
    ------
    BadValueError
        Where a name is unknown or the device is not there.

    Examples
    --------
    >>> print(choose_compute("cpu", "fp32"))
    cpu, fp32 (as asked)
    """
    present = list(_devices())
    if device != "auto" and device not in present:
        raise BadValueError(
            f"Device {device!r} is not available here; there is {', '.join(present)}. "
            f"Use one of these or 'auto'."
        )
    if precision != "auto" and precision not in DTYPES:
        raise BadValueError(f"Precision {precision!r} is unknown; use auto, {', '.join(DTYPES)}.")
    chosen = present[0] if device == "auto" else device
    fastest, reason = _fastest_precision(chosen)
    if precision == "auto":
        return Compute(chosen, fastest, reason)
    return Compute(chosen, precision, "as asked")


def _devices() -> Iterator[str]:
    if torch.cuda.is_available():
        yield "cuda"
    if torch.backends.mps.is_available():
        yield "mps"
    yield "cpu"


def _fastest_precision(device: str) -> tuple[str, str]:
    if device == "cuda":
        name = torch.cuda.get_device_name()
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bf16", f"{name} computes bfloat16"
        return "fp16", f"{name} has no bfloat16"
    if device == "mps":
        return "fp32", "lower precision is not validated on this device"
    if any(getattr(torch.cpu, f"_is_{unit}_supported", bool)() for unit in BF16_UNITS):
        return "bf16", "this processor computes bfloat16"
    return "fp32", "this processor has no bfloat16 arithmetic"


BF16_UNITS = ("avx512_bf16", "amx_tile")
"""Processor extensions that make bfloat16 about twice as fast as float32."""
