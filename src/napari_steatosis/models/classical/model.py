"""The classical classifier of candidates behind the seam `napari_steatosis.core.model.Model`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.errors import BadValueError, ModelFileError, SteatosisError
from ...core.model import ModelSpec
from .. import WEIGHTS
from .._device import Compute
from .._folder import digest_of, read_folder
from .._seam import check_tiles, restore
from .candidates import CandidateRule, Labels, find_candidates
from .descriptors import Columns, Preset, describe, names, table
from .neighbourhood import REACH_UM, cell_px
from .parts import Doubles, Parts
from .predictors import LEARNERS, Numbers, predictor_of

TILE_UM = 512.0
"""Side of the square that one task owns, um."""


@dataclass(frozen=True)
class ClassicalRule:
    """How candidates become classes; kept in ``ModelSpec.parameters``.

    Parameters
    ----------
    candidates : CandidateRule
        What is looked at.
    descriptors : {"strict", "improved", "extended"}
        How it is described.
    learner : str
        One of `napari_steatosis.models.classical.predictors.LEARNERS`.
    largest_um : float
        Longer candidates are no droplets, whatever else they look like. This is what lets a
        tile know everything of each droplet that reaches into it.
    """

    candidates: CandidateRule = field(default_factory=CandidateRule)
    descriptors: Preset = "extended"
    learner: str = "gradient-boosting"
    largest_um: float = 64.0

    def __post_init__(self) -> None:
        if self.learner not in LEARNERS or not 0 < self.largest_um < 1000:
            raise BadValueError(
                f"The classifier is one of {', '.join(LEARNERS)} and the largest droplet below "
                f"1000 um, got {self.learner!r}, {self.largest_um} um."
            )
        names(self.descriptors)

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ClassicalRule:
        """Build a recipe from the values of `to_json`."""
        return cls(**{**values, "candidates": CandidateRule(**values["candidates"])})

    def tiling(self, um_per_px: float) -> dict[str, Any]:
        """Return tile, halo and multiple of a specification, px.

        What a tile owns can be part of a candidate of the largest size, and that one's
        neighbourhood must be seen, too.
        """
        step = cell_px(um_per_px)
        halo = -(-(self.largest_um + REACH_UM) // (step * um_per_px)) * step
        tile = round(TILE_UM / (step * um_per_px)) * step
        return {"tile_px": tile, "halo_px": int(halo), "multiple_px": step}


@dataclass(frozen=True, eq=False)
class Judged:
    """The candidates of one image, with what the classifier says of each.

    Parameters
    ----------
    labels : (y, x) int32
        Candidates 1 ... n.
    probabilities : (n, class) float64
        In the order of ``spec.classes``; each row sums to 1.
    descriptors : dict of str to (n,) float64
    """

    labels: Labels
    probabilities: Doubles
    descriptors: Columns


class ClassicalModel:
    """White candidates, descriptors, and a classifier that numpy computes.

    The first class is what is no candidate, and what a candidate is where none of the other
    classes fits; the second one is fat.

    Parameters
    ----------
    spec : ModelSpec
        With the architecture ``"classical"`` and a `ClassicalRule` as its parameters.
    numbers : mapping of str to array
        Of the classifier; ``class_index`` says which classes of the specification it knows.

    Raises
    ------
    BadValueError
        Where the numbers do not belong to the recipe.
    """

    def __init__(self, spec: ModelSpec, numbers: Numbers) -> None:
        self.spec, self.rule = spec, ClassicalRule.from_json(spec.parameters)
        self.state = {
            name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in numbers.items()
        }
        self.digest = digest_of(spec, self.state)
        self.compute = Compute("cpu", "fp64", "a classical model uses no GPU")
        self.folder: Path | None = None
        self._index = np.asarray(numbers["class_index"], np.int64)
        self._predictor = predictor_of(self.rule.learner, numbers)
        self._try()

    @classmethod
    def load(cls, folder: Path, *, device: str = "auto", precision: str = "auto") -> ClassicalModel:
        """Read a model folder (see `napari_steatosis.models.load_model`).

        Raises
        ------
        BadValueError
            Where another device or precision is asked for: there is the processor, in fp64.
        """
        if device not in ("auto", "cpu") or precision not in ("auto", "fp64"):
            raise BadValueError(
                f"{folder}: a classical model computes on the processor in fp64, not on "
                f"{device!r} in {precision!r}. Use 'auto' for both."
            )
        spec, state = read_folder(folder)
        try:
            model = cls(spec, {name: tensor.numpy() for name, tensor in state.items()})
        except (SteatosisError, LookupError, TypeError, ValueError) as error:
            raise ModelFileError(
                f"{folder} holds a classical model that cannot be used here ({error}). Update "
                f"napari-steatosis to the version that trained it, or copy the folder again."
            ) from error
        model.folder = folder
        return model

    @property
    def arithmetic(self) -> dict[str, str]:
        """What may change the last digits of a result."""
        return {"device": self.compute.kind, "precision": self.compute.precision}

    def with_scores(self, scores: dict[str, Any]) -> ClassicalModel:
        """Return the model with measured results in its specification; same digest."""
        numbers = {name: tensor.numpy() for name, tensor in self.state.items()}
        return ClassicalModel(replace(self.spec, scores=scores), numbers)

    def predict(self, tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Map tiles to probabilities in the order of ``spec.classes``.

        Parameters
        ----------
        tiles : (n, y, x, 3) uint8
            RGB at about ``spec.um_per_px``; y and x are multiples of ``spec.multiple_px``.

        Returns
        -------
        (n, class, y, x) float32, summing to 1 over the classes
            One value for all pixels of a candidate; 1 for the first class elsewhere.

        Raises
        ------
        BadValueError
            Where the array has another shape or type.
        """
        check_tiles(tiles, self.spec)
        classes = len(self.spec.classes)
        found = np.empty((len(tiles), classes, *tiles.shape[1:3]), np.float32)
        for rgb, out in zip(tiles, found, strict=True):
            judged = self.judge(rgb)
            rows = np.zeros((len(judged.probabilities) + 1, classes), np.float32)
            rows[0, 0], rows[1:] = 1, judged.probabilities
            for plane, column in zip(out, rows.T, strict=True):
                np.take(column, judged.labels, out=plane, mode="clip")
        return found

    def judge(self, rgb: NDArray[np.uint8]) -> Judged:
        """Find the candidates of one image and say what each is.

        Parameters
        ----------
        rgb : (y, x, 3) uint8
            At about ``spec.um_per_px``; of any size.

        Returns
        -------
        Judged
        """
        um_per_px = self.spec.um_per_px
        labels = find_candidates(rgb, self.rule.candidates, um_per_px)
        found = describe(rgb, labels, um_per_px=um_per_px, preset=self.rule.descriptors)
        own = self._predictor.scores(table(found))
        scores = np.zeros((len(own), len(self.spec.classes)))
        scores[:, self._index] = own
        if len(own):
            long = Parts.of(labels).length * um_per_px > self.rule.largest_um
            scores[long] = _not_fat(scores[long])
        return Judged(labels, scores, found)

    def _try(self) -> None:
        """Judge one candidate, so that numbers of something else are found out at once."""
        wide = len(names(self.rule.descriptors))
        try:
            found = self._predictor.scores(np.zeros((1, wide)))
        except (IndexError, ValueError) as error:
            raise BadValueError(f"It was not trained on {wide} descriptors ({error}).") from error
        if found.shape[1] != len(self._index) or not self._index.max() < len(self.spec.classes):
            raise BadValueError(
                f"It tells {found.shape[1]} classes apart, but {len(self._index)} of "
                f"{len(self.spec.classes)} are named."
            )

    def __reduce__(self) -> tuple[Any, ...]:
        if self.folder is None:
            raise BadValueError(
                f"Model {self.spec.name!r} is not on disk, so no other process can load it. "
                f"Save it (save_model) and load it from its folder."
            )
        shipped = self.folder.parent == WEIGHTS  # a worker has its own copy of the package
        where = self.folder.name if shipped else str(self.folder)
        return restore, (where, "auto", "auto", self.digest)

    def __repr__(self) -> str:
        return f"<{self.spec.name} {self.digest[:12]} on {self.compute}>"


def _not_fat(scores: Doubles) -> Doubles:
    """Take the second class out; where nothing else is left it is the first."""
    rest = scores.copy()
    rest[:, 1] = 0
    total = rest.sum(1)
    rest[total < 1e-9, 0] = 1
    return rest / rest.sum(1, keepdims=True)
