from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from icc import wide_profile
from made_slides import ome_zarr, stained, tiles
from napari_steatosis.core.errors import (
    CannotOpenError,
    MissingScaleError,
    UnreadableRegionError,
)
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.slide import Slide
from napari_steatosis.io import open_slide
from napari_steatosis.io.tiles import recognises

RGB = stained(250, 330)
SIDE = 100
"""Not a multiple of the blotches of `stained`, so that tissue goes on across the seams."""


def cut(
    folder: Path,
    name: Callable[[int, int], str],
    *,
    rgb: NDArray[np.uint8] = RGB,
    step: int = SIDE,
    size: tuple[int, int] = (SIDE, SIDE),
) -> Path:
    """Write tiles; `name` makes a file name of the x and y of a tile in px."""
    folder.mkdir(parents=True, exist_ok=True)
    for y in range(0, rgb.shape[0], step):
        for x in range(0, rgb.shape[1], step):
            tile = rgb[y : y + size[0], x : x + size[1]]
            Image.fromarray(tile).save(folder / name(x, y), lossless=True)
    return folder


def everything(slide: Slide) -> NDArray[np.uint8]:
    return slide.read(Region(y=0, x=0, height=slide.shape[0], width=slide.shape[1]))


NAMES: dict[str, Callable[[int, int], str]] = {
    "x and y in px": lambda x, y: f"liver_x{x}_y{y}.png",
    "y first": lambda x, y: f"liver-Y{y}-X{x}.bmp",
    "with equal signs": lambda x, y: f"x={x},y={y}.png",
    "in brackets": lambda x, y: f"liver 12 [x={x},y={y}].webp",
    "running number before": lambda x, y: f"{7 * x + y}_x{x}_y{y}.PNG",
    "row and column": lambda x, y: f"row{y // SIDE}_col{x // SIDE}.png",
    "from 1": lambda x, y: f"tile_r{y // SIDE + 1:03}_c{x // SIDE + 1:03}.png",
    "column and row as x and y": lambda x, y: f"x_{x // SIDE}_y_{y // SIDE}.png",
    "far from the corner of the slide": lambda x, y: f"x{x + 41_300}_y{y + 8_700}.png",
    "two numbers, x first": lambda x, y: f"liver_{x}_{y}.png",
    "two numbers, y first": lambda x, y: f"liver_{y}_{x}.png",
    "two numbers, column first": lambda x, y: f"liver_{x // SIDE}_{y // SIDE}.png",
    "two numbers, row first": lambda x, y: f"liver-{y // SIDE}-{x // SIDE}.png",
}


@pytest.mark.parametrize("how", NAMES)
def test_names_that_carry_a_position(how: str, tmp_path: Path) -> None:
    slide = open_slide(cut(tmp_path / "t", NAMES[how]))
    assert (slide.reader, slide.shape) == ("tiles", (250, 330))
    assert slide.properties["tiles.absent"] == "0 of 12"
    np.testing.assert_array_equal(everything(slide), RGB)


@pytest.mark.parametrize("downsample", [2, 4, 2.5])
@pytest.mark.parametrize("stated", ["d and size", "d", "size"])
def test_qupath_names_of_a_lower_resolution(stated: str, downsample: float, tmp_path: Path) -> None:
    def name(x: int, y: int) -> str:
        full = [round(v * downsample) for v in (x, y, min(SIDE, 330 - x), min(SIDE, 250 - y))]
        d = f"d={downsample:g}," if "d" in stated.split() else ""
        size = f",w={full[2]},h={full[3]}" if "size" in stated else ""
        return f"liver [{d}x={full[0] + 5000},y={full[1] + 300}{size}].png"

    slide = open_slide(cut(tmp_path / "t", name))
    np.testing.assert_array_equal(everything(slide), RGB)
    assert slide.properties["tiles.downsample"] == f"{downsample:g}"
    assert slide.properties["tiles.origin_px"] == "x=5000, y=300"


def test_what_is_absent_is_white_and_counted(tmp_path: Path) -> None:
    path = tiles(tmp_path, RGB, side=SIDE)
    for gone in ("x=100,y=100,w=100,h=100", "x=0,y=200,w=100,h=50"):
        (path / f"slide [{gone}].png").unlink()
    slide = open_slide(path)
    expected = RGB.copy()
    expected[100:200, 100:200] = expected[200:, :100] = 255
    np.testing.assert_array_equal(everything(slide), expected)
    assert slide.properties["tiles.absent"] == "2 of 12"
    assert slide.properties["tiles.count"] == "10"


def test_overlapping_tiles_are_drawn_in_order(tmp_path: Path) -> None:
    path = cut(tmp_path / "t", NAMES["x and y in px"], step=80)
    np.testing.assert_array_equal(everything(open_slide(path)), RGB)
    tile = np.zeros((100, 100, 3), np.uint8)
    Image.fromarray(tile).save(path / "liver_x80_y80.png")
    changed = open_slide(path).read(Region(y=80, x=80, height=100, width=100))
    assert (changed[:80, :80] == 0).all()
    np.testing.assert_array_equal(changed[80:], RGB[160:180, 80:180])


def test_scale_is_asked_for_and_compression_and_profile_are_recorded(tmp_path: Path) -> None:
    path = tmp_path / "jpeg"
    path.mkdir()
    for x in (0, 100):
        tile = Image.fromarray(RGB[:100, x : x + 100])
        tile.save(path / f"x{x}_y0.jpg", icc_profile=wide_profile("Camera"), dpi=(300, 300))
    slide = open_slide(path)
    assert slide.compression == "JPEG"
    assert slide.profile is not None
    assert slide.profile.name == "Camera"
    with pytest.raises(MissingScaleError, match="names of tiles state no pixel size"):
        slide.frame()
    assert open_slide(path, um_per_px=0.5).um_per_px == (0.5, 0.5)


def test_two_numbers_on_empty_glass_are_refused(tmp_path: Path) -> None:
    path = cut(tmp_path / "t", NAMES["two numbers, x first"], rgb=np.full_like(RGB, 240))
    with pytest.raises(CannotOpenError, match="do not say which number counts across"):
        open_slide(path)


REFUSED: dict[str, tuple[list[str], str]] = {
    "no position": (["a.png", "b.png", "c.jpg"], "3 pictures whose names carry no position"),
    "mostly none": (["a.png", "b.png", "x0_y0.png"], "3 pictures whose names carry no position"),
    "two slides": (["a_x0_y0.png", "b_x0_y0.png"], "the same position, 'a_x0_y0.png' and 'b"),
    "two resolutions": (["[d=2,x=0,y=0].png", "[d=4,x=9,y=0].png"], "2 resolutions"),
    "two planes": (["[d=1,x=0,y=0,z=0].png", "[d=1,x=0,y=0,z=1].png"], "2 planes"),
    "apart": (["x0_y0.png", "x900_y0.png", "x0_y900.png"], "lie further apart, 900 px down"),
    "neither": (["x0_y0.png", "x1_y0.png", "x0_y100.png"], "neither px nor rows and columns"),
    "wrong size": (["[x=0,y=0,w=512,h=300].png"], "not what its name states"),
    "misread": (["x0_y0.png", "x20260101_y20261231.png"], "more than any slide"),
    "enormous": (["x0_y0.png", f"x{10**30}_y0.png"], "more than any slide"),
    "no resolution": (["[d=0,x=0,y=0,w=9,h=9].png"], "not what its name states"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_clear_is_refused(kind: str, tmp_path: Path) -> None:
    names, reason = REFUSED[kind]
    for name in names:
        Image.fromarray(RGB[:SIDE, :SIDE]).save(tmp_path / name)
    with pytest.raises(CannotOpenError, match=f"tiles: .*{reason}"):
        open_slide(tmp_path)


def test_other_folders_and_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "x0_y0.txt").write_text("no picture")
    for path, reason in {
        tmp_path / "text": "without PNG, JPEG, BMP or WebP",
        ome_zarr(tmp_path, RGB): r"it holds zarr\.json",
    }.items():
        with pytest.raises(CannotOpenError, match=reason):
            open_slide(path, reader="tiles")


@pytest.mark.parametrize("mode", ["L", "P"])
def test_labels_that_were_exported_as_tiles_are_refused(mode: str, tmp_path: Path) -> None:
    Image.fromarray(RGB[:SIDE, :SIDE]).convert(mode).save(tmp_path / "x0_y0.png")
    with pytest.raises(CannotOpenError, match=r"its tile 'x0_y0\.png': it holds"):
        open_slide(tmp_path)


def test_other_files_and_a_few_other_pictures_do_not_matter(tmp_path: Path) -> None:
    path = cut(tmp_path / "t", NAMES["x and y in px"])
    Image.fromarray(RGB).save(path / "overview.png")
    (path / "liver.geojson").write_text("{}")
    (path / "._x0_y0.png").write_bytes(b"resource fork")
    np.testing.assert_array_equal(everything(open_slide(path)), RGB)


@pytest.mark.parametrize("spoiled", ["another size", "cut off", "grey"])
def test_a_spoiled_tile_is_an_error_where_it_lies_only(spoiled: str, tmp_path: Path) -> None:
    path = cut(tmp_path / "t", NAMES["x and y in px"])
    tile = path / "liver_x100_y100.png"
    if spoiled == "another size":
        Image.fromarray(RGB[:90, :SIDE]).save(tile)
    elif spoiled == "grey":
        Image.fromarray(RGB[:SIDE, :SIDE, 0]).save(tile)
    else:
        os.truncate(tile, tile.stat().st_size // 2)
    slide = open_slide(path)
    with pytest.raises(UnreadableRegionError, match="rows 150-160, columns 150-160"):
        slide.read(Region(y=150, x=150, height=10, width=10))
    good = Region(y=0, x=0, height=100, width=330)
    np.testing.assert_array_equal(slide.read(good), RGB[good.slices])


def test_a_tile_that_is_replaced_or_removed_is_noticed(tmp_path: Path) -> None:
    path = cut(tmp_path / "t", NAMES["x and y in px"])
    slide, first = open_slide(path), Region(y=0, x=0, height=SIDE, width=SIDE)
    slide.read(first)
    Image.fromarray(RGB[100:200, 100:200]).save(path / "liver_x0_y0.png")
    np.testing.assert_array_equal(slide.read(first), RGB[100:200, 100:200])
    (path / "notes.txt").write_text("does not matter")
    slide.read(first)
    (path / "liver_x0_y0.png").unlink()
    with pytest.raises(UnreadableRegionError, match="tiles were added or removed"):
        slide.read(first)


def test_a_folder_is_recognised_by_names_alone(tmp_path: Path) -> None:
    path = cut(tmp_path / "t", NAMES["row and column"])
    assert recognises(path)
    assert not recognises(path / "row0_col0.png")
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "liver.png").write_bytes(b"")
    assert not recognises(tmp_path / "photographs")
    assert not recognises(ome_zarr(tmp_path, RGB))


def test_a_huge_folder_opens_without_reading_its_tiles(tmp_path: Path) -> None:
    Image.fromarray(RGB[:64, :64]).save(tmp_path / "one.png")
    path = tmp_path / "tiles"
    path.mkdir()
    for y in range(150):
        for x in range(150):
            os.link(tmp_path / "one.png", path / f"x{64 * x}_y{64 * y}.png")
    begun = time.perf_counter()
    slide = open_slide(path, reader="tiles")
    assert time.perf_counter() - begun < 3
    assert slide.shape == (9600, 9600)
    corner = slide.read(Region(y=9536, x=9536, height=64, width=64))
    np.testing.assert_array_equal(corner, RGB[:64, :64])


@pytest.mark.parametrize("order", ["x first", "y first"])
def test_the_order_of_two_numbers_shows_in_real_tissue(
    order: str, shared_data: Path, tmp_path: Path
) -> None:
    whole = Image.open(shared_data / "liver/severe-macrovesicular.jpg")
    rgb = np.asarray(whole.crop((0, 0, 1500, 1100)))
    names = {"x first": lambda x, y: f"{x}_{y}.png", "y first": lambda x, y: f"{y}_{x}.png"}
    path = cut(tmp_path / "t", names[order], rgb=rgb, step=256, size=(256, 256))
    slide = open_slide(path)
    assert slide.shape == (1100, 1500)
    np.testing.assert_array_equal(everything(slide), rgb)
