"""Look at training data before the first epoch: what is wrong is said, nothing is dropped."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from ..core.dataset import Dataset, Finding, Sample
from ..core.errors import BadValueError
from . import hepass_rules
from .dataset_checks import findings_of_all
from .sample_checks import Facts, Limits, look_at

Rules = Literal["default", "hepass"]
THREADS = min(4, os.cpu_count() or 1)
AHEAD = 64
"""Samples that are submitted together."""

GRAVITY = ("error", "warning", "note")
Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Validation:
    """What was found in a dataset; iterating gives the findings, the gravest first.

    Parameters
    ----------
    data : Dataset
        What was looked at, whole.
    rules : str
        ``"default"`` or ``"hepass"``.
    findings : tuple of Finding
        Sorted by severity, then as found.
    facts : tuple of Facts
        One per sample (default rules).
    categories : mapping of str to list
        The five categories (HEPASS rules).
    parameters : mapping
        Limits that were applied.
    """

    data: Dataset
    rules: str
    findings: tuple[Finding, ...]
    facts: tuple[Facts, ...] = ()
    categories: Mapping[str, list[Any]] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    @property
    def kinds(self) -> dict[tuple[str, str], int]:
        """(severity, kind) to the number of findings, the gravest first."""
        return dict(Counter((one.severity, one.kind) for one in self.findings))

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What must be mended before training."""
        return tuple(one for one in self.findings if one.severity == "error")

    def of(self, kind: str) -> tuple[Finding, ...]:
        """Return the findings of one kind."""
        return tuple(one for one in self.findings if one.kind == kind)

    def write(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> list[Path]:
        """Write ``validation.json``, ``.csv`` and ``.html`` into a folder.

        By the HEPASS rules, JSON and CSV have the published form: five keys, and the columns
        Category and Count.

        Raises
        ------
        CannotOpenError
            Where they are there already and `overwrite` is False.
        """
        from .validation_report import write_validation

        return write_validation(self, Path(folder), overwrite=overwrite)


def validate(
    data: Dataset,
    rules: Rules = "default",
    *,
    limits: Limits | None = None,
    on_sample: Callable[[int, int], None] | None = None,
) -> Validation:
    """Look at every image and mask of a dataset, and at the dataset as a whole.

    The default rules say what cannot be read or used (size, channels, bits, masks that do not
    fit, points outside), what deceives (copies, also across the sets, patients in two sets,
    one class, empty masks only) and what one should know (no fat, little tissue). Tissue is
    measured by its stain, with droplets filled, so fatty images do not count as empty.
    ``"hepass"`` gives the five categories of the HEPASS check exactly (valid, invalid,
    low_tissue, no_fat_detected, duplicates; the first that applies), without OpenCV.

    Parameters
    ----------
    data : Dataset
        As from `open_dataset`.
    rules : {"default", "hepass"}
        By what is judged.
    limits : Limits, optional
        Of the default rules.
    on_sample : callable, optional
        ``on_sample(done, total)`` after each sample.

    Returns
    -------
    Validation
        Nothing is left out of `data`, whatever was found.

    Raises
    ------
    BadValueError
        For other rules.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_steatosis.core.dataset import ArraySource
    >>> white = ArraySource(np.full((230, 230, 3), 243, np.uint8))
    >>> for finding in validate(Dataset((Sample("a", white, um_per_px=0.5),))):
    ...     print(finding.kind)
    low_tissue
    """
    if rules not in ("default", "hepass"):
        raise BadValueError(f"rules is {rules!r}; give 'default' or 'hepass'.")
    tell = on_sample or (lambda done, total: None)
    if rules == "hepass":
        judged = list(_each(data, hepass_rules.judge, tell))
        report = hepass_rules.sorted_out(data, judged)
        findings = hepass_rules.findings_of(data, judged, report)
        given = dict(hepass_rules.PARAMETERS)
        return Validation(data, rules, _sorted(findings), (), report, given)
    limits = limits or Limits()
    facts = tuple(_each(data, lambda sample: look_at(sample, limits), tell))
    findings = [finding for one in facts for finding in one.findings]
    findings += findings_of_all(data, facts, limits)
    return Validation(data, rules, _sorted(findings), facts, parameters=asdict(limits))


def _each(
    data: Dataset, look: Callable[[Sample], Made], tell: Callable[[int, int], None]
) -> Iterator[Made]:
    """Look at samples in threads, in their order; decoders let other threads run."""
    done = 0
    with ThreadPoolExecutor(THREADS, thread_name_prefix="validate") as pool:
        for start in range(0, len(data), AHEAD):
            for made in pool.map(look, data.samples[start : start + AHEAD]):
                done += 1
                tell(done, len(data))
                yield made


def _sorted(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda one: GRAVITY.index(one.severity)))
