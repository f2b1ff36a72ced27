"""Reports of slides with a given fat and tissue, as an analysis would return them."""

from __future__ import annotations

from napari_steatosis.core.report import Measurement, Report


def measured(title, fat, tissue=10.0, **more):
    """Return a report; `fat` and `tissue` in mm^2, more measurements by name, in %."""
    areas = (
        Measurement("fat_area_fraction", 100 * fat / tissue if tissue else float("nan"), "%", "-"),
        Measurement("tissue_area", tissue, "mm^2", "-"),
        Measurement("fat_area", fat, "mm^2", "-"),
    )
    return Report(title, (*areas, *(Measurement(k, v, "%", "-") for k, v in more.items())))
