"""Chunk files that lie are found before they are decoded."""

from __future__ import annotations

import os

import numpy as np
import pytest
import zarr
from numcodecs import Blosc, Zstd

from napari_steatosis.io._ngff.chunk_files import check_chunk_files

WHOLE = (slice(0, 64), slice(0, 100))


@pytest.fixture(params=["blosc", "zstd", "v3"])
def stored(request, tmp_path):
    kind = {
        "blosc": {"zarr_format": 2, "compressors": Blosc("lz4")},
        "zstd": {"zarr_format": 2, "compressors": Zstd(3)},
        "v3": {"zarr_format": 3, "compressors": zarr.codecs.BloscCodec(cname="zstd")},
    }[request.param]
    pixels = np.random.default_rng(0).integers(0, 9, WHOLE[0].stop * 100).reshape(64, 100)
    array = zarr.create_array(
        str(tmp_path / "a"), shape=(64, 100), chunks=(64, 64), dtype="u1", **kind
    )
    array[:] = pixels
    return str(tmp_path / "a"), array


def chunk(stored):
    folder, array = stored
    return os.path.join(folder, array.metadata.encode_chunk_key((0, 1)))


def test_sound_chunks_pass_and_missing_ones_are_left_to_others(stored):
    check_chunk_files(*stored, WHOLE)
    os.unlink(chunk(stored))
    check_chunk_files(*stored, WHOLE)


@pytest.mark.parametrize("codec", [Blosc("zstd"), Blosc("lz4"), Zstd(1)])
def test_a_chunk_that_unpacks_to_more_is_refused(stored, codec):
    with open(chunk(stored), "wb") as file:
        file.write(codec.encode(bytes(2**24)))
    with pytest.raises(OSError, match=r"1|begin as zstd"):
        check_chunk_files(*stored, WHOLE)


def test_a_chunk_that_was_cut_off_is_refused_where_the_decoder_is_silent(stored):
    _, array = stored
    os.truncate(chunk(stored), os.path.getsize(chunk(stored)) // 2)

    def read():
        check_chunk_files(*stored, WHOLE)
        return array[:]  # zstd itself notices

    with pytest.raises((OSError, RuntimeError), match=r"header states|Zstd"):
        read()


def test_what_is_no_file_or_too_large_is_refused(stored):
    place = chunk(stored)
    os.unlink(place)
    os.mkfifo(place)
    with pytest.raises(OSError, match="is no file"):
        check_chunk_files(*stored, WHOLE)
    os.unlink(place)
    with open(place, "wb") as file:
        file.truncate(10**9)
    with pytest.raises(OSError, match="1000000000 bytes, more than"):
        check_chunk_files(*stored, WHOLE)
