"""A report as CSV (droplets, and a summary beside it) and as JSON."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

from ..core.report import Report
from .write import replacing

SUMMARY_COLUMNS = ("measurement", "value", "unit", "ci95_low", "ci95_high", "n", "definition")


def write_csv(value: Report, path: Path, *, overwrite: bool = False) -> list[Path]:
    """Write ``<stem>.csv`` with one row per droplet and ``<stem>_summary.csv`` with the numbers.

    Columns carry their unit at the end of their name (``area_um2``). The summary has one
    row per measurement; what is undefined is left empty.
    """
    summary = path.with_name(f"{path.stem}_summary{path.suffix}")
    with (
        replacing(path, overwrite=overwrite) as droplets_part,
        replacing(summary, overwrite=overwrite) as summary_part,
    ):
        _write_droplets(value, droplets_part)
        _write_summary(value, summary_part)
    return [path, summary]


def _write_droplets(report: Report, path: Path) -> None:
    import pandas as pd

    table = pd.DataFrame(dict(report.tables.get("droplets", {})))
    table.to_csv(path, index=False, float_format="%.4f", lineterminator="\n")


def _write_summary(report: Report, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(SUMMARY_COLUMNS)
        for one in report.measurements:
            low, high = one.interval or ("", "")
            value = "" if math.isnan(one.value) else repr(float(one.value))
            n = "" if one.n is None else one.n
            rows.writerow([one.name, value, one.unit, low, high, n, one.definition])


def write_json(value: Report, path: Path, *, overwrite: bool = False) -> list[Path]:
    """Write measurements, flags and provenance; what is undefined becomes null."""
    text = json.dumps(_plain(value.to_json()), indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(path, overwrite=overwrite) as part:
        part.write_text(text + "\n", encoding="utf-8")
    return [path]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
