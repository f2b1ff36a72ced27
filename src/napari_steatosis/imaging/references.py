"""The colours that stain normalisation maps to, as numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..core.errors import BadValueError, CannotOpenError, UnknownNameError
from ..core.replacing import replacing

Vector = tuple[float, ...]


@dataclass(frozen=True)
class Reference:
    """What stained tissue looks like in a laboratory, relative to the white of its slides.

    Parameters
    ----------
    name : str
        Shown in messages and results.
    stains : ((3,), (3,)) float
        Unit vectors of optical density (red, green, blue) of haematoxylin and eosin, as
        Macenko's method finds them.
    concentrations : (2,) float
        99th percentile of their concentrations (natural logarithm).
    mean, spread : (3,) float
        Mean and standard deviation of CIE L, a, b; the slide's white is L = 100.
    sparse_stains, sparse_concentrations : optional
        Like the first two, as Vahadane's method finds them. Its vectors lie closer together, and
        a slide's must be mapped to those of the same method.

    Examples
    --------
    >>> reference_named("he").concentrations
    (2.2383, 1.1033)
    """

    name: str
    stains: tuple[Vector, Vector]
    concentrations: Vector
    mean: Vector
    spread: Vector
    sparse_stains: tuple[Vector, Vector] | None = None
    sparse_concentrations: Vector | None = None

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Reference:
        """Return the reference whose fields these plain values are."""
        return cls(**{name: as_tuples(value) for name, value in values.items()})

    def as_sparse(self) -> Reference:
        """Return the reference with the stains of Vahadane's method in place of Macenko's.

        Raises
        ------
        BadValueError
            Where these were not measured.
        """
        if self.sparse_stains is None or self.sparse_concentrations is None:
            raise BadValueError(
                f"Reference {self.name!r} holds no stain vectors of method 'vahadane'. Measure "
                f"it again with reference_of, or choose method 'macenko'."
            )
        return replace(self, stains=self.sparse_stains, concentrations=self.sparse_concentrations)

    def save(self, path: str | Path) -> Path:
        """Write the reference as JSON, and return where.

        Examples
        --------
        >>> Reference.open(reference_named("he").save("he.json")) == reference_named("he")
        True
        """
        place = Path(path)
        text = json.dumps({"stain_reference": 1, **asdict(self)}, indent=1, allow_nan=False)
        try:
            with replacing(place, overwrite=True) as part:
                part.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise CannotOpenError(f"{place}: cannot be written ({error}).") from error
        return place

    @classmethod
    def open(cls, path: str | Path) -> Reference:
        """Read a reference that `save` wrote.

        Raises
        ------
        CannotOpenError
            Where the file cannot be read.
        BadValueError
            Where it holds something else.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise CannotOpenError(f"{path}: cannot be read ({error.strerror}).") from error
        except ValueError as error:
            raise BadValueError(f"{path}: this is not JSON ({error}).") from error
        try:
            if values.pop("stain_reference") != 1:
                raise ValueError("another version")
            reference = cls.from_json(values)
            _check(reference)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadValueError(
                f"{path}: this is not a stain reference ({error!r}). Measure one with "
                f"reference_of and save it."
            ) from error
        return reference


REFERENCES = {
    "he": Reference(
        name="he",
        stains=((0.5255, 0.7359, 0.4269), (0.0349, 0.8308, 0.5555)),
        concentrations=(2.2383, 1.1033),
        mean=(60.389, 33.334, -10.373),
        spread=(14.59, 9.187, 5.296),
        sparse_stains=((0.5119, 0.74929, 0.42015), (0.18026, 0.84204, 0.5084)),
        sparse_concentrations=(2.1696, 1.5003),
    ),
    "he-pale": Reference(
        name="he-pale",
        stains=((0.56188, 0.70304, 0.43593), (0.0038355, 0.91691, 0.39908)),
        concentrations=(1.6265, 0.65435),
        mean=(70.601, 29.303, -11.781),
        spread=(12.426, 8.1609, 5.3901),
        sparse_stains=((0.52295, 0.72856, 0.44241), (0.11044, 0.89824, 0.42541)),
        sparse_concentrations=(1.6972, 0.74321),
    ),
    "he-strong": Reference(
        name="he-strong",
        stains=((0.49673, 0.75524, 0.42765), (0.11094, 0.83106, 0.545)),
        concentrations=(2.4972, 1.29),
        mean=(55.878, 35.839, -9.9354),
        spread=(14.288, 8.8434, 5.1685),
        sparse_stains=((0.4975, 0.75822, 0.42141), (0.19373, 0.83666, 0.51232)),
        sparse_concentrations=(2.4081, 1.6169),
    ),
    "he-gtex": Reference(
        name="he-gtex",
        stains=((0.56503, 0.72676, 0.39059), (0.090641, 0.80267, 0.5895)),
        concentrations=(2.5891, 0.85944),
        mean=(64.499, 26.417, -13.168),
        spread=(15.01, 6.9679, 6.6316),
        sparse_stains=((0.55564, 0.73644, 0.3859), (0.22427, 0.83427, 0.50369)),
        sparse_concentrations=(2.4655, 1.1657),
    ),
}
"""Built in, measured by `benchmarks/stain_references.py`. "he": 317 H&E liver tiles of many
patients (the training tiles of the shipped model), each shrunk to about 1 um/px and taken relative
to its own white; 1 000 random stained pixels (density of 0.15 or more) of each, pooled, then fitted
by the methods. "he-pale": the 60 of them that come from a laboratory with pale slides. "he-strong":
45 of the most strongly stained series. "he-gtex": four liver tiles of GTEx, in the same way."""


def reference_named(name: str) -> Reference:
    """Return a built-in reference; `UnknownNameError` lists them.

    Examples
    --------
    >>> reference_named("he").name
    'he'
    """
    if name not in REFERENCES:
        raise UnknownNameError(
            f"There is no stain reference named {name!r}. Known: {', '.join(REFERENCES)}; or "
            f"give the path of a saved one, which ends in .json."
        )
    return REFERENCES[name]


def reference_from(given: str | Path | Reference) -> Reference:
    """Return a reference that is given by name, by the path of its JSON file, or itself."""
    if isinstance(given, Reference):
        return given
    if isinstance(given, Path) or given.endswith(".json"):
        return Reference.open(given)
    return reference_named(given)


def as_tuples(value: Any) -> Any:
    """Return nested lists, as JSON gives them, as nested tuples."""
    return tuple(map(as_tuples, value)) if isinstance(value, list | tuple) else value


def pair_of(vectors: ArrayLike) -> tuple[Vector, Vector]:
    """Return an array of two rows as nested tuples."""
    first, second = (tuple(map(float, row)) for row in np.asarray(vectors, np.float64))
    return first, second


def _check(reference: Reference) -> None:
    """Raise where the numbers of a file cannot be those of a reference."""
    pairs = (reference.stains, reference.sparse_stains or ())
    triples = [reference.mean, reference.spread, *pairs[0], *pairs[1]]
    twos = [reference.concentrations, reference.sparse_concentrations or (1.0, 1.0)]
    sizes = [len(reference.stains), len(reference.sparse_stains or (0, 0))]
    if sizes != [2, 2] or any(len(row) != 3 for row in triples) or any(len(r) != 2 for r in twos):
        raise ValueError("vectors of another length")
    positive = [*reference.spread, *twos[0], *twos[1]]
    if not all(map(math.isfinite, [v for row in (*triples, *twos) for v in row])):
        raise ValueError("a number that is not finite")
    if min(positive) <= 0:
        raise ValueError("a spread or concentration that is not positive")
