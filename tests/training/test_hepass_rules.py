"""The five categories, their order, and areas that can be worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import napari_steatosis as st
from made_datasets import disc, save
from napari_steatosis.training.hepass_rules import grey_of, outer_areas

SIDE = 240
PINK = (200, 120, 170)  # grey 150


def pink(seed: int) -> NDArray[np.uint8]:
    """Tissue with one pixel that is its own."""
    rgb = np.full((SIDE, SIDE, 3), PINK, np.uint8)
    rgb[0, seed] = 7
    return rgb


def diamond(centre: tuple[int, int], radius: int) -> NDArray[np.bool_]:
    rows, columns = np.ogrid[:SIDE, :SIDE]
    return abs(rows - centre[0]) + abs(columns - centre[1]) <= radius


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    valid = pink(1)
    valid[20:32, 30:50] = 240  # 11 x 19 between the centres of its corners
    valid[diamond((100, 100), 10)] = 240  # 2 * 10 * 10
    valid[180:185, 20:25] = 240  # 4 x 4, too small to count
    save(tmp_path / "b_valid.png", valid)
    save(tmp_path / "c_copy.png", valid)
    save(tmp_path / "a_small.png", pink(2)[:223])
    (tmp_path / "d_broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    bright = pink(3)
    bright[:121] = 201  # 50.4 % above 200
    save(tmp_path / "e_bright.png", bright)
    save(tmp_path / "f_bright_copy.png", bright)
    half = pink(4)
    half[:120] = 201  # exactly a half is tissue, which is enough; 201 is not fat
    save(tmp_path / "g_half.png", half)
    lean = pink(5)
    lean[disc((SIDE, SIDE), (50, 50), 4)] = 255  # 49 px, 38 by its contour
    lean[150:152, 10:200] = 220  # not above 220
    save(tmp_path / "h_lean.tif", lean)
    save(tmp_path / "i_other.tiff", valid)
    return tmp_path


def test_every_category_in_its_order(folder: Path):
    found = st.validate(st.open_dataset(folder), rules="hepass")
    assert list(found.categories.items()) == [
        ("valid", [{"file": "b_valid.png", "fat_count": 2, "avg_fat_area": (209 + 200) / 2}]),
        ("invalid", ["a_small.png", "d_broken.jpg"]),
        ("low_tissue", ["e_bright.png"]),
        ("no_fat_detected", ["g_half.png", "h_lean.tif"]),
        ("duplicates", ["c_copy.png", "f_bright_copy.png"]),
    ]
    assert [one.sample for one in found.of("passed_over")] == ["i_other.tiff"]
    assert len(found.data) == 9  # nothing is dropped


def test_the_files_have_the_published_form(folder: Path, tmp_path: Path):
    found = st.validate(st.open_dataset(folder), rules="hepass")
    written, table, page = found.write(tmp_path / "report")
    text = written.read_text()
    assert text == json.dumps(dict(found.categories), indent=4)
    assert text.startswith('{\n    "valid": [\n        {\n            "file": "b_valid.png",')
    assert table.read_text() == (
        "Category,Count\nvalid,1\ninvalid,2\nlow_tissue,1\nno_fat_detected,2\nduplicates,2\n"
    )
    assert "h_lean.tif" in page.read_text()


def test_areas_are_those_between_the_centres_of_the_outermost_pixels():
    def areas(yes: NDArray[np.bool_]) -> list[float]:
        return sorted(outer_areas(yes).tolist())

    plane = np.zeros((60, 60), bool)
    assert areas(plane) == []
    plane[5:10, 5:15] = True
    assert areas(plane) == [4 * 9]
    plane[10, 15] = True  # hangs on over the corner, without an area of its own
    assert areas(plane) == [36]
    plane[7, 15:30] = True  # a line of single pixels: two triangles where it begins
    assert areas(plane) == [37]
    plane[8, 20] = True  # two triangles on it
    assert areas(plane) == [38]
    plane[30:50, 30:50] = True
    plane[33:47, 33:47] = False  # a hole is filled ...
    plane[38:42, 38:42] = True  # ... and what lies in it does not count
    assert areas(plane)[1] == 19 * 19
    assert outer_areas(disc((20, 20), (10, 10), 4)).tolist() == [38.0]
    assert disc((20, 20), (10, 10), 4).sum() == 49


def test_grey_is_rounded_as_opencv_does():
    rgb = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    exact = rgb @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey_of(rgb) - exact).max() < 0.51
    halves = np.array([[138, 167, 72], [125, 233, 161], [188, 204, 110]], np.uint8)
    assert grey_of(halves).tolist() == [148, 193, 189]  # by OpenCV 4.13; 147.5, 192.5, 188.5


def test_names_keep_their_folder_where_two_are_alike(tmp_path: Path):
    for n, name in enumerate(("a/1.png", "b/1.png", "b/2.png")):
        save(tmp_path / name, pink(n))
    found = st.validate(st.open_dataset(tmp_path), rules="hepass")
    assert found.categories["no_fat_detected"] == ["a/1.png", "b/1.png", "2.png"]


def test_the_real_tiles(shared_data: Path):
    data = st.open_dataset(shared_data / "steatosis-tiles").where(split="val")
    counts = {name: len(rows) for name, rows in st.validate(data, "hepass").categories.items()}
    assert sum(counts.values()) == 56
    assert counts["invalid"] == counts["duplicates"] == 0
    assert counts["low_tissue"] > len(st.validate(data).of("low_tissue")) > 0
