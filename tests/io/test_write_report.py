from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from PIL import Image

from arrays import slide_of
from class_maps import apart, drawn, on_slide
from discs import DiscSource
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.report import RESEARCH_USE
from napari_steatosis.io.write import write
from napari_steatosis.io.write_report import number
from napari_steatosis.quantify import measure


@pytest.fixture(scope="module")
def prediction():
    return on_slide(drawn(1000, 1100, apart(18, 20, 55)))


@pytest.fixture(scope="module")
def page(prediction, tmp_path_factory):
    report = replace(measure(prediction), title="liver <017> & co")
    (path,) = write(report, tmp_path_factory.mktemp("page") / "slide.html")
    return report, path.read_text(encoding="utf-8")


def pictures(text):
    for coded in re.findall(r'src="data:image/png;base64,([^"]+)"', text):
        yield np.asarray(Image.open(io.BytesIO(base64.b64decode(coded))).convert("RGB"))


def test_the_page_refers_to_nothing_outside_itself(page):
    _, text = page
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!data:)", text)
    assert "http" not in re.sub(r"base64,[^\"]+", "", text)
    assert "@import" not in text


def test_the_page_holds_every_number_definition_and_flag(page):
    report, text = page
    plain = unescape(re.sub(r"<[^>]+>", " ", text))
    for one in report.measurements:
        assert number(one.value) in plain
        assert one.name in plain
    for flag in report.flags:
        assert flag.split(":")[0].replace("um", "µm") in plain
    assert RESEARCH_USE in plain
    assert "fat is inside the denominator" in plain
    assert "liver <017> & co" in plain
    assert "measure.macro_um2" in plain


def test_overview_examples_and_sizes_are_drawn(page):
    _, text = page
    shown = list(pictures(text))
    assert len(shown) == 3
    for picture in shown:
        assert picture.shape[1] > 1000
        assert picture.std() > 20
    assert all(heading in text for heading in ("Overview", "Example regions", "Droplet sizes"))


def test_outlines_are_drawn_around_the_droplets(page):
    """Blue lines, and nothing blue in the picture as it was scanned."""
    _, text = page
    examples = list(pictures(text))[1].astype(int)
    blue = (examples[..., 2] - examples[..., 0] > 60) & (examples[..., 1] > 100)
    quarter = examples.shape[1] // 4
    assert blue[:, quarter : 2 * quarter].mean() > 0.005
    assert blue[:, : quarter - 10].mean() == 0


def test_without_a_slide_it_says_so_and_shows_the_sizes(prediction, tmp_path):
    report = measure(replace(prediction, slide=None))
    (path,) = write(report, tmp_path / "slide.html")
    text = path.read_text(encoding="utf-8")
    assert "No pictures of the slide" in text
    assert len(list(pictures(text))) == 1


def test_a_slide_that_cannot_be_read_is_told_not_hidden(prediction, tmp_path):
    whole = Region(y=0, x=0, height=4000, width=4000)
    slide = slide_of(prediction.slide.source.pixels, um_per_px=0.25)
    damaged = replace(slide, source=DiscSource(slide.source.pixels, damaged=whole))
    (path,) = write(measure(replace(prediction, slide=damaged)), tmp_path / "slide.html")
    text = path.read_text(encoding="utf-8")
    assert text.count("the slide cannot be read there") == 2
    assert "truncated strip" in text


def test_no_fat_and_no_tissue_still_make_a_page(tmp_path):
    for value in (0, 1):
        report = measure(on_slide(np.full((150, 200), value, np.uint8)))
        (path,) = write(report, tmp_path / f"{value}.html")
        assert "There is no fat to show" in path.read_text(encoding="utf-8")
