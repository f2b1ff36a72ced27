"""How many droplets there are, how large they are, and how much of the tissue each size holds."""

from __future__ import annotations

import numpy as np

from ..core.report import Measurement
from ._evidence import Evidence


def droplet_size(evidence: Evidence) -> tuple[Measurement, ...]:
    """Return count, density, quartiles of the diameter, and macro and micro area fractions."""
    table, rule, tissue_mm2 = evidence.droplets, evidence.rule, evidence.tissue_mm2
    n = len(table["id"])
    nan = float("nan")
    area = table["area_um2"]
    macro = table["size_class"] == "macro"
    quartiles = np.percentile(table["diameter_um"], [25, 50, 75]) if n else [nan] * 3
    what = f"Droplets of at least {rule.smallest_um2:g} um^2; touching ones are taken apart"
    disc = "Diameter of the disc with the droplet's area"

    def share(of: np.ndarray) -> float:
        return 100 * float(area[of].sum()) / (tissue_mm2 * 1e6) if tissue_mm2 else nan

    return (
        Measurement("droplet_count", float(n), "", f"{what}."),
        Measurement(
            "droplet_density",
            n / tissue_mm2 if tissue_mm2 else nan,
            "1/mm^2",
            f"{what}; per analysed area of tissue.",
        ),
        Measurement("droplet_diameter_p25", float(quartiles[0]), "um", f"{disc}: lower quartile."),
        Measurement("droplet_diameter_median", float(quartiles[1]), "um", f"{disc}: median."),
        Measurement("droplet_diameter_p75", float(quartiles[2]), "um", f"{disc}: upper quartile."),
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
