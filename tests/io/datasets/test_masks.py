"""What mask values stand for is found out, can be said, and is never guessed in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import napari_steatosis as st
from made_datasets import disc, mask_of, pairs, save, tissue
from napari_steatosis.core.dataset import Dataset
from napari_steatosis.core.errors import BadValueError, CannotOpenError

SHAPE = (40, 40)
SPOT = disc(SHAPE, (20, 20), 6)
EDGE = disc(SHAPE, (20, 20), 9) & ~SPOT


def opened(folder: Path, mask: np.ndarray, name: str = "a_mask.png", **options) -> Dataset:
    save(folder / "a.png", tissue(1, side=40))
    save(folder / name, mask)
    return st.open_dataset(folder, **options)


@pytest.mark.parametrize(
    ("values", "classes", "expected"),
    [
        ((0, 1, 0), ("tissue", "fat"), (0, 1, 0)),
        ((0, 255, 0), ("tissue", "fat"), (0, 1, 0)),
        ((0, 1, 255), ("tissue", "fat"), (0, 1, 255)),
        ((0, 1, 2), ("tissue", "micro", "macro"), (0, 1, 2)),
        ((0, 128, 255), ("tissue", "micro", "macro"), (0, 1, 2)),
    ],
)
def test_values_are_found_out(tmp_path: Path, values, classes, expected):
    mask = np.select([SPOT, EDGE], values[1:], values[0]).astype(np.uint8)
    data = opened(tmp_path, mask)
    assert data.classes == classes
    found = data[0].mask()
    assert found.dtype == np.uint8
    assert (found[0, 0], found[20, 20], found[20, 28]) == expected
    assert any(str(values[1]) in note for note in data.notes)


def test_a_soft_mask_is_cut_in_the_middle(tmp_path: Path):
    soft = np.clip(np.arange(40) * 7, 0, 255).astype(np.uint8)[None].repeat(40, 0)
    data = opened(tmp_path, soft)
    assert data[0].mask()[0].tolist() == [0] * 19 + [1] * 21  # 7 * 19 = 133 is above 127


def test_objects_of_a_labels_layer_are_fat(tmp_path: Path):
    objects = np.zeros(SHAPE, np.uint32)
    objects[::4] = np.arange(1, 11)[:, None]
    data = opened(tmp_path, objects, "a_labels.tif")
    assert data[0].mask().sum() == 400
    brush = (SPOT * 1 + EDGE * 2).astype(np.uint32)  # as napari saves a painted layer
    assert opened(tmp_path, brush, "a_labels.tif").classes == ("tissue", "micro", "macro")


def test_an_array_file_is_a_mask(tmp_path: Path):
    save(tmp_path / "a.png", tissue(1, side=40))
    np.save(tmp_path / "a_labels.npy", SPOT.astype(np.int64))
    assert st.open_dataset(tmp_path)[0].mask().sum() == SPOT.sum()


def test_colours_need_a_word(tmp_path: Path):
    painted = np.zeros((*SHAPE, 3), np.uint8)
    painted[SPOT], painted[EDGE] = (255, 255, 0), (0, 0, 255)
    data = opened(tmp_path, painted)
    with pytest.raises(BadValueError, match=r"coded by colours \(#000000, #0000ff, #ffff00\)"):
        data[0].mask()
    said = {"#ffff00": "fat", "#0000ff": "ignore"}
    data = opened(tmp_path, painted, mask_values=said)
    assert data.classes == ("tissue", "fat")
    found = data[0].mask()
    assert (found[0, 0], found[20, 20], found[20, 28]) == (0, 1, 255)


def test_grey_colours_are_grey_and_a_palette_is_its_indices(tmp_path: Path):
    grey = np.repeat((SPOT * 255).astype(np.uint8)[..., None], 3, 2)
    assert opened(tmp_path, grey)[0].mask().sum() == SPOT.sum()
    from PIL import Image

    picture = Image.fromarray(SPOT.astype(np.uint8), "P")
    picture.putpalette([0, 0, 0, 200, 10, 10])
    picture.save(tmp_path / "a_mask.png")
    assert st.open_dataset(tmp_path)[0].mask().sum() == SPOT.sum()


def test_values_can_be_said(tmp_path: Path):
    mask = (SPOT * 7 + EDGE * 9).astype(np.uint8)
    data = opened(tmp_path, mask, mask_values={0: "tissue", 7: "fat", 9: "ignore"})
    assert sorted(np.unique(data[0].mask()).tolist()) == [0, 1, 255]
    with pytest.raises(BadValueError, match=r"value\(s\) 9, which stand for nothing.*0, 7"):
        opened(tmp_path, mask, mask_values={0: "tissue", 7: "fat"})[0].mask()
    with pytest.raises(BadValueError, match="give whole numbers"):
        opened(tmp_path, mask, mask_values={"yellow": "fat"})


def test_empty_masks_do_not_decide_and_an_odd_one_is_refused(tmp_path: Path):
    pairs(tmp_path, count=4)
    for n in range(3):
        save(tmp_path / "manual" / f"100100{n}_1{n}.png", np.zeros((230, 230), np.uint8))
    data = st.open_dataset(tmp_path)
    assert [one.mask().max() for one in data] == [0, 0, 0, 1]
    save(tmp_path / "manual" / "1001000_10.png", np.full((230, 230), 3, np.uint8))
    with pytest.raises(BadValueError, match=r"1001000_10\.png holds the value\(s\) 3"):
        data[0].mask()


def test_missing_and_damaged_files_name_themselves(tmp_path: Path):
    data = st.open_dataset(pairs(tmp_path))
    (tmp_path / "manual" / "1001000_10.png").unlink()
    with pytest.raises(CannotOpenError, match=r"1001000_10\.png: there is no such file"):
        data[0].mask()
    (tmp_path / "images" / "1001001_11.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(CannotOpenError, match=r"1001001_11\.png: it begins with"):
        data[1].image()


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.zeros((8, 8, 3), np.uint16), "uint16"),
        (np.zeros((8, 8, 5), np.uint8), r"stack of shape \(8, 8, 5\)"),
        (np.zeros((8, 8), np.float32), "float32"),
    ],
)
def test_what_is_no_8_bit_picture_is_refused(tmp_path: Path, pixels: np.ndarray, said: str):
    save(tmp_path / "a.tif", pixels)
    with pytest.raises(CannotOpenError, match=said):
        st.open_dataset(tmp_path)[0].image()


def test_grey_alpha_and_palette_become_rgb(tmp_path: Path):
    from PIL import Image

    grey = mask_of(tissue(1, side=40))
    save(tmp_path / "grey.png", grey)
    save(tmp_path / "clear.png", np.zeros((4, 4, 4), np.uint8))
    Image.fromarray(tissue(1, side=40)).quantize(8).save(tmp_path / "palette.png")
    Image.fromarray(np.zeros((4, 4, 4), np.uint8), "CMYK").save(tmp_path / "print.jpg")
    by_name = {one.name: one for one in st.open_dataset(tmp_path)}
    assert np.array_equal(by_name["grey.png"].image()[..., 1], grey)
    assert (by_name["clear.png"].image() == 255).all()
    assert by_name["palette.png"].image().shape == (40, 40, 3)
    with pytest.raises(CannotOpenError, match="CMYK"):
        by_name["print.jpg"].image()
