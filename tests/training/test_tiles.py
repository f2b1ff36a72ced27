"""Labelled tiles from a folder and from the drawn liver."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_steatosis.core.errors import BadValueError, CannotOpenError
from napari_steatosis.training.tiles import LabelledTile, batches, drawn_tiles, read_tiles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    mask = np.zeros((20, 30), np.uint8)
    mask[5:10, 5:15] = 255
    Image.fromarray(image).save(tmp_path / "a.png")
    Image.fromarray(mask).save(tmp_path / "a_mask.png")
    rows = "path,mask_path,split,group\na.png,a_mask.png,train,p1\n"
    (tmp_path / "manifest.csv").write_text(rows)
    return tmp_path


def test_a_tile_is_read_with_its_group_and_mask(folder: Path):
    (tile,) = read_tiles(folder, "train")
    assert (tile.name, tile.group) == ("a.png", "p1")
    assert tile.image.shape == (20, 30, 3)
    assert np.unique(tile.mask).tolist() == [0, 1]
    assert tile.fat_fraction == pytest.approx(50 / 600)


def test_what_is_wrong_with_a_folder_is_said(folder: Path, tmp_path: Path):
    with pytest.raises(BadValueError, match="no row whose split is 'test'"):
        read_tiles(folder, "test")
    with pytest.raises(CannotOpenError, match=r"nowhere.*manifest\.csv"):
        read_tiles(tmp_path / "nowhere", "train")
    Image.fromarray(np.zeros((20, 31), np.uint8)).save(folder / "a_mask.png")
    with pytest.raises(BadValueError, match=r"\(20, 30\) px and its mask \(20, 31\)"):
        read_tiles(folder, "train")
    (folder / "a.png").write_bytes(b"no picture")
    with pytest.raises(CannotOpenError, match=r"a\.png"):
        read_tiles(folder, "train")


def test_the_real_tiles(shared_data: Path):
    tiles = read_tiles(shared_data / "steatosis-tiles", "val")
    assert len(tiles) == 56
    assert sum(tile.fat_fraction == 0 for tile in tiles) == 28
    assert {tile.image.shape for tile in tiles} == {(416, 416, 3)}


def test_drawn_tiles_depend_on_the_seed_only():
    first = list(drawn_tiles(2, seed=4, side_px=96))
    again = list(drawn_tiles(2, seed=4, side_px=96))
    other = list(drawn_tiles(2, seed=5, side_px=96))
    for one, two, three in zip(first, again, other, strict=True):
        assert np.array_equal(one.image, two.image)
        assert np.array_equal(one.mask, two.mask)
        assert not np.array_equal(one.image, three.image)
    assert first[0].fat_fraction == 0 < first[1].fat_fraction


def test_batches_favour_fat_and_keep_to_the_shares():
    def plain(value: int, fat: bool) -> LabelledTile:
        mask = np.full((32, 32), int(fat), np.uint8)
        return LabelledTile(str(value), "g", np.full((32, 32, 3), value, np.uint8), mask)

    real = [plain(40, False), plain(120, True)]
    drawn = [plain(220, False)]
    rng = np.random.default_rng(0)
    found = batches([(0.75, real), (0.25, drawn)], rng, batch=4, crop_px=16)
    fat = np.array([mask.mean((1, 2, 3)).tolist() for _, mask in islice(found, 200)])
    # three quarters real, of these 1.15 / (1.15 + 0.15) with fat
    assert fat.mean() == pytest.approx(0.75 * 1.15 / 1.30, abs=0.05)


def test_batches_are_decided_by_the_generator():
    tiles = list(drawn_tiles(2, seed=1, side_px=64))
    one, two = (next(batches([(1.0, tiles)], np.random.default_rng(3), crop_px=32)) for _ in "ab")
    assert np.array_equal(one[0].numpy(), two[0].numpy())


def test_drawn_tiles_show_what_is_fat_and_what_is_not():
    tiles = list(drawn_tiles(20, seed=6, side_px=208))
    white = np.array([(tile.image.min(axis=2) > 205).mean() for tile in tiles])
    fat = np.array([tile.fat_fraction for tile in tiles])
    assert (fat == 0).sum() >= 6
    assert (fat > 0.1).sum() >= 3
    assert ((white - fat) > 0.1).sum() >= 5
