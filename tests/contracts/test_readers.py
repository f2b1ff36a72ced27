"""What every row of READERS must do; a new reader is tested from the day it is listed."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from made_slides import MAKERS, stained
from napari_steatosis.core.errors import CannotOpenError, UnreadableRegionError
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.slide import PixelSource, Slide
from napari_steatosis.io import READERS, open_slide
from napari_steatosis.io._handles import HANDLES

SHAPE = (283, 1101)
"""Odd, so that tiles and levels are ragged."""


@pytest.fixture(params=list(READERS))
def reader(request: pytest.FixtureRequest) -> str:
    assert request.param in MAKERS, f"tests/made_slides.py has no maker for {request.param!r}"
    return str(request.param)


@pytest.fixture
def path(reader: str, tmp_path: Path) -> Path:
    return MAKERS[reader](tmp_path, stained(*SHAPE))


@pytest.fixture
def slide(path: Path) -> Slide:
    return open_slide(path)


def whole(slide: Slide, level: int = 0) -> Region:
    size = slide.levels[level]
    return Region(y=0, x=0, height=size.height, width=size.width)


def test_it_opens_its_own_format_and_gives_the_stored_pixels(reader: str, slide: Slide) -> None:
    assert slide.reader == reader
    assert slide.shape == SHAPE
    assert isinstance(slide.source, PixelSource)
    np.testing.assert_array_equal(slide.read(whole(slide)), stained(*SHAPE))


def test_stored_levels_are_the_stored_pixels(reader: str, slide: Slide) -> None:
    stored = [number for number, level in enumerate(slide.levels) if level.shrink == 1]
    assert reader in ("picture", "tiles") or len(stored) > 1
    for number in stored:
        step = round(slide.levels[number].downsample)
        expected = stained(*SHAPE)[::step, ::step].astype(int)
        difference = np.abs(slide.read(whole(slide, number), number) - expected)
        # At a downsample that is not whole (2.002 here) OpenSlide interpolates, by at most
        # half a pixel of level 0, which is a quarter of a pixel of this level.
        assert difference[:256, :256].max() == 0
        assert difference.mean() < (2.0 if reader == "openslide" else 1e-9)


def test_levels_shrink_down_to_an_overview(slide: Slide) -> None:
    sizes = [level.height * level.width for level in slide.levels]
    assert sizes == sorted(set(sizes), reverse=True)
    assert max(slide.levels[-1].height, slide.levels[-1].width) <= 1000
    for level in slide.levels:
        assert level.height == pytest.approx(SHAPE[0] / level.downsample, abs=1)
        assert level.width == pytest.approx(SHAPE[1] / level.downsample, abs=1)


def test_parts_make_the_whole_on_every_level(slide: Slide) -> None:
    for number, level in enumerate(slide.levels):
        expected = slide.read(whole(slide, number), number)
        assembled = np.zeros_like(expected)
        step = 97
        for y in range(0, level.height, step):
            for x in range(0, level.width, step):
                height, width = min(step, level.height - y), min(step, level.width - x)
                part = Region(y=y, x=x, height=height, width=width)
                assembled[part.slices] = slide.read(part, number)
        np.testing.assert_array_equal(assembled, expected)


def test_outside_the_slide_it_is_mirrored(slide: Slide) -> None:
    wide = slide.read(Region(y=-5, x=-7, height=SHAPE[0] + 12, width=SHAPE[1] + 11))
    expected = np.pad(stained(*SHAPE), ((5, 7), (7, 4), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(wide, expected)


def test_a_pickled_slide_reads_in_another_process(slide: Slide, tmp_path: Path) -> None:
    (tmp_path / "slide.pickle").write_bytes(pickle.dumps(slide))
    code = (
        "import pickle, sys; from napari_steatosis.core.geometry import Region\n"
        "slide = pickle.load(open(sys.argv[1], 'rb'))\n"
        "print(slide.read(Region(y=100, x=200, height=50, width=60)).sum())"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "slide.pickle")]
    said = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    assert int(said) == stained(*SHAPE)[100:150, 200:260].sum()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_after_a_fork_both_processes_read_right(slide: Slide) -> None:
    slide.read(Region(y=0, x=0, height=8, width=8))
    child = os.fork()
    places = [Region(y=y, x=300, height=40, width=200) for y in range(0, 240, 40)]
    right = all(np.array_equal(slide.read(p), stained(*SHAPE)[p.slices]) for p in places)
    if child == 0:
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert right


def test_eight_threads_read_the_same_pixels(slide: Slide) -> None:
    rng = np.random.default_rng(1)
    corners = rng.integers(0, (SHAPE[0] - 100, SHAPE[1] - 100), (60, 2)).tolist()
    regions = [Region(y=y, x=x, height=100, width=100) for y, x in corners]
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(slide.read, regions))
    for region, pixels in zip(regions, read, strict=True):
        np.testing.assert_array_equal(pixels, stained(*SHAPE)[region.slices])


def test_no_file_stays_open_after_closing(slide: Slide, path: Path) -> None:
    slide.read(whole(slide))
    HANDLES.close()
    assert len(HANDLES) == 0
    folder = str(path.parent)
    assert [f.path for f in psutil.Process().open_files() if f.path.startswith(folder)] == []


def test_the_fingerprint_is_of_the_content(reader: str, slide: Slide, tmp_path: Path) -> None:
    source, copy = Path(slide.path), tmp_path / "copied" / ("renamed" + Path(slide.path).suffix)
    copy.parent.mkdir()
    (shutil.copytree if source.is_dir() else shutil.copy)(source, copy)
    assert open_slide(copy).fingerprint == slide.fingerprint
    other = tmp_path / "other"
    other.mkdir()
    assert open_slide(MAKERS[reader](other, stained(*SHAPE, seed=1))).fingerprint != (
        slide.fingerprint
    )


def test_a_replaced_file_is_read_anew(reader: str, slide: Slide, tmp_path: Path) -> None:
    region = Region(y=10, x=20, height=64, width=64)
    slide.read(region)
    if Path(slide.path).is_dir():
        shutil.rmtree(slide.path)
    MAKERS[reader](tmp_path, stained(*SHAPE, seed=2))
    np.testing.assert_array_equal(slide.read(region), stained(*SHAPE, seed=2)[region.slices])


@pytest.mark.parametrize("suffix", [".svs", ".tiff", ".png", ".zarr", ".dcm", ""])
def test_text_is_refused_with_a_reason(reader: str, suffix: str, tmp_path: Path) -> None:
    text = tmp_path / f"text{suffix}"
    text.write_text("This is not a slide.\n" * 20)
    with pytest.raises(CannotOpenError) as caught:
        READERS[reader](text)
    assert len(str(caught.value)) > 10


@pytest.mark.parametrize("name", ["nothing.zarr", "nothing"])
def test_an_empty_folder_is_refused(reader: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(CannotOpenError):
        READERS[reader](tmp_path / name)


@pytest.mark.parametrize("other", list(MAKERS))
def test_another_format_is_refused_or_read_right(reader: str, other: str, tmp_path: Path) -> None:
    path = MAKERS[other](tmp_path, stained(*SHAPE))
    try:
        slide = READERS[reader](path)
    except CannotOpenError:
        assert reader != other
    else:
        np.testing.assert_array_equal(slide.read(whole(slide)), stained(*SHAPE))


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_cut_off_file_is_an_error_never_pixels(path: Path, share: float) -> None:
    damaged = path
    if path.is_dir():
        damaged = max((f for f in path.rglob("*") if f.is_file()), key=lambda f: f.stat().st_size)
    os.truncate(damaged, int(damaged.stat().st_size * share))

    def read_all() -> None:
        slide = open_slide(path)
        for number in range(len(slide.levels)):
            slide.read(whole(slide, number), number)

    with pytest.raises((CannotOpenError, UnreadableRegionError)) as caught:
        read_all()
    assert str(path) in str(caught.value)
