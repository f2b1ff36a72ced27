"""The colours that stain normalisation maps to, as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.errors import UnknownNameError

Vector = tuple[float, ...]


@dataclass(frozen=True)
class Reference:
    """What stained tissue looks like in a laboratory, relative to the white of its slides.

    Parameters
    ----------
    name : str
        Shown in messages and results.
    stains : ((3,), (3,)) float
        Unit vectors of optical density (red, green, blue) of haematoxylin and eosin.
    concentrations : (2,) float
        99th percentile of their concentrations (natural logarithm).
    mean, spread : (3,) float
        Mean and standard deviation of CIE L, a, b; the slide's white is L = 100.
    """

    name: str
    stains: tuple[Vector, Vector]
    concentrations: Vector
    mean: Vector
    spread: Vector

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Reference:
        """Return the reference whose fields these plain values are."""
        return cls(**{name: as_tuples(value) for name, value in values.items()})


REFERENCES = {
    "he": Reference(
        name="he",
        stains=((0.5255, 0.7359, 0.4269), (0.0349, 0.8308, 0.5555)),
        concentrations=(2.2383, 1.1033),
        mean=(60.389, 33.334, -10.373),
        spread=(14.59, 9.187, 5.296),
    ),
}
"""Built in. "he": 317 H&E liver tiles of many patients (the training tiles of the shipped
model), each shrunk to about 1 um/px and taken relative to its own white; 1 000 random stained
pixels (density of 0.15 or more) of each, pooled, then fitted by the two methods."""


def reference_named(name: str) -> Reference:
    """Return a built-in reference; `UnknownNameError` lists them.

    Examples
    --------
    >>> reference_named("he").name
    'he'
    """
    if name not in REFERENCES:
        raise UnknownNameError(
            f"There is no stain reference named {name!r}. Known: {', '.join(REFERENCES)}."
        )
    return REFERENCES[name]


def as_tuples(value: Any) -> Any:
    """Return nested lists, as JSON gives them, as nested tuples."""
    return tuple(map(as_tuples, value)) if isinstance(value, list | tuple) else value
