"""What a model is to the rest of the house: a specification and one function."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .stain import StainTransform

Task = Literal["segmentation", "classification"]
Context = Literal["halo", "tile"]

NORMALISED = re.compile(r"normali[sz]ed by (?P<method>[\w-]+) to (?P<reference>[\w.-]*[\w-])")
"""How a specification says that its training images were normalised."""


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
        Context that a tile sees on each side besides what it owns, px. With ``context="tile"``
        the strip in which neighbouring tiles are blended.
    multiple_px : int
        Tile origins and sizes must be multiples of this (the stride of the network).
    stain : str
        Stain and normalisation state of the training images: ``"H&E, any"``, or
        ``"H&E, normalised by macenko to he"``, method and reference, which is then done to
        every slide that is analysed with the model unless something else is asked for.
    modality : str
        Kind of image, ``"brightfield-he"`` for H&E.
    context : {"halo", "tile"}
        ``"halo"``: a pixel depends on at most `halo_px` around it. ``"tile"``: on the whole
        tile (global attention, recurrence), so neighbouring tiles are blended.
    tolerance : float
        Largest difference of probability that cutting a slide into tiles makes, measured.
    threshold : float
        Probability from which a pixel counts as the last class of a two-class model.
    parameters : mapping
        Arguments of the architecture.
    preparation : str
        What is done to every image before the network sees it; empty for nothing.
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
    context: Context = "halo"
    tolerance: float = 1e-3
    threshold: float = 0.5
    parameters: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    training_data: str = ""
    scores: dict[str, Any] = field(default_factory=dict)
    preparation: str = ""

    @property
    def normalisation(self) -> tuple[str, str] | None:
        """Method and reference by which the training images were normalised; None for none.

        Examples
        --------
        >>> he = ModelSpec("mine", "smp", "segmentation", ("tissue", "fat"), 0.5, 512, 64)
        >>> he.normalisation is None
        True
        >>> from dataclasses import replace
        >>> replace(he, stain="H&E, normalised by macenko to he").normalisation
        ('macenko', 'he')
        """
        found = NORMALISED.search(self.stain)
        return None if found is None else (found["method"], found["reference"])

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` reads back."""
        values = asdict(self)
        if not self.preparation:  # so that models which need none keep their digest
            del values["preparation"]
        return values

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


@runtime_checkable
class StainingModel(Model, Protocol):
    """A model that can change the colours of tiles where it computes."""

    def stained(self, stain: StainTransform) -> Model | None:
        """Return a model whose ``predict(tiles)`` is ``predict(stain.apply(tiles))`` of this one.

        None where the processor computes it as well.
        """
        ...


class Stream(Protocol):
    """A network at work on an image that comes in bands of rows, from top to bottom."""

    def rows_at_a_time(self, width: int) -> int:
        """Return how many rows of an image so wide are best pushed at a time."""
        ...

    def push(self, rgb: NDArray[np.uint8], *, last: bool = False) -> NDArray[np.float32]:
        """Take the next rows, ``(rows, x, 3) uint8``; give those that can be computed now.

        Returns ``(class, rows, x) float32``, rows in order, each once; with `last` all that
        are left. Equal to `Model.predict` of the whole image to the last bit.
        """
        ...


@runtime_checkable
class StreamingModel(Model, Protocol):
    """A model that computes an image of any height in little memory, and no pixel twice."""

    def stream(self) -> Stream | None:
        """Begin an image; None where this network cannot be computed in bands."""
        ...
