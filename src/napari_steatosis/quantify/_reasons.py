"""Why a measurement has no value, or no interval: said beside it, wherever it is written."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ..core.report import Measurement
from ._evidence import Evidence
from ._squares import SQUARE_UM
from .fat_area import why_no_interval
from .heterogeneity import FEWEST_SQUARES

NOTHING = "nothing was analysed"


def with_reasons(
    measurements: Iterable[Measurement], evidence: Evidence
) -> tuple[Measurement, ...]:
    """Return the measurements with a note where a value or an interval is missing.

    Parameters
    ----------
    measurements : iterable of Measurement
        Made of the evidence.
    evidence : Evidence
        What decides the reason.
    """
    return tuple(_explained(one, evidence) for one in measurements)


def _explained(one: Measurement, evidence: Evidence) -> Measurement:
    if one.note:
        return one
    if math.isnan(one.value):
        return replace(one, note=f"Undefined: {_reason(one, evidence)}.")
    if one.interval is None and "Interval:" in one.definition:
        return replace(one, note=f"No interval: {_reason(one, evidence)}.")
    return one


def _reason(one: Measurement, evidence: Evidence) -> str:
    droplets = len(evidence.droplets["id"])
    squares = int(np.count_nonzero(evidence.squares.analysed))
    if squares == 0:
        return NOTHING
    if one.name.startswith("droplet_") and droplets < 2:
        return "no droplet was found" if droplets == 0 else "a single droplet was found"
    if not math.isnan(one.value):
        found, analysed = evidence.squares.found.ravel(), evidence.squares.analysed.ravel()
        return why_no_interval(found, analysed, f"square of {SQUARE_UM:g} um")
    if squares < FEWEST_SQUARES:
        there = "1 square" if squares == 1 else f"{squares} squares"
        return f"tissue in {there} of {SQUARE_UM:g} um, and {FEWEST_SQUARES} are needed"
    return "no fat was found" if evidence.fat_mm2 == 0 else "too little of it is tissue"
