"""Pages link to what is there, and nothing points into somebody's own computer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "tests", "docs", "benchmarks", ".ci")
SUFFIXES = {".md", ".py", ".toml", ".yml", ".yaml", ".ini", ".json", ".html", ".css", ""}
TEXTS = sorted(
    path
    for path in [*ROOT.glob("*"), *(p for folder in FOLDERS for p in (ROOT / folder).rglob("*"))]
    if path.is_file()
    and path.suffix in SUFFIXES
    and "__pycache__" not in path.parts
    and path != Path(__file__)
)
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]

OWN_FOLDER = re.compile(
    r"(?<![\w.)}\]>/:*])/(?!usr/bin/env\b|dev/|proc/|sys/|tmp/)[a-z][\w.-]*/[\w.-]+"
)
"""An absolute path: on no other computer is it there, but for those of the system itself."""
OWN_HOST = re.compile(r"https?://(?:localhost|[\d.]+|[\w-]+)(?::\d+)?(?:/|$)")
"""An address without a domain: of a computer in somebody's own network."""
LINK = re.compile(r"!?\[[^\]]*\]\((?!https?:|mailto:|#)([^)#\s]+)")


def test_there_is_something_to_check() -> None:
    assert len(TEXTS) > 60


@pytest.mark.parametrize("wrong", [OWN_FOLDER, OWN_HOST], ids=["path", "address"])
def test_nothing_mentions_a_place_that_is_only_here(wrong: re.Pattern[str]) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in TEXTS
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        for match in wrong.finditer(line)
    ]
    assert found == []


def test_the_check_for_places_finds_them() -> None:
    assert OWN_FOLDER.search('open("/home/anna/slides/a.svs")')
    assert OWN_HOST.search("see http://buildbox:8080/log")
    assert not OWN_FOLDER.search("steatosis/bin/pip, 1/mm^2, https://napari.org/stable/x")


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []
