"""Hepatocytes that were found by their nuclei, as the measures take them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.label_image import LabelImage
from ..core.report import Columns

TERRITORIES = "territories"
WITHOUT_FAT, WITH_FAT = 1, 2
"""What the labels of territories are."""


@dataclass(frozen=True, eq=False)
class Hepatocytes:
    """One row per hepatocyte whose nucleus shows in the section.

    Parameters
    ----------
    table : Columns
        ``y_um, x_um`` centre of the nucleus in the tissue, ``with_fat`` (bool), and what else is
        known of it.
    made_by : mapping
        What they depend on, as plain values.
    territories : LabelImage, optional
        What is whose: `WITHOUT_FAT` or `WITH_FAT` in the territory of each.
    """

    table: Columns
    made_by: Mapping[str, Any]
    territories: LabelImage | None = None
