"""From slides to patients: one value each, what it changed to, and how groups of them differ.

Slides of one patient are not independent of each other, so whatever is tested or compared has
the patient as its unit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.report import Report
from ..core.study import Change, Comparison, Group, PatientFat, SlideFacts
from ._intervals import FEWEST_UNITS, medians_interval, pair_of, share_interval

FEWEST_PATIENTS = 3
"""With fewer patients in a group it is not tested."""

ENOUGH_MM2 = 1.0
"""Less tissue than this is flagged."""

Numbers = NDArray[np.float64]
Slides = Sequence[tuple[Report, SlideFacts]]


def patients_of(slides: Slides, *, by_visit: bool = False) -> tuple[PatientFat, ...]:
    """Return the fat of each patient, in the order of the slides.

    Parameters
    ----------
    slides : sequence of (Report, SlideFacts)
        With ``fat_area`` and ``tissue_area``; those without a patient are left out.
    by_visit : bool
        One value per patient and visit; slides without a visit are left out.

    Returns
    -------
    tuple of PatientFat

    Examples
    --------
    >>> from napari_steatosis.core.report import Measurement
    >>> def slide(name, fat, tissue):
    ...     return Report(name, (Measurement("fat_area", fat, "mm^2", ""),
    ...                          Measurement("tissue_area", tissue, "mm^2", "")))
    >>> whose = SlideFacts("P1")
    >>> (one,) = patients_of([(slide("a", 1.0, 10.0), whose), (slide("b", 9.0, 30.0), whose)])
    >>> one.pooled, round(one.mean, 6), one.span
    (25.0, 20.0, (10.0, 30.0))
    """
    by_key: dict[tuple[str, str], list[tuple[Report, SlideFacts]]] = {}
    for report, facts in slides:
        if facts.patient and (facts.visit or not by_visit):
            key = facts.patient, facts.visit if by_visit else ""
            by_key.setdefault(key, []).append((report, facts))
    return tuple(_patient(*key, own) for key, own in by_key.items())


def _patient(patient: str, visit: str, own: Slides) -> PatientFat:
    fat = np.array([report["fat_area"].value for report, _ in own])
    tissue = np.array([report["tissue_area"].value for report, _ in own])
    total = math.fsum(tissue)
    shares = 100 * fat[tissue > 0] / tissue[tissue > 0]
    interval, reason = slide_interval(fat, tissue)
    flags = [reason] if reason else []
    if total < ENOUGH_MM2:
        flags.insert(0, f"{total:.2g} mm^2 of tissue in all, less than {ENOUGH_MM2:g} mm^2")
    return PatientFat(
        patient,
        visit,
        next((facts.group for _, facts in own if facts.group), ""),
        len(own),
        total,
        math.fsum(fat),
        100 * math.fsum(fat) / total if total else math.nan,
        float(shares.mean()) if len(shares) else math.nan,
        (float(shares.min()), float(shares.max())) if len(shares) else (math.nan, math.nan),
        interval,
        tuple(flags),
    )


def slide_interval(fat: Numbers, tissue: Numbers) -> tuple[tuple[float, float] | None, str]:
    """Return the 95 % interval of ``100 * sum(fat) / sum(tissue)``, or why there is none.

    The slides of a patient are the units of `share_interval`: Student's t on the logit scale.
    Of two slides it is wide, as it must be.

    Parameters
    ----------
    fat, tissue : (n,) float64
        Areas of each slide.

    Returns
    -------
    (float, float) or None, str

    Examples
    --------
    >>> slide_interval(np.array([1.0]), np.array([10.0]))[1]
    'no interval: 1 slide with tissue, 2 are needed'
    """
    fat, tissue = fat[tissue > 0], tissue[tissue > 0]
    n = len(tissue)
    if n < FEWEST_UNITS:
        slides = "slide" if n == 1 else "slides"
        return None, f"no interval: {n} {slides} with tissue, {FEWEST_UNITS} are needed"
    found = pair_of(100 * share_interval(fat, tissue))
    return found, "" if found else "no interval: its slides do not differ"


def in_order(visits: Iterable[str]) -> list[str]:
    """Return the visits in time: by number or date where all have one, else as they come.

    Examples
    --------
    >>> in_order(["week 10", "week 2"]), in_order(["before", "after"])
    (['week 2', 'week 10'], ['before', 'after'])
    """
    seen = list(dict.fromkeys(visits))
    try:
        return sorted(seen, key=date.fromisoformat)
    except ValueError:
        pass
    parts = [re.fullmatch(r"(\D*?)\s*(-?\d+(?:\.\d+)?)\s*(\D*)", one) for one in seen]
    numbers = [found for found in parts if found]
    if len(numbers) == len(seen) and len({(one[1], one[3]) for one in numbers}) == 1:
        return [seen[i] for i in np.argsort([float(one[2]) for one in numbers], kind="stable")]
    return seen


def changes_of(visits: Sequence[PatientFat]) -> tuple[Change, ...]:
    """Return how each patient changed, every later visit against the first of this patient.

    Parameters
    ----------
    visits : sequence of PatientFat
        One per patient and visit. A patient with a single visit has no change.
    """
    rank = {visit: place for place, visit in enumerate(in_order(one.visit for one in visits))}
    by_patient: dict[str, list[PatientFat]] = {}
    for one in visits:
        by_patient.setdefault(one.patient, []).append(one)
    return tuple(
        Change(first.patient, first.group, first.visit, later.visit, first.pooled, later.pooled)
        for own in by_patient.values()
        for first, *rest in [sorted(own, key=lambda one: rank[one.visit])]
        for later in rest
    )


def compare_groups(patients: Sequence[PatientFat]) -> tuple[Comparison, ...]:
    """Compare the patients of groups, at each visit on its own.

    Two groups: Mann-Whitney U, and the difference of their medians with the interval of Bonett
    and Price (`medians_interval`). More: Kruskal-Wallis.

    Parameters
    ----------
    patients : sequence of PatientFat
        One per patient, or per patient and visit.

    Returns
    -------
    tuple of Comparison
        Empty where nobody has a group. A note says why a test or interval is missing.
    """
    with_group = [one for one in patients if one.group and math.isfinite(one.pooled)]
    return tuple(
        _compare(visit, [one for one in with_group if one.visit == visit])
        for visit in in_order(one.visit for one in with_group)
    )


def _compare(visit: str, patients: Sequence[PatientFat]) -> Comparison:
    values: dict[str, list[float]] = {}
    for one in patients:
        values.setdefault(one.group, []).append(one.pooled)
    groups = tuple(Group(name, tuple(own), _quartiles(own)) for name, own in values.items())
    if len(groups) < 2:
        return Comparison(visit, groups, note="One group: there is nothing to compare it with.")
    return Comparison(visit, groups, **_tested(groups))


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    low, middle, high = np.percentile(values, [25, 50, 75]).tolist()
    return low, middle, high


def _tested(groups: Sequence[Group]) -> dict[str, Any]:
    from scipy.stats import kruskal, mannwhitneyu

    found: dict[str, Any] = {}
    samples = [np.array(one.values) for one in groups]
    if len(groups) == 2:
        found["difference"] = float(np.median(samples[1]) - np.median(samples[0]))
    few = [one for one in groups if len(one.values) < FEWEST_PATIENTS]
    if few:
        n, name = len(few[0].values), few[0].name
        patients = "one patient" if n == 1 else f"{n} patients"
        found["note"] = (
            f"Not tested: group {name!r} has {patients}, and {FEWEST_PATIENTS} are needed."
        )
        return found
    if len(set(np.concatenate(samples).tolist())) == 1:
        return {**found, "note": "Not tested: all patients have the same value."}
    if len(groups) > 2:
        return {"test": "Kruskal-Wallis", "p": float(kruskal(*samples).pvalue)}
    interval = pair_of(medians_interval(*samples))
    return {
        **found,
        "test": "Mann-Whitney U",
        "p": float(mannwhitneyu(*samples).pvalue),
        "interval": interval,
        "note": "" if interval else "No interval: the middle values of each group are equal.",
    }
