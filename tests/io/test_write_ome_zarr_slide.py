"""Slides as OME-Zarr images: what is written reads back equal, here and elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader

from arrays import slide_of
from made_slides import stained
from napari_steatosis.core.errors import BadValueError, CannotOpenError, UnreadableRegionError
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.resample import box_mean
from napari_steatosis.io import open_slide
from napari_steatosis.io.write import write

RGB = stained(2300, 2700)
"""Two blocks of 2048 px along each side, and odd sizes on the way down."""


@pytest.fixture(scope="module")
def slide():
    return replace(slide_of(RGB), um_per_px=(0.25, 0.5), origin_um=(12.5, -3.0))


@pytest.fixture(scope="module", params=["0.4", "0.5"])
def version(request):
    return request.param


@pytest.fixture(scope="module")
def written(slide, version, tmp_path_factory):
    path = tmp_path_factory.mktemp("slide") / "liver.ome.zarr"
    assert write(slide, path, version=version) == [path]
    return path


def whole(slide, level=0):
    size = slide.levels[level]
    return slide.read(Region(y=0, x=0, height=size.height, width=size.width), level)


def halved(times):
    rgb = RGB
    for _ in range(times):
        rgb = box_mean(rgb, 2)
    return rgb


def keys_of(value):
    if isinstance(value, dict):
        return {*value, *(key for one in value.values() for key in keys_of(one))}
    return {key for one in value for key in keys_of(one)} if isinstance(value, list) else set()


def test_it_reads_back_equal_at_every_level(slide, written):
    opened = open_slide(written)
    assert (opened.um_per_px, opened.origin_um) == ((0.25, 0.5), (12.5, -3.0))
    assert [(level.height, level.width) for level in opened.levels] == [
        (2300, 2700),
        (1150, 1350),
        (575, 675),
        (288, 338),
    ]
    assert [level.shrink for level in opened.levels] == [1, 1, 1, 1]
    for level in range(4):
        assert np.array_equal(whole(opened, level), halved(level))


def test_ome_zarr_py_reads_the_same(written):
    (node,) = Reader(parse_url(written))()
    assert [level.shape for level in node.data] == [
        (3, 2300, 2700),
        (3, 1150, 1350),
        (3, 575, 675),
        (3, 288, 338),
    ]
    assert np.array_equal(np.moveaxis(node.data[0].compute(), 0, -1), RGB)
    assert [axis["name"] for axis in node.metadata["axes"]] == ["c", "y", "x"]
    scale, translation = node.metadata["coordinateTransformations"][1]
    assert scale["scale"] == [1, 0.5, 1]
    assert translation["translation"] == [0, 12.5 + 0.125, -3 + 0.25]
    assert node.metadata["channel_names"] == ["R", "G", "B"]
    assert node.metadata["contrast_limits"] == [[0, 255]] * 3


def test_it_is_valid_and_of_one_version_only(written, version):
    models = import_module(f"ome_zarr_models.v{version.replace('.', '')}.image")
    group = zarr.open_group(written, mode="r")
    models.Image.from_zarr(group)
    names = {file.name for file in written.rglob("*") if file.name.startswith((".z", "zarr"))}
    if version == "0.4":
        assert names == {".zgroup", ".zattrs", ".zarray"}
        attributes = json.loads((written / ".zattrs").read_text())
        assert "ome" not in attributes
        assert attributes["multiscales"][0]["version"] == "0.4"
        array = json.loads((written / "0/.zarray").read_text())
        assert array["dimension_separator"] == "/"
        assert array["compressor"]["id"] == "blosc"
    else:
        assert names == {"zarr.json"}
        attributes = json.loads((written / "zarr.json").read_text())["attributes"]
        assert attributes["ome"].pop("version") == "0.5"
        assert "version" not in keys_of(attributes)
        assert set(attributes) == {"ome", "steatosis"}
        array = zarr.open_array(written / "0", mode="r")
        assert (array.shards, array.chunks) == ((3, 2048, 2048), (3, 512, 512))
        assert array.metadata.dimension_names == ("c", "y", "x")
    omero = attributes.get("ome", attributes)["omero"]
    assert [c["color"] for c in omero["channels"]] == ["FF0000", "00FF00", "0000FF"]


def test_an_unknown_pixel_size_stays_unknown(version, tmp_path):
    unknown = slide_of(RGB[:600, :700], um_per_px=None)
    (path,) = write(unknown, tmp_path / "liver.ome.zarr", version=version)
    opened = open_slide(path)
    assert opened.um_per_px is None
    assert opened.scale_source == "the file states a pixel of 1 x 1 with no unit"
    module = import_module(f"ome_zarr_models.v{version.replace('.', '')}.image")
    module.Image.from_zarr(zarr.open_group(path, mode="r"))


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (2049, 3), (512, 513)])
def test_any_shape_can_be_written(shape, version, tmp_path):
    rgb = stained(*shape, seed=1)
    (path,) = write(slide_of(rgb), tmp_path / "liver.ome.zarr", version=version)
    opened = open_slide(path)
    assert np.array_equal(whole(opened), rgb)
    sides = [max(array.shape) for _, array in zarr.open_group(path, mode="r").arrays()]
    assert min(sides) <= 512


def test_each_pixel_is_read_once(slide, tmp_path):
    asked, said = [], []

    class Counted:
        def read(self, level, region):
            asked.append(region)
            return slide.source.read(level, region)

    path = tmp_path / "liver.ome.zarr"
    write(replace(slide, source=Counted()), path, on_block=lambda *now: said.append(now))
    assert sum(region.height * region.width for region in asked) == 2300 * 2700
    assert said == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_an_existing_slide_is_kept_unless_told(slide, tmp_path):
    path, small = tmp_path / "liver.ome.zarr", slide_of(RGB[:40, :50])
    write(small, path)
    (path / "mine.txt").touch()
    with pytest.raises(CannotOpenError, match="there already"):
        write(slide, path)
    assert open_slide(path).shape == (40, 50)
    write(slide_of(RGB[:60, :50]), path, overwrite=True, version="0.5")
    assert open_slide(path).shape == (60, 50)
    assert {item.name for item in path.iterdir()} == {"zarr.json", "0"}
    assert list(tmp_path.iterdir()) == [path]


def test_what_stops_half_way_leaves_nothing(slide, version, tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    class Torn:
        def read(self, level, region):
            if region.x:
                raise OSError("the disk is gone")
            return slide.source.read(level, region)

    path = tmp_path / "liver.ome.zarr"
    with pytest.raises(KeyboardInterrupt):
        write(slide, path, version=version, on_block=stop)
    with pytest.raises(UnreadableRegionError, match="the disk is gone"):
        write(replace(slide, source=Torn()), path, version=version)
    assert list(tmp_path.iterdir()) == []


CHILD = """
import os, resource, signal, sys
import numpy as np
from arrays import slide_of
from napari_steatosis.io.write import write
rgb = np.random.default_rng(0).integers(0, 256, (2100, 2100, 3), np.uint8)
if sys.argv[2] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    write(slide_of(rgb), sys.argv[1])
write(slide_of(rgb), sys.argv[1], on_block=lambda *_: os.kill(os.getpid(), signal.SIGKILL))
"""


def child(*arguments):
    return subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, arguments)],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="limits and kills of POSIX")
def test_a_killed_export_is_no_slide_and_can_be_begun_again(slide, tmp_path):
    path = tmp_path / "liver.ome.zarr"
    assert child(path, "kill").returncode == -9
    assert [item.name[0] for item in tmp_path.iterdir()] == ["."]
    write(slide_of(RGB[:40, :50]), path)
    assert open_slide(path).shape == (40, 50)


@pytest.mark.skipif(sys.platform == "win32", reason="limits and kills of POSIX")
def test_a_full_disk_is_named_with_the_path(tmp_path):
    path = tmp_path / "liver.ome.zarr"
    done = child(path, "full")
    (said,) = [line for line in done.stderr.splitlines() if "CannotOpenError:" in line]
    assert f"{path} could not be written (OSError: [Errno 27]" in said
    assert "space on the disk" in said
    assert list(tmp_path.iterdir()) == []


def test_a_lost_chunk_is_an_error_even_where_all_is_black(version, tmp_path):
    (path,) = write(
        slide_of(np.zeros((1200, 1200, 3), np.uint8)), tmp_path / "b.zarr", version=version
    )
    assert not whole(open_slide(path)).any()
    (path / ("0/0/0/0" if version == "0.4" else "0/c/0/0/0")).unlink()
    with pytest.raises(UnreadableRegionError, match="is missing"):
        open_slide(path).read(Region(y=0, x=0, height=100, width=100))


def test_an_unknown_version_is_refused(slide, tmp_path):
    with pytest.raises(BadValueError, match=r"'0\.6' cannot be written; choose 0\.4 or 0\.5"):
        write(slide, tmp_path / "liver.ome.zarr", version="0.6")
    assert list(tmp_path.iterdir()) == []


MEMORY = """
import sys, threading
from dataclasses import replace
import numpy as np
import psutil
from arrays import slide_of
from napari_steatosis.core.slide import virtual_levels
from napari_steatosis.io.write import write

block = np.random.default_rng(0).integers(200, 216, (2048, 2048, 3), np.uint8)

class Noise:
    def read(self, level, region):
        return block[: region.height, : region.width].copy()

small = slide_of(np.zeros((8, 8, 3), np.uint8))
write(small, sys.argv[1] + "/warm.zarr")
levels = tuple(virtual_levels([(6000, 20000, 1.0)]))
process, peak, stop = psutil.Process(), 0, threading.Event()
start = process.memory_info().rss

def watch():
    global peak
    while not stop.wait(0.01):
        peak = max(peak, process.memory_info().rss)

watcher = threading.Thread(target=watch)
watcher.start()
write(replace(small, source=Noise(), levels=levels), sys.argv[1] + "/a.zarr", version="0.5")
stop.set()
watcher.join()
print((peak - start) // 10**6)
"""


def test_memory_does_not_grow_with_the_slide(tmp_path):
    """120 Mpx are 360 MB; a block of each level and one shard are held."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path)],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert int(done.stdout) < 300
