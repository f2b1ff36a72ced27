"""Measurements with unit, interval and definition, and the report that holds them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import BadValueError, UnknownNameError
from .geometry import Region
from .label_image import LabelImage
from .prediction import Prediction

Columns = Mapping[str, NDArray[Any]]
"""A table: column name (with its unit) to values, all of one length."""

RESEARCH_USE = "Research use only. Not a diagnostic device."


@dataclass(frozen=True)
class Measurement:
    """One number that says what it is.

    Parameters
    ----------
    name : str
        Key in the report, ``"fat_area_fraction"``.
    value : float
        In `unit`; NaN where it is undefined (nothing to measure).
    unit : str
        ``"%"``, ``"mm^2"``, ``"1/mm^2"``, ``"um"``; ``""`` for a count.
    definition : str
        What was divided by what, in one sentence.
    interval : (float, float), optional
        95 % interval, in `unit`.
    n : int, optional
        Number of sampling units behind the interval; slides of a patient behind the value.
    note : str
        Why there is no value, or no interval, in one sentence.
    """

    name: str
    value: float
    unit: str
    definition: str
    interval: tuple[float, float] | None = None
    n: int | None = None
    note: str = ""

    def __str__(self) -> str:
        if math.isnan(self.value):
            return f"{self.note[:1].lower()}{self.note[1:]}".rstrip(".") or "undefined"
        whole = not self.unit and self.value.is_integer()
        text = f"{self.value:.0f}" if whole else f"{self.value:.4g} {self.unit}".rstrip()
        if self.interval is not None:
            low, high = self.interval
            text += f" (95 % CI {low:.4g} to {high:.4g})"
        return text

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Measurement:
        """Build a measurement from the values of `to_json`; null is what was undefined."""

        def number(value: float | None) -> float:
            return math.nan if value is None else float(value)

        interval = values.get("interval")
        pair = None if interval is None else (number(interval[0]), number(interval[1]))
        return cls(**{**values, "value": number(values["value"]), "interval": pair})


@dataclass(frozen=True, eq=False)
class Outline:
    """The rim of one droplet, along the sides of its pixels.

    Parameters
    ----------
    row : int
        The droplet's row in the table ``"droplets"``.
    rings : tuple of (n, 2) float64
        Corners (row, column) in px of the class map, where a pixel's centre is a whole
        number; closed (the last is the first). The first ring is the outer one, the others
        are holes.
    """

    row: int
    rings: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True, eq=False)
class Report:
    """What was measured on one slide.

    Parameters
    ----------
    title : str
        Usually the name of the slide.
    measurements : tuple of Measurement
        The numbers, by name in `report[name]`.
    tables : mapping of str to table
        ``"droplets"``: one row per droplet; ``"tiles"``: one row per square of tissue.
    provenance : mapping
        Slide, pixel size and its source, model and weights, settings, versions.
    flags : tuple of str
        What a reader must know before using the numbers.
    prediction : Prediction, optional
        What was measured; writers draw pictures from it.
    outlines : callable, optional
        ``outlines(region)`` yields the `Outline` of every droplet that lies wholly in a region
        of the class map, ``outlines(None)`` of all; traced from the class map when asked for.
    maps : mapping of str to LabelImage
        What was found beside the class map, to be looked at: ``"zones"``, ``"territories"``.
    """

    title: str
    measurements: tuple[Measurement, ...]
    tables: Mapping[str, Columns] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    prediction: Prediction | None = None
    outlines: Callable[[Region | None], Iterator[Outline]] | None = None
    maps: Mapping[str, LabelImage] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Measurement:
        for measurement in self.measurements:
            if measurement.name == name:
                return measurement
        known = ", ".join(m.name for m in self.measurements)
        raise UnknownNameError(f"The report has no measurement {name!r}; it has: {known}.")

    def to_json(self) -> dict[str, Any]:
        """Return plain values, without the tables."""
        return {
            "title": self.title,
            "notice": RESEARCH_USE,
            "measurements": [m.to_json() for m in self.measurements],
            "flags": list(self.flags),
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Report:
        """Build a report, without tables, from the values of `to_json`.

        Examples
        --------
        >>> report = Report("liver", (Measurement("fat_area", math.nan, "mm^2", "Area."),))
        >>> str(Report.from_json(report.to_json())["fat_area"])
        'undefined'
        """
        return cls(
            title=values["title"],
            measurements=tuple(map(Measurement.from_json, values["measurements"])),
            provenance=values["provenance"],
            flags=tuple(values["flags"]),
        )


@dataclass(frozen=True, eq=False)
class Reports:
    """The reports of several slides, and whose slides they are.

    Parameters
    ----------
    items : tuple of Report
        At least one; their titles differ.
    patients : mapping of str to str
        Title of a slide to the patient. Slides that are not listed belong to nobody.

    Raises
    ------
    BadValueError
        No report, two of the same title, or a patient of a slide that is not there.

    Examples
    --------
    >>> both = Reports((Report("a.svs", ()), Report("b.svs", ())), {"a.svs": "P1"})
    >>> [both.patients.get(one.title) for one in both.items]
    ['P1', None]
    """

    items: tuple[Report, ...]
    patients: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        titles = [one.title for one in self.items]
        if not titles:
            raise BadValueError("There is no report to put into a table of slides.")
        if twice := sorted({title for title in titles if titles.count(title) > 1}):
            raise BadValueError(
                f"Several reports have the title {twice[0]!r}, so their rows could not be told "
                f"apart. Give each slide a name of its own: replace(report, title=...)."
            )
        if unknown := [title for title in self.patients if title not in titles]:
            raise BadValueError(
                f"A patient is named for the slide {unknown[0]!r}, which is not among the "
                f"reports: {', '.join(titles[:10])}."
            )
