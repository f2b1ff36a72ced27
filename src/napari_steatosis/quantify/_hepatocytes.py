"""Hepatocytes that were found by their nuclei, as the measures take them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.report import Columns


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
    """

    table: Columns
    made_by: Mapping[str, Any]
