"""What a model is to the rest of the house: a specification and one function."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Task = Literal["segmentation", "classification"]


@dataclass(frozen=True)
class ModelSpec:
    """What a model needs and gives, written beside its weights.

    Parameters
    ----------
    name : str
        Name under which the model is shown and recorded.
    architecture : str
        Row of the table MODELS that builds the network.
    task : {"segmentation", "classification"}
        A class per pixel, or one per tile.
    classes : tuple of str
        Names in the order of the probability channels.
    um_per_px : float
        Resolution at which the model was trained, micrometres per pixel.
    tile_px : int
        Side of the square that one task owns at inference, px.
    halo_px : int
        Context that makes the result independent of the tiling, px on each side.
    multiple_px : int
        Tile origins and sizes must be multiples of this (the stride of the network).
    stain : str
        Stain and normalisation state of the training images.
    modality : str
        Kind of image, ``"brightfield-he"`` for H&E.
    threshold : float
        Probability from which a pixel counts as the last class of a two-class model.
    parameters : mapping
        Arguments of the architecture.
    licence, training_data : str
        Position on licences, and what the weights were trained on.
    scores : mapping
        Measured results with their n, as in the model card.
    """

    name: str
    architecture: str
    task: Task
    classes: tuple[str, ...]
    um_per_px: float
    tile_px: int
    halo_px: int
    multiple_px: int = 1
    stain: str = "H&E, any"
    modality: str = "brightfield-he"
    threshold: float = 0.5
    parameters: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    training_data: str = ""
    scores: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ModelSpec:
        """Build a specification from the values of `to_json`."""
        return cls(**{**values, "classes": tuple(values["classes"])})


@runtime_checkable
class Model(Protocol):
    """A trained model: the seam between networks and everything else.

    A model is picklable: a cluster worker rebuilds it from its folder.
    """

    @property
    def spec(self) -> ModelSpec:
        """What the model needs and gives."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of specification and weights, hexadecimal."""
        ...

    @property
    def arithmetic(self) -> dict[str, str]:
        """What may change the last digits: ``{"device": "cpu", "precision": "bf16"}``."""
        ...

    def predict(self, tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Map ``(n, y, x, 3) uint8`` to probabilities that sum to 1.

        Returns ``(n, class, y, x) float32`` for segmentation, ``(n, class)`` otherwise.
        """
        ...
