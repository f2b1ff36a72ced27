"""Usual zarr arrays read without zarr give the pixels that zarr gives; others are left to it."""

from __future__ import annotations

import numcodecs
import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from napari_steatosis.io._ngff.chunk_reader import chunk_reader

SHAPE = (3, 130, 200)
KEYS = [
    (slice(0, 3), slice(0, 130), slice(0, 200)),
    (slice(0, 3), slice(64, 128), slice(128, 192)),
    (slice(1, 2), slice(31, 129), slice(5, 199)),
    (slice(0, 3), slice(129, 130), slice(199, 200)),
]
KINDS = {
    "v2 blosc": {"zarr_format": 2, "compressors": numcodecs.Blosc("lz4")},
    "v2 zstd": {"zarr_format": 2, "compressors": numcodecs.Zstd(3)},
    "v2 zlib": {"zarr_format": 2, "compressors": numcodecs.Zlib(3)},
    "v2 raw": {"zarr_format": 2, "compressors": None},
    "v3 zstd": {"zarr_format": 3},
    "v3 blosc": {"compressors": zarr.codecs.BloscCodec()},
    "v3 gzip": {"compressors": zarr.codecs.GzipCodec()},
    "v3 raw": {"compressors": None},
    "shards": {"shards": (3, 128, 128)},
    "raw shards": {"shards": (3, 128, 128), "compressors": None},
}
LEFT_TO_ZARR = {
    "filters": {"zarr_format": 2, "filters": [numcodecs.Delta("u1")]},
    "columns first": {"zarr_format": 2, "order": "F"},
    "bz2": {"zarr_format": 2, "compressors": numcodecs.BZ2()},
    "transposed": {"filters": zarr.codecs.TransposeCodec(order=(2, 1, 0))},
    "checked": {"compressors": [zarr.codecs.ZstdCodec(), zarr.codecs.Crc32cCodec()]},
}


def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 5, SHAPE, dtype=np.uint8)


def made(folder, kind):
    array = zarr.create_array(
        str(folder / "a"), shape=SHAPE, chunks=(1, 64, 64), dtype="u1", **kind
    )
    array[:] = pixels()
    return chunk_reader(str(folder / "a"), zarr.open_array(str(folder / "a"), mode="r"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", KEYS)
def test_parts_make_what_zarr_gives(kind, key, tmp_path):
    reader = made(tmp_path, KINDS[kind])
    out = np.full([part.stop - part.start for part in key], 99, np.uint8)
    for place, part in reader.read(key):
        out[place] = part
    np.testing.assert_array_equal(out, pixels()[key])


@pytest.mark.parametrize("kind", LEFT_TO_ZARR)
def test_other_kinds_are_left_to_zarr(kind, tmp_path):
    assert made(tmp_path, LEFT_TO_ZARR[kind]) is None


@pytest.mark.parametrize("place", ["start", "end"])
@pytest.mark.parametrize("damage", ["index", "cut", "beyond"])
def test_a_damaged_index_of_a_shard_is_an_error(place, damage, tmp_path):
    shard = zarr.codecs.ShardingCodec(chunk_shape=(1, 64, 64), index_location=place)
    folder = tmp_path / "a"
    array = zarr.create_array(
        str(folder), shape=SHAPE, chunks=(3, 128, 128), dtype="u1",
        serializer=shard, compressors=None, filters=None,
    )  # fmt: skip
    array[:] = pixels()
    reader = chunk_reader(str(folder), zarr.open_array(str(folder), mode="r"))
    (_, part), *_ = reader.read(KEYS[1])
    np.testing.assert_array_equal(part, pixels()[KEYS[1]][:1])
    file = folder / "c/0/0/1"
    data = bytearray(file.read_bytes())
    if damage == "index":
        data[8 if place == "start" else -12] ^= 255
    elif damage == "cut":
        data = data[: len(data) // 2] if place == "start" else data[:-9]
    else:
        index = 16 * 12 + 4
        data = data[: index + 9] if place == "start" else data[:9] + data[-index:]
    file.write_bytes(data)
    with pytest.raises(OSError, match=r"index|header states|unpacks|begin as|pixels"):
        list(reader.read(KEYS[1]))
