"""A model of another program behind the seam `napari_steatosis.core.model.Model`."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.digest import digest
from ..core.errors import BadValueError, MissingPackageError, ModelFileError
from ._gate import NETWORKS
from ._seam import check_tiles, restore
from ._sidecar import Activation, Description, sidecar_of, stated_content

if TYPE_CHECKING:
    from ._device import Compute

Network = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Maps ``(n, y, x, 3) uint8`` to ``(n, channel, y, x)``, or ``(n, channel)`` for a classifier."""

Prepare = Callable[[NDArray[Any]], NDArray[Any]]
"""Makes what a bare network takes, ``(n, 3, y, x) float32`` as a rule."""

PASS_PX = 2**22
"""Input pixels of one forward pass."""

TRIED_PX = 256
"""Side of the tile that a network is tried on when it is loaded."""

NEAR = 1e-2
"""How far the outputs of a network may be from probabilities that are said to be some."""


@dataclass(frozen=True)
class Sides:
    """Which sides of its input a network takes, px; smaller tiles are mirrored up to one.

    Parameters
    ----------
    least, step : int
        The smallest side, and what larger ones add in multiples.
    most : int, optional
        The largest; equal to `least` where the size is fixed.

    Examples
    --------
    >>> Sides(64, 32).above(70), Sides(512, 1, most=512).above(400)
    (96, 512)
    """

    least: int = 1
    step: int = 1
    most: int | None = None

    def above(self, side: int) -> int:
        """Return the smallest side that holds `side`.

        Raises
        ------
        BadValueError
            Where the network takes none so large.
        """
        found = self.least + max(0, -(-(side - self.least) // self.step)) * self.step
        if self.most is not None and found > self.most:
            raise BadValueError(
                f"This network takes at most {self.most} px a side, got {side}. Choose "
                f"tile_px + 2 halo_px of at most that."
            )
        return found


@dataclass(frozen=True)
class Origin:
    """Where a model comes from and how it was asked for: enough to load it elsewhere.

    Parameters
    ----------
    path : Path
        File or folder.
    device, precision : str
        As for `napari_steatosis.models.load_model`.
    content : str
        SHA-256 of what was loaded.
    """

    path: Path
    device: str
    precision: str
    content: str


class ForeignModel:
    """A trained network that another program wrote.

    Parameters
    ----------
    described : Description
        What it needs and gives.
    network : callable
        The network with all that stands before it; its outputs are not yet probabilities.
    origin : Origin
        Where it comes from.
    compute : Compute
        Where it computes.
    sides : Sides
        Which inputs it takes.

    Raises
    ------
    ModelFileError
        Where one tile of the size that is stated does not go through, or comes out in another
        shape than is stated, or where the sidecar belongs to another file.
    """

    def __init__(
        self,
        described: Description,
        network: Network,
        *,
        origin: Origin,
        compute: Compute,
        sides: Sides | None = None,
    ) -> None:
        self.spec, self.compute, self.origin = described.spec, compute, origin
        self._described, self._network = described, network
        self._sides = sides or Sides(self.spec.multiple_px, self.spec.multiple_px)
        values = described.to_json()
        del values["scores"]
        self.digest = digest(
            {"format": self.spec.architecture, "content": origin.content, "described": values}
        )
        expected = stated_content(origin.path)
        if expected is not None and expected != origin.content:
            raise ModelFileError(
                f"{sidecar_of(origin.path)} belongs to another file than {origin.path}: it "
                f"states sha256 {expected[:12]}, the content has {origin.content[:12]}. "
                f"Copy both again from their origin."
            )
        if compute.warning:
            warnings.warn(compute.warning, RuntimeWarning, stacklevel=2)
        self._try_one_tile()

    @property
    def arithmetic(self) -> dict[str, str]:
        """What may change the last digits of a result."""
        return {"device": self.compute.kind, "precision": self.compute.precision}

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
        ModelFileError
            Where what comes out of the network is not what is stated of it.
        """
        check_tiles(tiles, self.spec)
        height, width = tiles.shape[1:3]
        more = self._sides.above(height) - height, self._sides.above(width) - width
        if any(more):
            if self.spec.task == "classification":
                raise BadValueError(
                    f"Model {self.spec.name!r} takes tiles of {self.spec.tile_px} px, got "
                    f"{height} x {width}."
                )
            tiles = np.pad(tiles, ((0, 0), (0, more[0]), (0, more[1]), (0, 0)), mode="reflect")
        at_once = max(1, PASS_PX // (tiles.shape[1] * tiles.shape[2]))
        found = [
            self._probabilities(tiles[start : start + at_once])
            for start in range(0, len(tiles), at_once)
        ]
        whole = found[0] if len(found) == 1 else np.concatenate(found)
        return whole[:, :, :height, :width] if whole.ndim == 4 else whole

    def _probabilities(self, tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        with NETWORKS.passing():
            given, classes = self._network(tiles), len(self.spec.classes)
        activation = self._described.activation
        pair = classes == 2 and activation != "softmax"
        area = tiles.shape[1:3] if self.spec.task == "segmentation" else ()
        channels = 1 if activation == "sigmoid" else classes
        wanted = (len(tiles), channels, *area)
        if given.shape != wanted and not (pair and given.shape == (len(tiles), 1, *area)):
            raise ModelFileError(
                f"{self.origin.path}: tiles {tiles.shape} came out as {given.shape}, but the "
                f"task {self.spec.task!r} with classes {', '.join(self.spec.classes)} and "
                f"activation {activation!r} needs {wanted}. Correct {sidecar_of(self.origin.path)}"
                f", or take a network that gives this."
            )
        found = probabilities(given, activation)
        if not np.abs(found.sum(1) - 1).max() <= NEAR or found.min() < -NEAR:
            raise ModelFileError(
                f"{self.origin.path}: with activation {activation!r} the outputs "
                f"({given.min():.4g} to {given.max():.4g}) are not probabilities that sum to 1. "
                f"State the activation in {sidecar_of(self.origin.path)}."
            )
        if activation == "none":
            found = np.clip(found, 0, 1)
            found /= found.sum(1, keepdims=True)
        return found

    def _try_one_tile(self) -> None:
        whole, step = self.spec.tile_px + 2 * self.spec.halo_px, self.spec.multiple_px
        small = whole if self.spec.task == "classification" else -(-TRIED_PX // step) * step
        for side in (min(small, whole), whole):  # a small one is fast, but may be too small
            try:
                self._sides.above(whole)
                self.predict(np.full((1, side, side, 3), 200, np.uint8))
                return
            except BadValueError as error:
                raise ModelFileError(
                    f"{self.origin.path}: {error} Correct {sidecar_of(self.origin.path)}."
                ) from error
            except ModelFileError:
                if side == whole:
                    raise

    def __reduce__(self) -> tuple[Any, ...]:
        where = str(self.origin.path.absolute())
        return restore, (where, self.origin.device, self.origin.precision, self.digest)

    def __repr__(self) -> str:
        return f"<{self.spec.name} {self.digest[:12]} on {self.compute}>"


def probabilities(outputs: NDArray[np.float32], activation: Activation) -> NDArray[np.float32]:
    """Turn the outputs of a network into probabilities of classes.

    Parameters
    ----------
    outputs : (n, channel, ...) float
        One channel stands for the second of two classes.
    activation : {"softmax", "sigmoid", "none"}
        What is still to be done.

    Examples
    --------
    >>> probabilities(np.zeros((1, 1), np.float32), "sigmoid").tolist()
    [[0.5, 0.5]]
    """
    if activation == "softmax":
        raised = np.exp(outputs - outputs.max(1, keepdims=True))
        return raised / raised.sum(1, keepdims=True)
    if activation == "sigmoid":
        outputs = 0.5 * (1 + np.tanh(0.5 * outputs))
    if outputs.shape[1] == 1:
        outputs = np.concatenate([1 - outputs, outputs], axis=1)
    return outputs.astype(np.float32, copy=False)


def content_digest(*contents: bytes) -> str:
    """Return the SHA-256 of the files of a model, one after the other."""
    return hashlib.sha256(b"".join(contents)).hexdigest()


def package(name: str, extra: str) -> Any:
    """Import a package that is installed only for this format.

    Raises
    ------
    MissingPackageError
        Where it is not installed; the message says how to install it.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"This needs the package {error.name or name!r}, which is not installed. Install "
            f"it with: pip install 'napari-steatosis[{extra}]'"
        ) from error


def refuse_precision(precision: str) -> None:
    """Raise `BadValueError` where another precision is asked for than a file was written in."""
    if precision not in ("auto", "fp32"):
        raise BadValueError(
            f"Precision {precision!r} cannot be had of a model of another program; it computes "
            f"in the precision that its file states. Use auto."
        )
