from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tifffile

from arrays import slide_of
from class_maps import on_slide
from discs import DiscSource
from icc import wide_profile
from made_slides import stained
from napari_steatosis import Region, open_slide
from napari_steatosis.core.errors import BadValueError, UnreadableRegionError
from napari_steatosis.core.geometry import Frame
from napari_steatosis.core.label_image import LabelImage
from napari_steatosis.core.resample import box_mean
from napari_steatosis.core.slide import ColourProfile
from napari_steatosis.io._finest import Finest
from napari_steatosis.io._tiff.pyramid import raw_bytes
from napari_steatosis.io.write import write

SHAPES = [(1, 1), (37, 41), (512, 512), (513, 512), (1301, 1777), (3, 2600)]
LOSSLESS = ["deflate", "zstd", "lzw", "jpeg2000", "none"]


def all_of(slide):
    return slide.read(Region(y=0, x=0, height=slide.shape[0], width=slide.shape[1]))


def labels(dtype, height=700, width=1301, **values):
    numbers = np.arange(height * width, dtype=np.int64).reshape(height, width) // 97
    return LabelImage("nuclei", [numbers.astype(dtype)], **values)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_level_of_a_slide_reads_back_equal(shape, tmp_path):
    rgb = stained(*shape)
    (path,) = write(slide_of(rgb, um_per_px=0.25), tmp_path / "slide.ome.tif")
    with tifffile.TiffFile(path) as file:
        (series,) = file.series
        assert series.axes == "YXS"
        expected = rgb
        for number, level in enumerate(series.levels):
            np.testing.assert_array_equal(level.asarray(), expected)
            page = level.keyframe
            assert page.tile == (512, 512)
            assert page.resolution[0] == pytest.approx(40_000 / 2**number)
            expected = box_mean(expected, 2)
        assert max(series.levels[-1].shape) <= 512
        assert all(max(level.shape) > 512 for level in series.levels[:-1])
    opened = open_slide(path, reader="tiff")
    assert opened.um_per_px == (0.25, 0.25)
    np.testing.assert_array_equal(all_of(opened), rgb)


@pytest.mark.parametrize("compression", LOSSLESS)
def test_pixels_keep_their_values_without_loss(compression, tmp_path):
    rgb = stained(600, 530)
    path = tmp_path / "slide.ome.tiff"
    write(slide_of(rgb), path, compression=compression)
    np.testing.assert_array_equal(tifffile.imread(path), rgb)
    np.testing.assert_array_equal(all_of(open_slide(path)), rgb)


def test_jpeg_changes_pixels_a_little_and_is_smaller(tmp_path):
    rgb = stained(600, 530)
    lossless, lossy = tmp_path / "a.ome.tif", tmp_path / "b.ome.tif"
    write(slide_of(rgb), lossless)
    write(slide_of(rgb), lossy, compression="jpeg")
    change = np.abs(all_of(open_slide(lossy)).astype(int) - rgb)
    assert 0 < change.mean() < 5
    assert lossy.stat().st_size < lossless.stat().st_size / 2


def test_each_pixel_is_read_once(tmp_path):
    rgb, seen = stained(1301, 1777), np.zeros((1301, 1777), int)

    class Counted(DiscSource):
        def read(self, level, region):
            seen[region.slices] += 1
            return super().read(level, region)

    told = []
    slide = replace(slide_of(rgb), source=Counted(rgb))
    write(slide, tmp_path / "a.ome.tif", on_block=lambda *at: told.append(at))
    assert (seen == 1).all()
    assert told == [(done, 3 * 4 + 2 * 2 + 1) for done in range(1, 18)]


def test_an_unknown_pixel_size_is_left_out(tmp_path):
    (path,) = write(slide_of(stained(60, 50), um_per_px=None), tmp_path / "slide.ome.tif")
    with tifffile.TiffFile(path) as file:
        assert "PhysicalSize" not in file.ome_metadata
        assert file.pages[0].resolution == (1, 1)
        assert file.pages[0].resolutionunit == tifffile.RESUNIT.NONE
    assert open_slide(path, reader="tiff").um_per_px is None
    labelled = labels(np.uint8, 60, 50)
    (path,) = write(labelled, tmp_path / "labels.ome.tif")
    assert "PhysicalSize" not in tifffile.TiffFile(path).ome_metadata


def test_pixels_that_are_not_square_keep_their_sides(tmp_path):
    slide = slide_of(stained(60, 50)).with_scale((0.5, 0.25))
    (path,) = write(slide, tmp_path / "slide.ome.tif")
    assert open_slide(path, reader="tiff").um_per_px == (0.5, 0.25)


def test_the_profile_travels_unless_it_was_applied(tmp_path):
    profile = ColourProfile("wide", wide_profile())
    slide = replace(slide_of(stained(60, 50)), profile=profile)
    (path,) = write(slide, tmp_path / "slide.ome.tif")
    assert open_slide(path, reader="tiff").profile.data == profile.data
    (path,) = write(replace(slide, colour=("srgb",)), tmp_path / "srgb.ome.tif")
    assert open_slide(path, reader="tiff").profile is None


def test_a_class_map_keeps_values_names_and_place(tmp_path):
    prediction = on_slide(np.random.default_rng(0).integers(0, 3, (701, 1301)).astype(np.uint8))
    (path,) = write(prediction, tmp_path / "fat.ome.tif")
    with tifffile.TiffFile(path) as file:
        (series,) = file.series
        assert series.axes == "YX"
        for number, level in enumerate(series.levels):
            expected = prediction.levels[0][:: 2**number, :: 2**number]
            np.testing.assert_array_equal(level.asarray(), expected)
        assert len(series.levels) == 3
        ome = tifffile.xml2dict(file.ome_metadata)["OME"]
        assert file.pages[0].software.startswith("napari-steatosis ")
    image = ome["Image"]
    assert image["Name"] == "fat"
    assert image["Pixels"]["PhysicalSizeX"] == 0.5
    assert image["Description"].startswith("0: not analysed; 1: tissue; 2: fat")
    said = {
        one["K"]: one["value"]
        for one in ome["StructuredAnnotations"]["MapAnnotation"]["Value"]["M"]
    }
    assert (said[0], said[2]) == ("not analysed", "fat")
    assert said["first pixel y_um"] == 0.125


@pytest.mark.parametrize(
    ("stored", "written"),
    [
        ("bool", "uint8"),
        ("int8", "uint8"),
        ("uint16", "uint16"),
        ("int16", "uint16"),
        ("int32", "uint32"),
        ("uint32", "uint32"),
        ("int64", "uint32"),
        ("uint64", "uint32"),
    ],
)
def test_labels_keep_their_values(stored, written, tmp_path):
    value = labels(stored, 90, 130, frame=Frame((0.5, 0.5)))  # values up to 120
    (path,) = write(value, tmp_path / "labels.ome.tif")
    found = tifffile.imread(path)
    assert found.dtype == written
    np.testing.assert_array_equal(found, value.levels[0])


def test_a_million_nuclei_are_not_listed_one_by_one(tmp_path):
    known = {n: {"class": "hepatocyte" if n % 2 else "other"} for n in range(1, 100_000)}
    (path,) = write(labels("int32", 90, 130, properties=known), tmp_path / "cells.ome.tif")
    text = tifffile.TiffFile(path).ome_metadata
    assert len(text) < 3000
    assert "hepatocyte, other" in text


def test_names_from_outside_give_valid_xml(tmp_path):
    known = {1: {"class": "<a & b>\x00\n肝"}}
    value = replace(labels("uint8", 9, 9, properties=known), name='x\x01"y')
    (path,) = write(value, tmp_path / "cells.ome.tif")
    (series,) = tifffile.TiffFile(path).series
    assert series.name == 'x "y'
    said = tifffile.xml2dict(tifffile.TiffFile(path).ome_metadata)["OME"]["StructuredAnnotations"]
    assert said["MapAnnotation"]["Value"]["M"][1]["value"] == "<a & b>  肝"


@pytest.mark.parametrize("wrong", [-1, 2**32])
def test_labels_that_do_not_fit_are_refused(wrong, tmp_path):
    numbers = np.zeros((900, 900), np.int64)
    numbers[880, 890] = wrong
    with pytest.raises(BadValueError, match=f"hold {wrong}"):
        write(LabelImage("cells", [numbers]), tmp_path / "cells.ome.tif")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_label_or_no_compression_is_refused(tmp_path):
    path = tmp_path / "cells.ome.tif"
    with pytest.raises(BadValueError, match=r"whole numbers.*float"):
        write(LabelImage("cells", [np.zeros((9, 9))]), path)
    for lossy in ("jpeg", "jpeg2000"):
        with pytest.raises(BadValueError, match="for pictures"):
            write(labels("uint8"), path, compression=lossy)
    with pytest.raises(BadValueError, match="0 x 9 px"):
        write(LabelImage("cells", [np.zeros((0, 9), np.uint8)]), path)
    with pytest.raises(BadValueError, match=r"no compression 'zip'.*deflate"):
        write(slide_of(stained(9, 9)), path, compression="zip")
    assert list(tmp_path.iterdir()) == []


def test_a_slide_that_cannot_be_read_leaves_nothing(tmp_path):
    class Torn(DiscSource):
        def read(self, level, region):
            if region.y > 600:
                raise OSError("gone")
            return super().read(level, region)

    rgb = stained(1301, 1777)
    with pytest.raises(UnreadableRegionError, match="gone"):
        write(replace(slide_of(rgb), source=Torn(rgb)), tmp_path / "a.ome.tif")
    assert list(tmp_path.iterdir()) == []


def test_large_files_are_bigtiff(tmp_path, monkeypatch):
    slide = slide_of(stained(600, 530))
    write(slide, tmp_path / "small.ome.tif")
    assert not tifffile.TiffFile(tmp_path / "small.ome.tif").is_bigtiff
    monkeypatch.setattr("napari_steatosis.io.write_ome_tiff.CLASSIC_BYTES", 10**6)
    (path,) = write(slide, tmp_path / "large.ome.tif")
    assert tifffile.TiffFile(path).is_bigtiff
    np.testing.assert_array_equal(all_of(open_slide(path)), all_of(slide))


def test_the_size_that_decides_counts_every_tile_of_every_level():
    huge = Finest((100_000, 100_000), np.dtype(np.uint8), 3, lambda region: np.zeros(0))
    assert 4e10 < raw_bytes(huge) < 4.1e10


HUGE = """
import resource, sys
import numpy as np
from napari_steatosis.core.slide import Slide, virtual_levels
from napari_steatosis.io.write import write

class Drawn:
    def read(self, level, region):
        rows = np.arange(region.y, region.y_end)[:, None]
        columns = np.arange(region.x, region.x_end)
        grey = ((rows // 7 * columns // 5) % 251).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    def associated(self, name):
        raise KeyError(name)

side = int(sys.argv[2])
def slide(side):
    return Slide("drawn", "drawn", Drawn(), tuple(virtual_levels([(side, side, 1.0)])), "drawn")
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
write(slide(600), sys.argv[1] + "/small.ome.tif")
before = peak()
write(slide(side), sys.argv[1] + "/large.ome.tif")
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_memory_does_not_grow_with_the_slide(tmp_path):
    """A slide of 6000 x 6000 px holds 108 MB, and 36 MB more in its coarse levels."""
    done = subprocess.run(
        [sys.executable, "-c", HUGE, str(tmp_path), "6000"],
        capture_output=True,
        text=True,
        check=True,
    )
    divisor = 1024 if sys.platform == "darwin" else 1
    assert float(done.stdout) / divisor < 110
