from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zarr.codecs import BytesCodec, Crc32cCodec, ShardingCodec

from made_slides import ome_zarr, stained
from napari_steatosis.core.errors import UnreadableRegionError
from napari_steatosis.core.geometry import Region
from napari_steatosis.io import open_slide
from ome_attributes import stored_again

RGB = stained(150, 230)
INSIDE = Region(y=37, x=61, height=99, width=151)
WHOLE = Region(y=0, x=0, height=150, width=230)


@pytest.mark.parametrize("level", [0, 1])
def test_a_missing_chunk_is_an_error_not_a_black_square(level: int, tmp_path: Path) -> None:
    path = ome_zarr(tmp_path, RGB)
    chunk = path / f"s{level}" / "c" / "0" / "1" / "1"
    chunk.unlink()
    slide = open_slide(path)
    with pytest.raises(UnreadableRegionError, match=rf"level {level}, .*chunk c/0/1/1 is missing"):
        slide.read(Region(y=70, x=70, height=5, width=5), level)
    slide.read(Region(y=0, x=0, height=64, width=64), level)


def test_a_chunk_left_out_by_its_writer_is_white_where_white_is_the_fill_value(
    tmp_path: Path,
) -> None:
    path = ome_zarr(tmp_path, RGB)
    array = stored_again(path, chunks=(3, 64, 64), fill_value=255)
    white = RGB.copy()
    white[64:128, 64:128] = 255
    array[:] = white.transpose(2, 0, 1)
    assert not (path / "s0/c/0/1/1").exists()
    np.testing.assert_array_equal(open_slide(path).read(WHOLE), white)


SHARDED = {"chunks": (3, 32, 32), "shards": (3, 128, 128)}


def test_sharded_arrays_are_read(tmp_path: Path) -> None:
    path = ome_zarr(tmp_path, RGB)
    stored_again(path, **SHARDED)[:] = RGB.transpose(2, 0, 1)
    slide = open_slide(path)
    np.testing.assert_array_equal(slide.read(INSIDE), RGB[INSIDE.slices])
    (path / "s0/c/0/0/1").unlink()
    with pytest.raises(UnreadableRegionError, match="chunk c/0/0/1 is missing"):
        slide.read(INSIDE)


@pytest.mark.parametrize("inner", [{"chunks": (3, 32, 32)}, {"chunks": (1, 64, 32)}])
@pytest.mark.parametrize("index", ["end", "start", "no checksum"])
def test_a_part_that_is_missing_from_a_shard_is_an_error(
    index: str, inner: dict[str, Any], tmp_path: Path
) -> None:
    path = ome_zarr(tmp_path, RGB)
    codec = ShardingCodec(
        chunk_shape=inner["chunks"],
        index_location="start" if index == "start" else "end",
        index_codecs=[BytesCodec(), *([] if index == "no checksum" else [Crc32cCodec()])],
    )
    array = stored_again(path, chunks=(3, 128, 128), serializer=codec, compressors=None)
    holed = RGB.transpose(2, 0, 1).copy()
    holed[:, 64:128, 96:128] = 0  # zarr does not store a chunk that is all fill value
    array[:] = holed
    slide = open_slide(path)
    for y, x in ((64, 96), (100, 120), (30, 90)):
        said = r"chunk c/0/0/0 (is missing or )?lacks its part \[0, "
        with pytest.raises(UnreadableRegionError, match=said):
            slide.read(Region(y=y, x=x, height=40, width=30))
    beside = Region(y=0, x=0, height=64, width=230)
    np.testing.assert_array_equal(slide.read(beside), RGB[beside.slices])


def test_black_pixels_that_are_stored_are_black(tmp_path: Path) -> None:
    black = RGB.copy()
    black[60:140, 60:200] = 0
    path = ome_zarr(tmp_path, black)
    array = stored_again(path, chunks=(3, 32, 32), config={"write_empty_chunks": True})
    array[:] = black.transpose(2, 0, 1)
    np.testing.assert_array_equal(open_slide(path).read(WHOLE), black)


@pytest.mark.parametrize("fill_value", [0, None, 7])
@pytest.mark.parametrize("axes", ["cyx", "yxc", "tczyx"])
def test_a_chunk_that_zarr_2_does_not_hold_is_missing(
    axes: str, fill_value: int | None, tmp_path: Path
) -> None:
    path = ome_zarr(tmp_path, RGB, axes=axes, version="0.4")
    metadata = path / "s0" / ".zarray"
    metadata.write_text(json.dumps(json.loads(metadata.read_text()) | {"fill_value": fill_value}))
    name = ".".join({"y": "1", "x": "2"}.get(axis, "0") for axis in axes)
    (path / "s0" / name).unlink()
    slide = open_slide(path)
    with pytest.raises(UnreadableRegionError, match=rf"chunk {name} is missing"):
        slide.read(WHOLE)
    beside = Region(y=0, x=0, height=150, width=128)
    np.testing.assert_array_equal(slide.read(beside), RGB[beside.slices])


def test_a_shard_whose_index_points_behind_its_end_is_an_error(tmp_path: Path) -> None:
    path = ome_zarr(tmp_path, RGB)
    codec = ShardingCodec(
        chunk_shape=(3, 64, 64), index_location="start", index_codecs=[BytesCodec()]
    )
    array = stored_again(path, chunks=(3, 128, 128), serializer=codec, compressors=None)
    array[:] = RGB.transpose(2, 0, 1)
    shard = path / "s0/c/0/0/0"
    os.truncate(shard, 4 * 16 + 2 * 3 * 64 * 64)  # the index, and two chunks of four
    slide = open_slide(path)
    np.testing.assert_array_equal(slide.read(Region(y=0, x=0, height=64, width=64)), RGB[:64, :64])
    with pytest.raises(UnreadableRegionError):
        slide.read(Region(y=64, x=64, height=64, width=64))
