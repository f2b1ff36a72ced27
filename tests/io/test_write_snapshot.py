from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from arrays import slide_of
from class_maps import on_slide
from napari_steatosis import open_slide
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.geometry import Frame, Region
from napari_steatosis.core.label_image import LabelImage
from napari_steatosis.core.prediction import Prediction
from napari_steatosis.core.snapshot import Snapshot
from napari_steatosis.io.write import write
from napari_steatosis.io.write_snapshot import picture

FAT = (0, 200, 255)


def whole(slide):
    return Region(y=0, x=0, height=slide.shape[0], width=slide.shape[1])


def ground(height=600, width=800, colour=(200, 120, 170)):
    rgb = np.empty((height, width, 3), np.uint8)
    rgb[:] = colour
    return rgb


def prediction(classes, frame):
    return Prediction("fat", [classes], ("tissue", "fat"), frame)


def pixels(path):
    return np.array(Image.open(path).convert("RGB"))


def test_the_picture_stands_pixel_for_pixel_in_the_png(tmp_path):
    rgb = np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    slide = slide_of(rgb)
    (path,) = write(Snapshot(slide, whole(slide), width_px=400), tmp_path / "a.png")
    found = pixels(path)
    assert found.shape[1] == 400
    np.testing.assert_array_equal(found[:260, 100:], rgb[:260, 100:])  # clear of the scale bar
    assert Image.open(path).info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("width", [1600, 800, 400, 200])
@pytest.mark.parametrize("coarser", [1, 2, 4])
def test_a_labelled_square_lands_on_that_square(width, coarser):
    """The slide shows a black square, and the labels mark the same square in full cyan."""
    rgb = ground()
    rgb[128:328, 256:456] = 0
    classes = np.ones((600 // coarser, 800 // coarser), np.uint8)
    classes[128 // coarser : 328 // coarser, 256 // coarser : 456 // coarser] = 2
    slide = slide_of(rgb)
    labels = prediction(classes, slide.frame().coarser(coarser))
    shot = Snapshot(slide, whole(slide), (labels,), opacity=1, width_px=width)
    drawn, _ = picture(shot)
    plain, _ = picture(replace(shot, overlays=()))
    step = width / 800
    black = (plain == 0).all(axis=2)
    assert black.sum() == pytest.approx((200 * step) ** 2, rel=0.02)
    np.testing.assert_array_equal((drawn == FAT).all(axis=2)[black], True)
    left_over = (drawn != plain).any(axis=2) & ~black
    assert left_over.sum() == 0


def test_a_region_between_pixels_of_the_picture_is_cut_to_the_pixel():
    rgb = ground()
    rgb[101:303, 203:405] = 0
    slide = slide_of(rgb)
    shot = Snapshot(slide, Region(y=101, x=203, height=202, width=202), width_px=200)
    assert picture(shot)[0].max() == 0
    beside = Snapshot(slide, Region(y=101, x=405, height=202, width=202), width_px=200)
    assert picture(beside)[0].min() == 120


def test_overlays_lie_where_their_frame_says():
    """Labels of a part of the slide, from another program, with an origin of their own."""
    slide = slide_of(ground(400, 400), um_per_px=0.5)
    part = LabelImage("cells", [np.ones((50, 60), np.int32)], Frame((1.0, 1.0), (50.25, 100.25)))
    drawn, legend = picture(Snapshot(slide, whole(slide), (part,), opacity=1, width_px=400))
    marked = (drawn != (200, 120, 170)).any(axis=2)
    assert [(axis.min(), axis.max()) for axis in np.nonzero(marked)] == [(100, 199), (200, 319)]
    assert [entry.name for entry in legend] == ["cells"]


def test_coarse_levels_are_read_where_they_do():
    class Untouched:
        shape = (4096, 4096)

        def __getitem__(self, key):
            raise AssertionError("level 0 is not needed")

    classes = np.ones((2048, 2048), np.uint8)
    classes[512:1024, 1536:] = 2
    slide = slide_of(ground(4096, 4096))
    labels = Prediction("fat", [Untouched(), classes], ("tissue", "fat"), slide.frame())
    drawn, _ = picture(Snapshot(slide, whole(slide), (labels,), opacity=1, width_px=512))
    assert ((drawn == FAT).all(axis=2) == (classes[::4, ::4] == 2)).all()


def test_opacity_mixes_and_the_tissue_class_shows_the_slide():
    classes = np.ones((600, 800), np.uint8)
    classes[:300] = 2
    slide = slide_of(ground())
    shot = Snapshot(slide, whole(slide), (prediction(classes, slide.frame()),), 0.25, width_px=400)
    drawn, _ = picture(shot)
    assert drawn[0, 0].tolist() == [150, 140, 191]
    assert drawn[-1, -1].tolist() == [200, 120, 170]


def test_the_legend_names_what_is_drawn(tmp_path):
    slide = slide_of(ground())
    values = np.zeros((600, 800), np.int32)
    values[:100, :100], values[200:300, :100], values[400:500, :100] = 1, 2, 70_000
    known = {1: {"class": "portal"}, 2: {"class": "lobular"}, 3: {"class": "absent"}}
    zones = LabelImage("zones", [values], slide.frame(), {1: (9, 9, 200, 255)}, known)
    fat = prediction(np.full((600, 800), 2, np.uint8), slide.frame())
    _, legend = picture(Snapshot(slide, whole(slide), (fat, zones)))
    assert [entry.name for entry in legend] == ["fat", "portal", "lobular", "zones"]
    assert legend[1].colour == (9, 9, 200, 255)
    assert len({entry.colour for entry in legend}) == 4
    many = {value: (value, 0, 0, 255) for value in range(1, 30)}
    cells = LabelImage("cells", [np.arange(480_000).reshape(600, 800) % 30], None, many)
    _, legend = picture(Snapshot(slide, whole(slide), (cells,), width_px=800))
    assert [entry.name for entry in legend][-2:] == ["cells 6", "cells: 23 more"]


def texts(path):
    return [
        element.text for element in ElementTree.parse(path).iter() if element.tag[-4:] == "text"
    ]


@pytest.mark.parametrize(
    ("um_per_px", "width", "bar"),
    [
        (0.25, 800, "50 µm"),
        (0.5, 800, "100 µm"),
        (20.0, 800, "2 mm"),
        (0.5, 20, "2 µm"),
        (None, 800, "200 px"),
    ],
)
def test_the_scale_bar_has_a_round_length(um_per_px, width, bar, tmp_path):
    slide = slide_of(ground(), um_per_px=um_per_px)
    view = Region(y=0, x=0, height=width * 3 // 4, width=width)
    (path,) = write(Snapshot(slide, view, title="Case 7"), tmp_path / "a.svg")
    assert texts(path) == ["Case 7", bar, "Research use only. Not a diagnostic device."]


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255)])
def test_the_bar_is_as_long_as_it_says_on_any_ground(colour, tmp_path):
    slide = slide_of(ground(colour=colour))  # 400 um across: a bar of 100 um is a fourth
    (path,) = write(Snapshot(slide, whole(slide)), tmp_path / "a.png")
    box = pixels(path)[815:898, 21:347].astype(int)  # white, around text and bar
    assert box[2, 2].min() > 200
    bar = (box[864 - 815] < 60).all(axis=1)
    assert bar.sum() == pytest.approx(300, abs=2)


def test_an_svg_holds_pixels_and_text(tmp_path):
    fat = on_slide(np.pad(np.full((100, 100), 2, np.uint8), 60, constant_values=1))
    shot = Snapshot(fat.slide, whole(fat.slide), (fat,), width_px=440, title="<A & B> $x$")
    (path,) = write(shot, tmp_path / "a.svg")
    assert texts(path)[0] == "<A & B> $x$"
    assert "fat" in texts(path)
    (coded,) = re.findall(r"data:image/png;base64,([^\"]*)", path.read_text(encoding="utf-8"))
    inside = np.array(Image.open(io.BytesIO(base64.b64decode(coded))).convert("RGB"))
    np.testing.assert_array_equal(inside, picture(shot)[0])
    first = path.read_bytes()
    write(shot, path, overwrite=True)
    assert path.read_bytes() == first


def test_hostile_names_stay_on_the_page(tmp_path):
    slide = slide_of(ground(100, 300))
    names = ("tissue", "fat", "$\\frac{", "a\x00b\nc", "long " * 80, "肝")
    labels = Prediction("fat", [np.full((100, 300), 3, np.uint8)], names, slide.frame())
    shot = Snapshot(slide, whole(slide), (labels,), title="t" * 500, width_px=300)
    (path,) = write(shot, tmp_path / "a.svg")
    assert max(len(text) for text in texts(path)) < 60
    assert "ab c" in texts(path)
    write(shot, tmp_path / "a.png")


def test_pixels_that_are_not_square_are_put_right():
    slide = slide_of(ground(300, 400)).with_scale((0.5, 0.25))
    assert Snapshot(slide, whole(slide), width_px=400).picture_shape == (600, 400)


def test_what_cannot_be_drawn_is_refused():
    slide = slide_of(ground())
    with pytest.raises(BadValueError, match="outside"):
        Snapshot(slide, Region(y=600, x=0, height=5, width=5))
    with pytest.raises(BadValueError, match="at least 1 px"):
        Region(y=0, x=0, height=0, width=5)
    with pytest.raises(BadValueError, match="opacity"):
        Snapshot(slide, whole(slide), opacity=1.5)
    for width in (0, 199, 10_001):
        with pytest.raises(BadValueError, match="px wide"):
            Snapshot(slide, whole(slide), width_px=width)
    with pytest.raises(BadValueError, match="px high"):
        Snapshot(slide, Region(y=0, x=0, height=600, width=1))
    unknown = slide_of(ground(), um_per_px=None)
    with pytest.raises(BadValueError, match="cannot be placed"):
        Snapshot(unknown, whole(unknown), (prediction(np.ones((9, 9), np.uint8), slide.frame()),))


def test_a_region_that_sticks_out_is_cut_at_the_slide():
    shot = Snapshot(slide_of(ground()), Region(y=-50, x=700, height=150, width=900))
    assert shot.view == Region(y=0, x=700, height=100, width=100)


HUGE = """
import resource, sys
import numpy as np
from napari_steatosis.core.slide import Level, Slide
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.snapshot import Snapshot
from napari_steatosis.io.write import write

class Drawn:
    def read(self, level, region):
        return np.full((region.height, region.width, 3), 90 + level, np.uint8)

side = 100_000
levels = tuple(Level(-(-side // f), -(-side // f), float(f), n) for n, f in enumerate((1, 4, 16)))
huge = Slide("drawn", "drawn", Drawn(), levels, "drawn", (0.25, 0.25))
small = Slide("drawn", "drawn", Drawn(), levels[2:], "drawn", (0.25, 0.25))
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
write(Snapshot(small, Region(y=0, x=0, height=1200, width=1200)), sys.argv[1] + "/small.png")
before = peak()
write(Snapshot(huge, Region(y=0, x=0, height=side, width=side)), sys.argv[1] + "/huge.png")
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_a_whole_huge_slide_is_drawn_from_a_coarse_level(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", HUGE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    divisor = 1024 if sys.platform == "darwin" else 1
    assert float(done.stdout) / divisor < 150
    assert pixels(tmp_path / "huge.png")[10, 10].tolist() == [92, 92, 92]


def test_a_real_slide_is_drawn(shared_data, tmp_path):
    slide = open_slide(shared_data / "slides/aperio/CMU-1-Small-Region.svs")
    (path,) = write(Snapshot(slide, whole(slide), width_px=600), tmp_path / "cmu.png")
    found = pixels(path)[:800, 200:]
    mean = slide.read(whole(slide))[:, 740:].mean(axis=(0, 1))
    np.testing.assert_allclose(found.mean(axis=(0, 1)), mean, atol=3)
