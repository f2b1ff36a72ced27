"""The printed report: the figures of the page, every picture, and whole or not at all."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from html import unescape

import pytest

from class_maps import apart, drawn, on_slide
from napari_steatosis.core.errors import CannotOpenError, MissingPackageError
from napari_steatosis.core.report import RESEARCH_USE
from napari_steatosis.io import _pdf
from napari_steatosis.io.write import write
from napari_steatosis.quantify import measure

pytest.importorskip("plutoprint")
pypdf = pytest.importorskip("pypdf")


@pytest.fixture(scope="module")
def report():
    found = measure(on_slide(drawn(1000, 1100, apart(18, 20, 55))))
    return replace(found, title="liver <017> & co")


@pytest.fixture(scope="module")
def printed(report, tmp_path_factory):
    """Give the page, its print, and the files that were made."""
    folder = tmp_path_factory.mktemp("pdf")
    made = write(report, folder / "slide.html", pdf=True)
    page = (folder / "slide.html").read_text(encoding="utf-8")
    return page, pypdf.PdfReader(folder / "slide.pdf"), made


def squeezed(text):
    """Return a text without spaces: lines are broken elsewhere on paper."""
    return re.sub(r"\s+", "", unescape(text))


def test_both_are_made_and_nothing_else(printed):
    _, _, made = printed
    assert [file.name for file in made] == ["slide.html", "slide.pdf"]
    assert {file.name for file in made[0].parent.iterdir()} == {"slide.html", "slide.pdf"}


def test_the_print_holds_every_word_and_number_of_the_page(printed):
    page, pdf, _ = printed
    paper = squeezed("".join(one.extract_text() for one in pdf.pages))
    body = page[page.index("<body>") :]
    found = re.findall(r"<td.*?</td>", body, re.DOTALL)
    cells = [squeezed(re.sub(r"<[^>]+>", " ", one)) for one in found]
    cells += [squeezed(one) for one in re.findall(r"<h[12]>(.*?)</h[12]>", body)]
    assert len(cells) > 100
    assert [one for one in cells if one not in paper] == []


def test_every_page_is_a4_with_number_title_and_notice(printed, report):
    _, pdf, _ = printed
    assert 2 <= len(pdf.pages) <= 8
    for number, one in enumerate(pdf.pages, start=1):
        width, height = one.mediabox[2:]
        assert (round(float(width)), round(float(height))) == (595, 842)
        text = squeezed(one.extract_text())
        assert squeezed(f"{number} / {len(pdf.pages)}") in text
        assert squeezed(RESEARCH_USE) in text
        assert squeezed(report.title) in text


def test_every_picture_is_printed_in_full(printed):
    page, pdf, _ = printed
    shown = [picture.image for one in pdf.pages for picture in one.images]
    assert len(shown) == page.count('src="data:image/png') >= 2
    assert all(picture.width > 1000 for picture in shown)


def test_what_is_there_is_replaced_only_on_demand_and_whole(report, tmp_path, monkeypatch):
    (tmp_path / "a.pdf").write_bytes(b"mine")
    with pytest.raises(CannotOpenError, match="overwrite"):
        write(report, tmp_path / "a.pdf")
    with pytest.raises(CannotOpenError, match="overwrite"):
        write(report, tmp_path / "a.html", pdf=True)
    assert [file.name for file in tmp_path.iterdir()] == ["a.pdf"]

    def torn(page, path):
        path.write_bytes(b"%PDF-1.7 half")
        raise OSError("the disk is full")

    monkeypatch.setattr("napari_steatosis.io.write_report.print_page", torn)
    with pytest.raises(OSError, match="full"):
        write(report, tmp_path / "a.html", overwrite=True, pdf=True)
    assert [file.name for file in tmp_path.iterdir()] == ["a.pdf"]
    assert (tmp_path / "a.pdf").read_bytes() == b"mine"


def test_without_the_extra_it_says_what_to_install(report, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "plutoprint", None)
    with pytest.raises(MissingPackageError, match=r"napari-steatosis\[pdf\]"):
        write(report, tmp_path / "a.pdf")
    with pytest.raises(MissingPackageError, match=r"napari-steatosis\[pdf\]"):
        _pdf.check_pdf()
    assert list(tmp_path.iterdir()) == []
