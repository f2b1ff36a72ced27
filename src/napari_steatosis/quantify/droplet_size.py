"""How many droplets there are, how large they are, and how much of the tissue each size holds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..core.report import Measurement
from ._droplets import DropletRule
from ._evidence import Evidence

DISC = "Diameter of the disc with the droplet's area"


def droplet_size(evidence: Evidence) -> tuple[Measurement, ...]:
    """Return count, density, the distribution of diameters and areas, macro and micro fractions."""
    table, rule, tissue_mm2 = evidence.droplets, evidence.rule, evidence.tissue_mm2
    n = len(table["id"])
    nan = float("nan")
    area = table["area_um2"]
    what = f"Droplets of at least {rule.smallest_um2:g} um^2; touching ones are taken apart"

    return (
        Measurement("droplet_count", float(n), "", f"{what}."),
        Measurement(
            "droplet_density",
            n / tissue_mm2 if tissue_mm2 else nan,
            "1/mm^2",
            f"{what}; per analysed area of tissue.",
        ),
        *_diameters(table["diameter_um"], area),
        *_areas(area),
        Measurement(
            "droplet_clump_fraction",
            100 * float(np.mean(table["from_clump"])) if n else nan,
            "%",
            "Droplets that were cut from touching ones, of all droplets.",
        ),
        *size_shares(area, table["size_class"] == "macro", tissue_mm2, rule=rule),
    )


def size_shares(
    area: NDArray[np.float64], macro: NDArray[np.bool_], tissue_mm2: float, *, rule: DropletRule
) -> tuple[Measurement, Measurement]:
    """Return the area of macro and of micro droplets as shares of the tissue."""

    def share(of: NDArray[np.bool_]) -> float:
        return 100 * float(area[of].sum()) / (tissue_mm2 * 1e6) if tissue_mm2 else float("nan")

    return (
        Measurement(
            "macro_area_fraction",
            share(macro),
            "%",
            f"Area of droplets of at least {rule.macro_um2:g} um^2 divided by the analysed area "
            "of tissue; fat is inside the denominator. There is no consensus on the cut.",
        ),
        Measurement(
            "micro_area_fraction",
            share(~macro),
            "%",
            f"Area of droplets from {rule.smallest_um2:g} to below {rule.macro_um2:g} um^2 "
            "divided by the analysed area of tissue. Fat in smaller regions is in neither of "
            "the two fractions, but in fat_area_fraction.",
        ),
    )


def _diameters(diameter: NDArray[np.float64], area: NDArray[np.float64]) -> Iterator[Measurement]:
    n, nan = len(diameter), float("nan")
    ranks = {"p10": 10, "p25": 25, "median": 50, "p75": 75, "p90": 90}
    said = ("10th percentile", "lower quartile", "median", "upper quartile", "90th percentile")
    found = np.percentile(diameter, list(ranks.values())) if n else [nan] * 5
    mean = float(diameter.mean()) if n else nan
    spread = float(diameter.std(ddof=1)) if n > 1 else nan
    yield Measurement("droplet_diameter_mean", mean, "um", f"{DISC}: mean.")
    yield Measurement(
        "droplet_diameter_sd", spread, "um", f"{DISC}: standard deviation over droplets."
    )
    for name, value, words in zip(ranks, found, said, strict=True):
        yield Measurement(f"droplet_diameter_{name}", float(value), "um", f"{DISC}: {words}.")
    yield Measurement(
        "droplet_diameter_area_weighted",
        float(np.average(diameter, weights=area)) if n else nan,
        "um",
        f"{DISC}: mean in which a droplet counts by its area, so that the many small ones do "
        "not decide.",
    )


def _areas(area: NDArray[np.float64]) -> Iterator[Measurement]:
    n, nan = len(area), float("nan")
    yield Measurement(
        "droplet_area_mean", float(area.mean()) if n else nan, "um^2", "Area of a droplet: mean."
    )
    yield Measurement(
        "droplet_area_median",
        float(np.median(area)) if n else nan,
        "um^2",
        "Area of a droplet: median.",
    )
