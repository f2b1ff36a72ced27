from __future__ import annotations

import math
import sys

import pytest

from napari_steatosis.core.errors import UnknownNameError
from napari_steatosis.core.lazy import lazy_names
from napari_steatosis.core.table import Table

ROWS = {"sqrt": "math:sqrt", "mean": "statistics:mean", "broken": "math:no_such_function"}


def test_a_part_is_imported_when_it_is_asked_for() -> None:
    sys.modules.pop("this", None)
    table = Table("poem", {"zen": "this:s"})
    assert list(table) == ["zen"]
    assert "this" not in sys.modules
    assert "Ornhgvshy" in table["zen"]
    assert "this" in sys.modules


def test_it_keeps_the_order_and_knows_its_names() -> None:
    table = Table("function", ROWS)
    assert list(table) == ["sqrt", "mean", "broken"]
    assert len(table) == 3
    assert "mean" in table
    assert "median" not in table
    assert table["sqrt"] is math.sqrt


def test_an_unknown_name_is_answered_with_the_nearest_and_all() -> None:
    with pytest.raises(UnknownNameError) as caught:
        Table("function", ROWS)["sqr"]
    said = str(caught.value)
    assert said == (
        "There is no function named 'sqr'. Did you mean 'sqrt'? Known: sqrt, mean, broken."
    )
    with pytest.raises(LookupError, match=r"^There is no function named 'zzz'\. Known"):
        Table("function", ROWS)["zzz"]


def test_a_row_that_points_to_nothing_says_so() -> None:
    with pytest.raises(AttributeError, match="no_such_function"):
        Table("function", ROWS)["broken"]


def test_later_changes_of_the_rows_do_not_reach_the_table() -> None:
    rows = dict(ROWS)
    table = Table("function", rows)
    rows.clear()
    assert len(table) == 3


def test_lazy_names_raise_what_python_expects_of_a_module() -> None:
    find = lazy_names("some.package", ROWS)
    assert find("mean")([1, 3]) == 2
    with pytest.raises(AttributeError, match=r"module 'some\.package' has no attribute 'medium'"):
        find("medium")
