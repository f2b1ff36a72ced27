"""Whether a map of what a model looked at has to do with what the model learnt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]


def area_under(curve: Curve) -> float:
    """Return the mean height of a curve over shares from 0 to 1, by the trapezoidal rule.

    Examples
    --------
    >>> area_under(np.array([1.0, 0.5, 0.0]))
    0.5
    """
    return float(((curve[1:] + curve[:-1]) / 2).mean())


@dataclass(frozen=True, eq=False)
class MapCheck:
    """Three tests of a map on one tile.

    Parameters
    ----------
    name : str
        Of the map: method and class.
    tile : (y, x, 3) uint8
        What the model saw.
    values, random_weights : (y, x) float32
        The map, and that of the same network with random weights.
    likeness : float
        Rank correlation (Spearman) of the two; NaN where one of them is flat. Near 1 the map does
        not depend on what was learnt.
    deletion, insertion : (step + 1,) float64
        Probability of the class as the places of the map are painted over with the mean colour,
        or shown on a blurred tile, the most important first.
    deletion_at_random, insertion_at_random : (step + 1,) float64
        The mean of the same in the order of random blotches.
    """

    name: str
    tile: NDArray[np.uint8]
    values: NDArray[np.float32]
    random_weights: NDArray[np.float32]
    likeness: float
    deletion: Curve
    insertion: Curve
    deletion_at_random: Curve
    insertion_at_random: Curve

    def areas(self) -> dict[str, float]:
        """Return the area under each curve, 0 to 1."""
        curves = {
            "deletion": self.deletion,
            "deletion_at_random": self.deletion_at_random,
            "insertion": self.insertion,
            "insertion_at_random": self.insertion_at_random,
        }
        return {name: area_under(curve) for name, curve in curves.items()}

    def sentences(self) -> tuple[str, ...]:
        """Return what was found, one sentence per test."""
        area = self.areas()
        likeness = "cannot be had, one of the maps is flat"
        if np.isfinite(self.likeness):
            likeness = f"{self.likeness:.2f} (at 1 it would show nothing of what was learnt)"
        good = area["deletion"] < area["deletion_at_random"]
        deleted = "sooner than" if good else "no sooner than"
        good = area["insertion"] > area["insertion_at_random"]
        shown = "sooner than" if good else "no sooner than"
        return (
            f"Rank correlation with the map of random weights: {likeness}.",
            f"Painting over what the map shows lowers the probability {deleted} random blotches "
            f"do: area {area['deletion']:.3f}, at random {area['deletion_at_random']:.3f}.",
            f"Showing only what the map shows raises it {shown} random blotches do: area "
            f"{area['insertion']:.3f}, at random {area['insertion_at_random']:.3f}.",
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values; what cannot be had is null."""
        curves = {
            "deletion": self.deletion,
            "insertion": self.insertion,
            "deletion_at_random": self.deletion_at_random,
            "insertion_at_random": self.insertion_at_random,
        }
        return {
            "map": self.name,
            "likeness_to_random_weights": (
                round(self.likeness, 4) if np.isfinite(self.likeness) else None
            ),
            "areas": {name: round(area, 4) for name, area in self.areas().items()},
            "curves": {name: np.round(curve, 4).tolist() for name, curve in curves.items()},
            "sentences": list(self.sentences()),
        }
