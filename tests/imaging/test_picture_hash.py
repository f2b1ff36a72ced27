"""Copies share a hash however they are scaled or compressed; other pictures do not."""

from __future__ import annotations

import io
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from napari_steatosis.imaging import drawn_liver
from napari_steatosis.imaging.picture_hash import difference_hash, near_pairs
from napari_steatosis.imaging.tile_tissue import tissue_share


def apart(one: int | None, other: int | None) -> int:
    assert one is not None
    assert other is not None
    return (one ^ other).bit_count()


def drawn(seed: int) -> np.ndarray:
    slide = drawn_liver(256, 256, um_per_px=0.5, seed=seed)
    return slide.read(slide.at(0.5).bounds)


def test_copies_are_near_and_others_far() -> None:
    pictures = [drawn(seed) for seed in range(3)]
    for rgb in pictures:
        image, packed = Image.fromarray(rgb), io.BytesIO()
        image.save(packed, "JPEG", quality=70)
        pale = (rgb * 0.9 + 20).astype(np.uint8)
        copies = [image.resize((400, 400)), image.resize((128, 128)), Image.open(packed), pale]
        for copy in copies:
            assert apart(difference_hash(rgb), difference_hash(np.asarray(copy))) <= 4
    for one, other in combinations(pictures, 2):
        assert apart(difference_hash(one), difference_hash(other)) > 8


def test_what_is_mostly_flat_has_none() -> None:
    rgb = np.full((256, 256, 3), 243, np.uint8)
    assert difference_hash(rgb) is None
    rgb[200:, 180:] = drawn(1)[200:, 180:]
    assert difference_hash(rgb) is None


@settings(max_examples=80, deadline=None)
@given(
    values=some.sets(some.integers(0, 2**64 - 1), min_size=1, max_size=12),
    flips=some.lists(some.sets(some.integers(0, 63), max_size=6), max_size=8),
    bits=some.integers(0, 8),
)
def test_all_near_pairs_are_found(values: set[int], flips: list[set[int]], bits: int) -> None:
    first = min(values)
    values |= {first ^ sum(1 << bit for bit in flip) for flip in flips}
    hashes = np.array(sorted(values), np.uint64)
    expected = [
        [i, j]
        for i, j in combinations(range(len(hashes)), 2)
        if apart(int(hashes[i]), int(hashes[j])) <= bits
    ]
    assert near_pairs(hashes, bits).tolist() == expected


def test_droplets_are_tissue_and_glass_is_not() -> None:
    rgb = drawn(2)
    assert tissue_share(rgb, 0.5) > 0.9
    rgb[:128] = 243
    assert tissue_share(rgb, 0.5) == pytest.approx(0.5, abs=0.05)
