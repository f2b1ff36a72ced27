"""Another border between macro and micro droplets, without measuring anew."""

from __future__ import annotations

from dataclasses import replace

from ..core.report import Report
from ._droplets import DropletRule, size_classes
from .droplet_size import size_shares
from .zones import recut_zones


def with_macro_cut(report: Report, macro_um2: float) -> Report:
    """Return a report in which droplets from another area on are *macro*.

    Parameters
    ----------
    report : Report
        From `measure`.
    macro_um2 : float
        Droplets of at least this area are macro, um^2.

    Returns
    -------
    Report
        With other size classes and other macro and micro fractions; all else is the same, and
        equal to what `measure` gives with this cut.

    Raises
    ------
    BadValueError
        The cut is below the smallest droplet.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_steatosis.core.geometry import Frame
    >>> from napari_steatosis.core.prediction import Prediction
    >>> from napari_steatosis.quantify import measure
    >>> classes = np.ones((40, 40), np.uint8)
    >>> classes[10:20, 10:20] = 2
    >>> report = measure(Prediction("fat", [classes], ("tissue", "fat"), Frame((0.5, 0.5))))
    >>> print(report["macro_area_fraction"], with_macro_cut(report, 25)["macro_area_fraction"])
    0 % 6.25 %
    """
    settings = dict(report.provenance["measure"])
    rule = DropletRule(float(settings["smallest_um2"]), macro_um2)
    droplets = dict(report.tables["droplets"])
    area = droplets["area_um2"]
    droplets["size_class"] = size_classes(area, rule)
    tissue_mm2 = report["tissue_area"].value
    made = {
        one.name: one for one in size_shares(area, area >= rule.macro_um2, tissue_mm2, rule=rule)
    }
    if "zone" in droplets:
        made |= recut_zones(report.measurements, droplets, rule)
    return replace(
        report,
        measurements=tuple(
            replace(made.get(one.name, one), note=one.note) for one in report.measurements
        ),
        tables={**report.tables, "droplets": droplets},
        provenance={**report.provenance, "measure": {**settings, "macro_um2": macro_um2}},
    )
