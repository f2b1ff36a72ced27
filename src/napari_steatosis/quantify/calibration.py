"""From what is measured to what this laboratory's expert says: fitted once, kept, stated.

Area of fat is not the share of hepatocytes that a pathologist estimates, and how the two
relate differs between laboratories. A calibration is fitted on patients of one laboratory and is
valid for it, its stain and its model alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import BadValueError, CannotOpenError
from ..core.replacing import replacing
from ._intervals import quantile
from .agreement import Agreement, agreement
from .kappa import weighted_kappa

Kind = Literal["linear", "isotonic", "grade"]
KINDS: tuple[Kind, ...] = ("linear", "isotonic", "grade")

FEWEST = 10
"""Fewer patients than this cannot carry a calibration."""

FOLDS = 5
REPLICATES = 200
SEED = 20120

Numbers = NDArray[np.float64]
Curve = tuple[tuple[float, ...], tuple[float, ...]]
"""Knots and the values there; of grades the cut-offs and the grade from each on."""


@dataclass(frozen=True)
class Calibration:
    """A rising curve from a measured value to an expert's, with its replicates.

    Parameters
    ----------
    kind : {"linear", "isotonic", "grade"}
        A line, a rising staircase joined by lines, or cut-offs between grades.
    measured, expert : str
        What is mapped to what, with units.
    curve : tuple of (tuple of float, tuple of float)
        Knots of the curve; of grades the cut-offs and the grade from each on.
    replicates : tuple of curves
        The same fitted to patients drawn with replacement.
    n : int
        Patients it was fitted to.
    span : (float, float)
        Least and largest measured value among them.
    grades : int
        How many grades there are; 0 where the expert gives a number.
    """

    kind: Kind
    measured: str
    expert: str
    curve: Curve
    replicates: tuple[Curve, ...]
    n: int
    span: tuple[float, float]
    grades: int = 0

    def predict(self, measured: ArrayLike) -> Numbers:
        """Return what the expert would say, ``(...) float64``; NaN stays NaN."""
        return _value(self.kind, self.curve, np.asarray(measured, float))

    def interval(self, measured: float) -> tuple[float, float]:
        """Return the 95 % interval of the curve at a value: how sure the calibration is there.

        From the curves that were fitted to patients drawn with replacement, whichever lies farther
        out: their percentiles, moved outwards as Student's t moves those of the normal
        distribution (Hesterberg 2015, doi 10.1080/00031305.2015.1089789), or their standard
        deviation times t. Either is too narrow for a rising curve where it is flat or ends.
        """
        from scipy.stats import norm

        found = [float(_value(self.kind, one, np.array(measured))) for one in self.replicates]
        grown, t = np.sqrt(self.n / (self.n - 1)), float(quantile(self.n - 2))
        outside = 100 * float(norm.cdf(-grown * t))
        low, high = np.percentile(found, [outside, 100 - outside])
        value, reach = float(self.predict(measured)), float(t * grown * np.std(found))
        return min(float(low), value - reach), max(float(high), value + reach)

    def probabilities(self, measured: float) -> Numbers:
        """Return how probable each grade is, ``(grades,)``: the share of replicates that say so.

        Raises
        ------
        BadValueError
            Where the calibration is not one of grades.
        """
        if self.kind != "grade":
            raise BadValueError(f"A {self.kind} calibration has no grades; fit one of 'grade'.")
        said = [int(_value(self.kind, one, np.array(measured))) for one in self.replicates]
        return np.bincount(said, minlength=self.grades) / len(said)

    def is_within(self, measured: float) -> bool:
        """Say whether a value lies where the calibration was fitted; beyond it is a guess."""
        return self.span[0] <= measured <= self.span[1]

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` reads back."""
        return {"format": 1, **_spelt(asdict(self))}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Calibration:
        """Build a calibration from the values of `to_json`."""
        fields = {name: _tuples(value) for name, value in values.items() if name != "format"}
        return cls(**fields)

    def save(self, path: str | Path) -> Path:
        """Write it as JSON, whole or not at all."""
        path = Path(path)
        with replacing(path, overwrite=True) as part:
            text = json.dumps(self.to_json(), indent=1, allow_nan=False)
            part.write_text(text + "\n", encoding="utf-8")
        return path

    @classmethod
    def open(cls, path: str | Path) -> Calibration:
        """Read what `save` wrote.

        Raises
        ------
        CannotOpenError
            Where the file is missing or holds something else.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
            if values["format"] != 1 or values["kind"] not in KINDS:
                raise ValueError(f"format {values['format']}, kind {values['kind']}")
            return cls.from_json(values)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CannotOpenError(
                f"{path} is no calibration ({type(error).__name__}: {error}). Fit one with "
                f"fit_calibration and save it."
            ) from error


@dataclass(frozen=True, eq=False)
class CalibrationCheck:
    """How a calibration does on patients that it was not fitted to.

    Parameters
    ----------
    predicted : (n,) float64
        For each patient, by a calibration fitted without him.
    agreement : Agreement
        Of `predicted` with the expert.
    kappa : float
        Quadratic-weighted, where the expert grades; else NaN.
    """

    predicted: Numbers
    agreement: Agreement
    kappa: float


def fit_calibration(
    measured: ArrayLike,
    expert: ArrayLike,
    *,
    kind: Kind = "isotonic",
    names: tuple[str, str] = ("fat_area_fraction, %", "expert"),
    seed: int = SEED,
) -> Calibration:
    """Fit a rising curve from measured values to an expert's, one pair per patient.

    Parameters
    ----------
    measured, expert : (n,) float
        One value per patient each, at least ten complete pairs. For ``"grade"`` the expert's
        are whole numbers from 0 on.
    kind : {"linear", "isotonic", "grade"}
        A least-squares line; the nearest rising curve (pool adjacent violators); or the
        cut-offs whose grades differ least from the expert's, squared and summed.
    names : (str, str)
        Of the two, with units, for reports.
    seed : int
        Of the 200 replicates.

    Raises
    ------
    BadValueError
        Where there are too few pairs, values that are no grades, or no rising relation.

    Examples
    --------
    >>> area = np.linspace(0.2, 20, 40)
    >>> fitted = fit_calibration(area, 4 * area, kind="linear")
    >>> round(float(fitted.predict(5.0)), 6)
    20.0
    """
    x, y = _pairs(measured, expert, kind)
    random = np.random.default_rng(seed)
    grades = int(y.max()) + 1 if kind == "grade" else 0
    curve = _fit(kind, x, y, grades)
    draws = (random.integers(0, len(x), len(x)) for _ in range(4 * REPLICATES))
    varied = [rows for rows in draws if np.ptp(x[rows]) and np.ptp(y[rows])][:REPLICATES]
    replicates = tuple(_fit(kind, x[rows], y[rows], grades) for rows in varied)
    span = (float(x.min()), float(x.max()))
    return Calibration(kind, *names, curve, replicates, len(x), span, grades)


def check_calibration(
    measured: ArrayLike, expert: ArrayLike, *, kind: Kind = "isotonic", seed: int = SEED
) -> CalibrationCheck:
    """Cross-validate a calibration: fit on four fifths of the patients, predict the rest.

    Parameters
    ----------
    measured, expert, kind, seed
        As in `fit_calibration`; the seed decides the folds.

    Raises
    ------
    BadValueError
        As in `fit_calibration`.

    Examples
    --------
    >>> area = np.linspace(0.2, 20, 40)
    >>> check_calibration(area, np.digitize(area, [1, 4, 11]), kind="grade").kappa > 0.9
    True
    """
    x, y = _pairs(measured, expert, kind)
    grades = int(y.max()) + 1 if kind == "grade" else 0
    fold = np.random.default_rng(seed).permutation(np.arange(len(x)) % FOLDS)
    predicted = np.empty(len(x))
    for number in range(FOLDS):
        held = fold == number
        predicted[held] = _value(kind, _fit(kind, x[~held], y[~held], grades), x[held])
    kappa = weighted_kappa(predicted, y, grades=grades) if grades else float("nan")
    return CalibrationCheck(predicted, agreement(predicted, y), kappa)


def _pairs(measured: ArrayLike, expert: ArrayLike, kind: Kind) -> tuple[Numbers, Numbers]:
    x, y = np.asarray(measured, float).ravel(), np.asarray(expert, float).ravel()
    if kind not in KINDS:
        raise BadValueError(f"A calibration is one of {', '.join(KINDS)}, not {kind!r}.")
    if len(x) != len(y):
        raise BadValueError(f"{len(x)} measured values and {len(y)} of the expert do not pair.")
    whole = np.isfinite(x) & np.isfinite(y)
    x, y = x[whole], y[whole]
    if len(x) < FEWEST:
        raise BadValueError(
            f"{len(x)} complete pairs are too few for a calibration; at least {FEWEST} patients "
            f"are needed, and some 50 that span the range."
        )
    if kind == "grade" and ((y != y.astype(int)).any() or y.min() < 0):
        raise BadValueError(f"The expert's grades must be whole numbers from 0, got {y[:5]}.")
    if not (np.ptp(x) and np.ptp(y)) or np.corrcoef(x, y)[0, 1] <= 0:
        raise BadValueError(
            "The expert's values do not rise with what was measured, so nothing can be "
            "calibrated. Check that each pair is of one patient."
        )
    return x, y


def _fit(kind: Kind, x: Numbers, y: Numbers, grades: int) -> Curve:
    if kind == "linear":
        slope, intercept = np.polyfit(x, y, 1)
        return (0.0, 1.0), (float(intercept), float(intercept + slope))
    if kind == "grade":
        return _cut_offs(x, y, grades)
    from scipy.optimize import isotonic_regression

    knots, index = np.unique(x, return_inverse=True)
    weights = np.bincount(index)
    found = isotonic_regression(np.bincount(index, y) / weights, weights=weights).x
    return tuple(map(float, knots)), tuple(map(float, found))


def _cut_offs(x: Numbers, y: Numbers, grades: int) -> Curve:
    """Find the cut-offs of least squared error, by dynamic programming over the values."""
    knots, index = np.unique(x, return_inverse=True)
    cost = np.zeros((grades, len(knots) + 1))
    for grade in range(grades):
        cost[grade, 1:] = np.cumsum(np.bincount(index, (y - grade) ** 2))
    best, came = cost[0], []
    for grade in range(1, grades):
        gain = best - cost[grade]
        low = np.minimum.accumulate(gain)
        came.append(np.maximum.accumulate(np.where(gain == low, np.arange(len(gain)), 0)))
        best = low + cost[grade]
    cuts, end = [], len(knots)
    for where in reversed(came):
        end = int(where[end])
        inner = 0 < end < len(knots)
        edge = -np.inf if end == 0 else np.inf
        cuts.append(float((knots[end - 1] + knots[end]) / 2) if inner else edge)
    return tuple(reversed(cuts)), tuple(map(float, range(1, grades)))


def _value(kind: Kind, curve: Curve, x: Numbers) -> Numbers:
    knots, values = (np.asarray(one, np.float64) for one in curve)
    if kind == "linear":
        return np.asarray(values[0] + x * (values[1] - values[0]), np.float64)
    if kind == "isotonic":
        found: Numbers = np.interp(x, knots, values)
        return found
    grade = np.searchsorted(knots, x, side="right").astype(float)
    return np.asarray(np.where(np.isnan(x), np.nan, grade), np.float64)


def _spelt(value: Any) -> Any:
    """Return values as JSON holds them: a cut-off that nobody passes is the text ``"inf"``."""
    if isinstance(value, dict):
        return {name: _spelt(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_spelt(one) for one in value]
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


def _tuples(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(map(_tuples, value))
    return float(value) if value in ("inf", "-inf") else value
