"""Reports as CSV, Parquet and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.replacing import replacing
from ..core.report import RESEARCH_USE, Report, Reports
from ..core.study import ExpertAgreement, Study
from ._tables import tables_of, unit_of

if TYPE_CHECKING:
    from pandas import DataFrame, Series

STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A cell that begins so is computed by spreadsheets, not shown."""

ROUNDED = ("", "_tiles", "_hepatocytes")
"""Tables of a single slide that may be long: four decimals are enough."""

SCHEMA_KEY = b"napari-steatosis"


def write_csv(
    value: Report | Reports | Study, path: Path, *, overwrite: bool = False
) -> list[Path]:
    """Write tables as CSV, UTF-8, with the unit at the end of the name of a column.

    A `Report` gives ``<stem>.csv`` with one row per droplet (or per class, of a slide that was
    classified), ``<stem>_summary.csv`` with one row per measurement and ``<stem>_tiles.csv``
    with one row per square of tissue; where hepatocytes were found by their nuclei,
    ``<stem>_hepatocytes.csv`` with one row per nucleus. `Reports` give ``<stem>.csv`` with one
    row per slide and ``<stem>_patients.csv`` with one row per
    patient, whose areas are summed. A `Study` adds ``_visits``, ``_changes``, ``_groups`` and
    ``_agreement`` where it has them. What is undefined is left empty.

    Text that a spreadsheet would run as a formula, because it begins with ``= + - @`` or a
    control character, gets an apostrophe in front. Numbers are written as numbers.

    Raises
    ------
    BadValueError
        A measurement has a unit that no column name has, or a patient's slide has no areas.
    CannotOpenError
        Something stands at one of the paths and `overwrite` is False.
    """

    def save(name: str, table: DataFrame, part: Path) -> None:
        rounded = isinstance(value, Report) and "droplets" in value.tables and name in ROUNDED
        _without_formulas(table).to_csv(
            part,
            index=False,
            float_format="%.4f" if rounded else None,
            lineterminator="\r\n",  # of RFC 4180; with "\n" alone, cells with "\r" stay bare
            encoding="utf-8",
        )

    return _write_all(value, path, save, overwrite=overwrite)


def write_parquet(value: Report | Reports, path: Path, *, overwrite: bool = False) -> list[Path]:
    """Write the tables of `write_csv` as Parquet, with full precision and their types.

    The unit of a column is the field's metadata ``unit``; title, measurements, flags and
    provenance are JSON in the schema's metadata ``napari-steatosis``. Text is kept as it is:
    nothing in a Parquet file is run.

    Raises
    ------
    BadValueError, CannotOpenError
        As for `write_csv`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    known = json.dumps(_known_of(value), ensure_ascii=False, allow_nan=False).encode("utf-8")

    def save(_: str, table: DataFrame, part: Path) -> None:
        rows = pa.Table.from_pandas(table, preserve_index=False)
        fields = [
            field.with_metadata({"unit": unit_of(field.name)}) if unit_of(field.name) else field
            for field in rows.schema
        ]
        schema = pa.schema(fields, metadata={**rows.schema.metadata, SCHEMA_KEY: known})
        pq.write_table(rows.cast(schema), part, compression="zstd")

    return _write_all(value, path, save, overwrite=overwrite)


def _write_all(
    value: Report | Reports | Study,
    path: Path,
    save: Callable[[str, DataFrame, Path], None],
    *,
    overwrite: bool,
) -> list[Path]:
    """Write every table; the files get their names when all are complete."""
    tables = tables_of(value)
    paths = {name: path.with_name(f"{path.stem}{name}{path.suffix}") for name in tables}
    with ExitStack() as stack:
        for name, table in tables.items():
            part = stack.enter_context(replacing(paths[name], overwrite=overwrite))
            save(name, table, part)
    return list(paths.values())


def _without_formulas(table: DataFrame) -> DataFrame:
    from pandas import DataFrame
    from pandas.api.types import is_numeric_dtype

    def safe(column: Series) -> Series:
        return column if is_numeric_dtype(column) else column.map(_shown)

    return DataFrame({_shown(name): safe(column) for name, column in table.items()})


def _shown(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(STARTS_FORMULA) else cell


def _known_of(value: Report | Reports) -> Any:
    if isinstance(value, Report):
        return plain(value.to_json())
    slides = [
        {"title": one.title, "flags": list(one.flags), "provenance": dict(one.provenance)}
        for one in value.items
    ]
    return plain({"notice": RESEARCH_USE, "slides": slides, "patients": dict(value.patients)})


def write_json(
    value: Report | ExpertAgreement, path: Path, *, overwrite: bool = False
) -> list[Path]:
    """Write measurements, flags and provenance; what is undefined becomes null."""
    text = json.dumps(plain(value.to_json()), indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(path, overwrite=overwrite) as part:
        part.write_text(text + "\n", encoding="utf-8")
    return [path]


def plain(value: Any) -> Any:
    """Return values as JSON holds them; what is not finite becomes null."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
