"""The patients of a study: what was measured of each, how it changed, how groups differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .report import RESEARCH_USE, Measurement, Reports


@dataclass(frozen=True)
class SlideFacts:
    """What a study knows of a slide beside its pixels.

    Parameters
    ----------
    patient, visit, group : str
        Empty where unknown.
    expert : str
        What an expert said of it: a number, or a grade (``"S2"``).
    """

    patient: str = ""
    visit: str = ""
    group: str = ""
    expert: str = ""


@dataclass(frozen=True)
class PatientFat:
    """The fat of one patient, at one visit or at all.

    Parameters
    ----------
    patient, visit, group : str
        Whose; `visit` is empty where all slides are taken together.
    slides : int
        How many were measured.
    tissue_mm2, fat_mm2 : float
        Summed over them.
    pooled : float
        Fat divided by tissue, %: a slide counts by its tissue. NaN without tissue.
    mean : float
        Mean of the slides' own shares, %: every slide counts the same.
    span : (float, float)
        Least and largest share of a slide, %.
    interval : (float, float), optional
        95 % interval of `pooled`.
    flags : tuple of str
        What one must know, with the reason where there is no interval.
    calibrated : tuple of Measurement
        What an expert would say, where the study has a calibration.
    findings : tuple of Measurement
        Zones, hepatocytes and grade of all slides together; `n` slides have them.
    """

    patient: str
    visit: str
    group: str
    slides: int
    tissue_mm2: float
    fat_mm2: float
    pooled: float
    mean: float
    span: tuple[float, float]
    interval: tuple[float, float] | None = None
    flags: tuple[str, ...] = ()
    calibrated: tuple[Measurement, ...] = ()
    findings: tuple[Measurement, ...] = ()


@dataclass(frozen=True)
class Change:
    """How one patient's fat changed since the first visit, in points of %."""

    patient: str
    group: str
    first: str
    visit: str
    before: float
    after: float

    @property
    def points(self) -> float:
        """After minus before."""
        return self.after - self.before


@dataclass(frozen=True)
class Group:
    """One group: name, number of patients, and quartiles of their shares of fat, %."""

    name: str
    values: tuple[float, ...]
    quartiles: tuple[float, float, float]


@dataclass(frozen=True)
class Comparison:
    """Groups of patients side by side, at one visit where there are visits.

    Parameters
    ----------
    visit : str
        Empty where the study has none.
    groups : tuple of Group
        In the order of the manifest.
    test : str
        Name of the test, empty where none was made.
    p : float, optional
        Of it, two-sided, not corrected for the number of visits.
    difference : float, optional
        Median of the second group minus that of the first, points; of two groups only.
    interval : (float, float), optional
        95 % interval of it (Bonett and Price 2002).
    note : str
        Why something is missing.
    """

    visit: str
    groups: tuple[Group, ...]
    test: str = ""
    p: float | None = None
    difference: float | None = None
    interval: tuple[float, float] | None = None
    note: str = ""


@dataclass(frozen=True, eq=False)
class ExpertAgreement:
    """How the values of patients agree with an expert's.

    Parameters
    ----------
    of, expert : str
        What was compared with what.
    measured, said : tuple of float
        The pairs, one per patient.
    statistics : tuple of Measurement
        Empty where there are too few pairs.
    note : str
        Why something is missing, or how patients were made of slides.
    """

    of: str
    expert: str
    measured: tuple[float, ...]
    said: tuple[float, ...]
    statistics: tuple[Measurement, ...]
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"notice": RESEARCH_USE, "pairs": len(self.measured), **asdict(self)}


@dataclass(frozen=True, eq=False)
class Study:
    """The reports of a study, and what follows from them for its patients.

    Parameters
    ----------
    title : str
        Of the page.
    reports : Reports
        One per finished slide.
    facts : mapping of str to SlideFacts
        Title of a slide to what is known of it.
    patients : tuple of PatientFat
        All slides of a patient taken together.
    visits : tuple of PatientFat
        One per patient and visit; empty where there are no visits.
    order : tuple of str
        The names of the visits in time.
    changes : tuple of Change
        Each later visit against the patient's first.
    comparisons : tuple of Comparison
        Empty where no slide has a group.
    agreement : ExpertAgreement, optional
        Where an expert's values were given.
    failed : mapping of str to str
        Name of a slide to why it failed.
    flags : tuple of str
        What one must know before using the numbers.
    retry : str
        How the slides that failed are tried again: a command, or a call.
    """

    title: str
    reports: Reports
    facts: Mapping[str, SlideFacts] = field(default_factory=dict)
    patients: tuple[PatientFat, ...] = ()
    visits: tuple[PatientFat, ...] = ()
    order: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    agreement: ExpertAgreement | None = None
    failed: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    retry: str = ""
