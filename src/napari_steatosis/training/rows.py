"""What a training says while it runs; every row is a value that can travel between processes."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..models._torch import TorchModel
    from ..models.classical.model import ClassicalModel


@dataclass(frozen=True)
class Step:
    """One step of training.

    Parameters
    ----------
    step : int
        From 0.
    loss : float
        Of this batch.
    learning_rate : float
    waited_s, seconds : float
        Time spent waiting for the batch, and in all.
    """

    step: int
    loss: float
    learning_rate: float
    waited_s: float
    seconds: float


@dataclass(frozen=True)
class Epoch:
    """The end of an epoch.

    Parameters
    ----------
    epoch : int
        From 1, counted through all phases.
    epochs : int
        How many there are at most.
    step : int
        Steps done, in all phases.
    loss : float
        Mean over the steps of the epoch.
    learning_rate : float
        Of its last step.
    scores : dict of str to float
        On the validation samples (see `napari_steatosis.training.monitor`); empty without them.
    best : bool
        Whether these weights are the best so far, so those that are kept.
    seconds : float
        The validation included.
    """

    epoch: int
    epochs: int
    step: int
    loss: float
    learning_rate: float
    scores: dict[str, float]
    best: bool
    seconds: float


@dataclass(frozen=True, eq=False)
class Predicted:
    """What the network makes of one validation sample after an epoch.

    Parameters
    ----------
    epoch : int
    name : str
        Of the sample.
    image : (y, x, 3) uint8
        As the network sees it.
    truth : (y, x) uint8 or int
        Class of each pixel (255: not judged), or of the sample.
    probability : (class, y, x) or (class,) float32
    """

    epoch: int
    name: str
    image: NDArray[np.uint8]
    truth: NDArray[np.uint8] | int
    probability: NDArray[np.float32]


@dataclass(frozen=True)
class Notice:
    """Something that one should know; the training goes on.

    Parameters
    ----------
    text : str
        A sentence or two.
    """

    text: str


@dataclass(frozen=True, eq=False)
class Trained:
    """The end of a training: the last row.

    Parameters
    ----------
    model : TorchModel or ClassicalModel, optional
        Ready to predict, with the best weights. None where the training ran in another process:
        load it from `folder`.
    folder : Path, optional
        Where it was written; None where no folder was given.
    digest : str
        Of the model.
    scores : dict
        On the validation samples, as in the specification of the model.
    best_epoch, epochs : int
        Epoch that the weights are of, and how many there were; 0 of a classical model.
    stopped_early : bool
        Whether the score had stopped to improve.
    """

    model: TorchModel | ClassicalModel | None
    folder: Path | None
    digest: str
    scores: dict[str, Any] = field(default_factory=dict)
    best_epoch: int = 0
    epochs: int = 0
    stopped_early: bool = False


Row = Step | Epoch | Predicted | Notice | Trained
"""What `train` yields."""

Rows = Generator[Row, None, None]
"""Rows as they come; closing it stops the training."""
