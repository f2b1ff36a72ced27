"""How far two gradings of the same units agree beyond chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..core.errors import BadValueError
from ._agreement_intervals import correlation_interval, left_out
from ._intervals import pair_of
from .agreement import FEWEST, concordance


def weighted_kappa(first: ArrayLike, second: ArrayLike, *, grades: int) -> float:
    """Return Cohen's kappa with quadratic weights between two gradings.

    Parameters
    ----------
    first, second : (n,) int
        Grades from 0 on.
    grades : int
        How many there are.

    Returns
    -------
    float
        1 for equal grades, 0 for chance; NaN where both gave everything one and the same grade.

    Raises
    ------
    BadValueError
        Where a value is no grade, or the gradings differ in length.

    Examples
    --------
    >>> weighted_kappa([0, 1, 2, 3], [0, 1, 2, 3], grades=4)
    1.0
    >>> round(weighted_kappa([0, 1, 2, 3], [0, 2, 2, 3], grades=4), 3)
    0.9
    """
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape or not len(a):
        raise BadValueError(f"{a.shape} and {b.shape} grades cannot be paired.")
    both = np.concatenate([a, b])
    if both.min() < 0 or both.max() >= grades or (both != both.astype(int)).any():
        raise BadValueError(
            f"Grades must be whole numbers from 0 to {grades - 1}, got {np.unique(both)[:6]}."
        )
    found = np.zeros((grades, grades))
    np.add.at(found, (a.astype(int), b.astype(int)), 1 / len(a))
    chance = found.sum(1)[:, None] * found.sum(0)[None, :]
    weight = (np.arange(grades)[:, None] - np.arange(grades)[None, :]) ** 2
    below = float((weight * chance).sum())
    return 1 - float((weight * found).sum()) / below if below else float("nan")


def kappa_interval(first: ArrayLike, second: ArrayLike) -> tuple[float, float] | None:
    """Return the 95 % interval of `weighted_kappa`, from what each unit changes.

    With quadratic weights kappa is Lin's concordance of the grades.

    Parameters
    ----------
    first, second : (n,) int
        Grades from 0 on.

    Returns
    -------
    (float, float), optional
        None where kappa is undefined or 1, or fewer than three units were graded.

    Examples
    --------
    >>> low, high = kappa_interval([0, 1, 2, 3, 0, 1, 2, 3], [0, 1, 2, 3, 1, 1, 2, 2])
    >>> round(low, 2), round(high, 2)
    (0.31, 0.98)
    """
    grades = np.stack([np.asarray(first, float), np.asarray(second, float)])
    if grades.shape[1] < FEWEST:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = left_out({"kappa": concordance}, grades)["kappa"]
        return pair_of(correlation_interval(concordance(grades), rest))
