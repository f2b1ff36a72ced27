"""The checklist points to files that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d+) \| (.+) \| (.+) \| (.+) \|$", re.M)


def test_every_row_is_there_once_and_names_files_that_are_there() -> None:
    rows = ROW.findall((ROOT / "docs" / "checklist.md").read_text(encoding="utf-8"))
    assert [int(number) for number, *_ in rows] == list(range(1, 72))
    named = [name for row in rows for part in row[2:] for name in re.findall(r"`(.+?)`", part)]
    assert len(named) > 100
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_what_is_in_the_column_of_tests_is_a_test() -> None:
    rows = ROW.findall((ROOT / "docs" / "checklist.md").read_text(encoding="utf-8"))
    tests = [name for row in rows for name in re.findall(r"`(.+?)`", row[3])]
    assert all(Path(name).name.startswith("test_") for name in tests)
