"""What is listed exists, is documented, and what lies on a shelf is listed."""

from __future__ import annotations

import contextlib
import inspect
from importlib import import_module
from pathlib import Path

import pytest

import napari_steatosis
from napari_steatosis import PUBLIC
from napari_steatosis.core.table import Table

PACKAGE = Path(napari_steatosis.__file__).parent
TABLES = {
    "io": ("READERS", "WRITERS"),
    "models": ("MODELS", "MODEL_FORMATS", "EXPORTS"),
    "quantify": ("MEASURES",),
}
FURNITURE = {
    "io": {
        "amounts": "amounts of stains in: of OME-Zarr only",
        "annotations": "annotations in, of one format",
        "labels": "label images in: of OME-Zarr only, so there is nothing to choose from",
        "write": "the table of writers and the function that uses it",
    },
    "models": {
        "explain": "what an answer came from, whatever the architecture",
        "map_check": "whether the map of what an answer came from can be believed",
        "reach": "what is measured of a network, whatever its architecture",
        "transfer": "what a network takes over from others, and which parts of it learn",
    },
    "quantify": {
        "agreement": "of measured values with an expert's, not of one slide",
        "calibration": "from measured values to an expert's, fitted to many patients",
        "fibrosis": "measures a class map of collagen; the table is of those of fat",
        "kappa": "of the grades of two readers, not of one slide",
        "patients": "of many slides: patients, visits and groups",
        "zones": "of the regions around landmarks that a user drew, not of a slide by itself",
    },
}
"""Plain file names that stand in no table, and why."""

ROWS = [(package, table) for package, tables in TABLES.items() for table in tables]


def table_of(package: str, name: str) -> Table:
    table = getattr(import_module(f"napari_steatosis.{package}"), name)
    assert isinstance(table, Table)
    return table


@pytest.mark.parametrize(("package", "name"), ROWS, ids=[name for _, name in ROWS])
def test_every_row_of_a_table_resolves(package: str, name: str) -> None:
    table, faults = table_of(package, name), []
    assert len(table) > 0
    for row in table:
        try:
            part = table[row]
        except (ImportError, AttributeError) as error:
            faults.append(f"{row}: {error}")
            continue
        if not callable(part):
            faults.append(f"{row}: {part!r} cannot be called")
        elif not (part.__doc__ or "").strip():
            faults.append(f"{row}: no docstring")
    assert faults == []


@pytest.mark.parametrize("package", sorted(TABLES))
def test_a_plain_file_name_is_a_part_in_a_table(package: str) -> None:
    listed = {
        table_of(package, name)[row].__module__
        for name in TABLES[package]
        for row in table_of(package, name)
    }
    names = {path.stem for path in (PACKAGE / package).glob("*.py") if path.stem[0] != "_"}
    parts = {module.rsplit(".", 1)[-1] for module in listed}
    assert names - parts - FURNITURE[package].keys() == set()
    assert FURNITURE[package].keys() - names == set(), "furniture that is no longer there"


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_name_has_a_docstring_with_an_example(name: str) -> None:
    text = inspect.getdoc(getattr(napari_steatosis, name)) or ""
    assert "Examples\n--------\n>>> " in text


def test_a_public_name_is_not_hidden_by_a_file_of_the_same_name() -> None:
    """A package attribute becomes the submodule once that is imported, whoever imports it."""
    hidden = []
    for package in sorted({path.parent for path in PACKAGE.rglob("__init__.py")}):
        dotted = ".".join((PACKAGE.name, *package.relative_to(PACKAGE).parts))
        exported = vars(import_module(dotted)).get("__getattr__")
        for path in package.glob("[a-z]*") if exported else ():
            with contextlib.suppress(AttributeError):
                exported(path.stem)
                hidden.append(f"{dotted}.{path.stem}")
    assert hidden == []


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    assert not hasattr(napari_steatosis, "no_such_name")
    assert set(PUBLIC) <= set(dir(napari_steatosis))
