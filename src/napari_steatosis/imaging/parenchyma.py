"""Parenchyma: tissue less what holds no hepatocytes, as the denominator of fractions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.geometry import Region
from ..core.mask import Mask

VERSION = 1


def parenchyma(
    tissue: Mask,
    *,
    vessels: Mask | None = None,
    portal: Mask | None = None,
    exclude: Mask | None = None,
) -> Mask:
    """Return tissue less large vessels, portal tracts and exclusions.

    The lumina of large vessels, tears and glass are not in the mask of `find_tissue` to begin
    with: white places of `lumen_um` and more. `vessels` takes out what is stained of them, the
    walls and the blood. Nothing is guessed: without a map of portal tracts they stay tissue.

    Parameters
    ----------
    tissue : Mask
        What `find_tissue` gave, or a mask of your own.
    vessels : Mask, optional
        Vessels with their walls, from annotations or a classifier.
    portal : Mask, optional
        Portal tracts and septa, from annotations or a map of fibrosis.
    exclude : Mask, optional
        Whatever else is to be left out.

    Returns
    -------
    Mask
        At the resolution of `tissue`. Its provenance says what was taken out, how it was made,
        and how much of the tissue it was (mm2, in this order: what two of them cover counts
        for the first).

    Examples
    --------
    >>> from napari_steatosis.core.geometry import Frame
    >>> tissue = Mask(np.ones((100, 100), bool), Frame((10.0, 10.0)))
    >>> tract = Mask(np.ones((10, 10), bool), Frame((10.0, 10.0)))
    >>> left = parenchyma(tissue, portal=tract)
    >>> round(left.area_mm2, 3), left.provenance["less"]["portal"]["removed_mm2"]
    (0.99, 0.01)
    """
    whole = Region(y=0, x=0, height=tissue.shape[0], width=tissue.shape[1])
    values, less = tissue.values, {}
    for name, mask in (("vessels", vessels), ("portal", portal), ("exclude", exclude)):
        if mask is None:
            continue
        covered = values & mask.on(whole, tissue.frame)
        values = values & ~covered
        removed = float(np.count_nonzero(covered)) * tissue.frame.um2_per_px / 1e6
        less[name] = {"made_by": dict(mask.provenance), "removed_mm2": round(removed, 6)}
    of = dict(tissue.provenance)
    made: dict[str, Any] = {"method": "parenchyma", "version": VERSION, "of": of, "less": less}
    if "slide" in of:
        made["slide"] = of["slide"]
    if not values.any() and tissue.area_mm2:
        made["reason"] = "all tissue was taken out: " + ", ".join(less)
    elif not values.any():
        made["reason"] = str(of.get("reason", "the tissue mask is empty"))
    return Mask(values, tissue.frame, made)
