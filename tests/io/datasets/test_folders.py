"""Every layout becomes the same table, and the masks what they were drawn as."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

import napari_steatosis as st
from made_datasets import mask_of, pairs, save, tissue
from napari_steatosis.core.dataset import Dataset
from napari_steatosis.core.errors import BadValueError, CannotOpenError


def zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    return target


def masks_are_true(data: Dataset) -> bool:
    return all(np.array_equal(one.mask(), mask_of(one.image(), 1)) for one in data)


def test_images_beside_manual_masks(tmp_path: Path):
    data = st.open_dataset(pairs(tmp_path))
    assert [one.name for one in data] == [f"images/100100{n}_1{n}.png" for n in range(3)]
    assert [one.patient for one in data] == ["1001000", "1001001", "1001002"]
    assert data.classes == ("tissue", "fat")
    assert masks_are_true(data)
    assert np.array_equal(data[1].image(), tissue(1))
    assert any("lower bound" in note for note in data.notes)
    assert any("0, 255: 255 is fat" in note for note in data.notes)


@pytest.mark.parametrize(
    ("image", "mask", "split"),
    [
        ("Original Images/TRAIN/a.png", "Manual annotations/TRAIN/a.png", "train"),
        ("TRAIN_extracted/TRAIN/a.png", "Annotations/TRAIN/a.png", "train"),
        ("train/img/0/a.png", "train/gt/0/a.png", "train"),
        ("val/image/a.jpg", "val/mask/a.png", "val"),
        ("a.png", "masks/a.png", ""),
        ("test/a.png", "test/a_mask.png", "test"),
        ("images/a.png", "labels/a_label.tif", ""),
        ("liver.png", "Labels.tif", ""),
    ],
)
def test_masks_are_found_by_their_stem(tmp_path: Path, image: str, mask: str, split: str):
    rgb = tissue(1)
    save(tmp_path / image, rgb)
    save(tmp_path / mask, mask_of(rgb))
    (one,) = st.open_dataset(tmp_path)
    assert one.mask_path.endswith(mask)
    assert one.split == split
    assert one.mask().sum() == (mask_of(rgb) > 0).sum()


def test_micro_and_macro_are_two_classes(tmp_path: Path):
    save(tmp_path / "images" / "a.png", tissue(1))
    for row, size in enumerate(("micro", "macro")):
        plane = np.zeros((230, 230), np.uint8)
        plane[row] = 255
        save(tmp_path / size / "a.png", plane)
    data = st.open_dataset(tmp_path)
    assert data.classes == ("tissue", "micro", "macro")
    assert np.bincount(data[0].mask().ravel()).tolist()[1:] == [230, 230]
    data.manifest(tmp_path / "manifest.csv")
    assert np.array_equal(st.open_dataset(tmp_path)[0].mask(), data[0].mask())


def test_a_zip_and_a_zip_inside_it_are_read_without_being_unpacked(tmp_path: Path):
    (tmp_path / "outer").mkdir()
    inner = zipped(pairs(tmp_path / "pairs"), tmp_path / "outer" / "TRAIN.zip")
    whole = zipped(inner.parent, tmp_path / "HEPASS.zip")
    before = sorted(tmp_path.rglob("*"))
    data = st.open_dataset(whole)
    assert [one.split for one in data] == ["train"] * 3
    assert [one.patient for one in data] == ["1001000", "1001001", "1001002"]
    assert masks_are_true(data)
    folder = st.open_dataset(tmp_path / "outer")  # a folder that holds the zip
    assert np.array_equal(folder[2].image(), data[2].image())
    assert sorted(tmp_path.rglob("*")) == before


def test_the_hepass_set_as_it_is_downloaded(tmp_path: Path):
    inside = tmp_path / "HEPASS_algorithm_dataset"
    for n in range(3):
        name = f"100100{n}_{n}.png"
        save(tmp_path / "train" / "TRAIN" / name, tissue(n))
        save(tmp_path / "manual" / name, mask_of(tissue(n)))
        save(tmp_path / "test" / "TEST" / f"200{name}", tissue(10 + n))
    for source, target in (
        ("train", "Original Images/TRAIN.zip"),
        ("test", "Original Images/TEST.zip"),
        ("manual", "Manual annotations/TRAIN.zip"),
    ):
        (inside / target).parent.mkdir(parents=True, exist_ok=True)
        zipped(tmp_path / source, inside / target)
    (tmp_path / "whole").mkdir()
    inside.rename(tmp_path / "whole" / inside.name)
    whole = zipped(tmp_path / "whole", tmp_path / "HEPASS.zip")
    for root in (tmp_path / "whole", whole):
        data = st.open_dataset(root)
        assert [len(data.where(split=one)) for one in ("train", "test")] == [3, 3]
        assert masks_are_true(data.where(split="train"))
        assert not any(one.mask_path for one in data.where(split="test"))


def test_a_zip_beside_its_unpacked_folder_counts_once(tmp_path: Path):
    save(tmp_path / "TRAIN_extracted" / "TRAIN" / "1001001_16.png", tissue(1))
    zipped(tmp_path / "TRAIN_extracted", tmp_path / "TRAIN.zip")
    data = st.open_dataset(tmp_path)
    assert [(one.split, one.patient) for one in data] == [("train", "1001001")]


def test_damaged_zips_are_told_apart(tmp_path: Path):
    good = zipped(pairs(tmp_path / "pairs"), tmp_path / "good.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(good[: len(good) // 2])
    (tmp_path / "text.zip").write_text("not found")
    for name in ("cut.zip", "text.zip"):
        with pytest.raises(CannotOpenError, match=rf"{name}.*download it again"):
            st.open_dataset(tmp_path / name)
    data = st.open_dataset(tmp_path / "good.zip")
    place = good.index(b"IDAT")
    (tmp_path / "good.zip").write_bytes(good[:place] + b"\0" * 400 + good[place + 400 :])
    with pytest.raises(CannotOpenError, match=r"good\.zip"):
        data[0].image()


@pytest.mark.parametrize("above", ["", "some/where/", "set/images/"])
def test_class_folders_at_any_depth(tmp_path: Path, above: str):
    for split in ("train", "Validation"):
        for grade in ("F0", "F4"):
            save(tmp_path / above / split / grade / "a107.jpg", tissue(1, side=40))
    data = st.open_dataset(tmp_path)
    assert data.classes == ("F0", "F4")
    assert sorted((one.split, one.label) for one in data) == [
        ("train", "F0"), ("train", "F4"), ("val", "F0"), ("val", "F4")
    ]  # fmt: skip
    assert data[0].mask() is None


def test_folders_inside_a_class_are_patients(tmp_path: Path):
    for name in ("F0/P1/a.png", "F0/P2/a.png", "F1/P3/a.png"):
        save(tmp_path / name, tissue(1, side=40))
    data = st.open_dataset(tmp_path)
    assert [(one.label, one.patient) for one in data] == [("F0", "P1"), ("F0", "P2"), ("F1", "P3")]
    assert any("taken for patients" in note for note in data.notes)


def test_tables_are_joined_by_patient_and_by_image(tmp_path: Path):
    pairs(tmp_path / "set")
    (tmp_path / "who.csv").write_text("image;patient\n1001000_10;P1\n1001001_11.png;P2\n")
    (tmp_path / "scores.csv").write_text("patient,score_percent\nP1,30 %\nP2,\n")
    data = st.open_dataset(tmp_path / "set", join=[tmp_path / "who.csv", tmp_path / "scores.csv"])
    assert [(one.patient, one.score) for one in data] == [
        ("P1", 30.0), ("P2", None), ("1001002", None)
    ]  # fmt: skip
    assert any("who.csv says nothing of 1 of 3" in note for note in data.notes)
    (tmp_path / "scores.csv").write_text("patient,score_percent\nQ9,30\n")
    with pytest.raises(BadValueError, match=r"none of its 1 values of patient.*Q9"):
        st.open_dataset(tmp_path / "set", join=tmp_path / "scores.csv")
    (tmp_path / "scores.csv").write_text("person,percent\nQ9,30\n")
    with pytest.raises(BadValueError, match="person, percent"):
        st.open_dataset(tmp_path / "set", join=tmp_path / "scores.csv")


def test_what_is_no_dataset_is_said(tmp_path: Path):
    with pytest.raises(CannotOpenError, match="no such file or folder"):
        st.open_dataset(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(CannotOpenError, match=r"no picture.*among 1 files"):
        st.open_dataset(tmp_path)
    with pytest.raises(CannotOpenError, match="neither a folder"):
        st.open_dataset(tmp_path / "notes.txt")
    save(tmp_path / "a.png", tissue(1, side=40))
    with pytest.raises(BadValueError, match="no image has a mask file"):
        st.open_dataset(tmp_path, mask_values={0: "tissue", 255: "fat"})


def test_masks_without_an_image_are_noted(tmp_path: Path):
    pairs(tmp_path)
    (tmp_path / "images" / "1001002_12.png").unlink()
    data = st.open_dataset(tmp_path)
    assert [one.name for one in data] == ["images/1001000_10.png", "images/1001001_11.png"]
    assert any("1 masks have no image" in note for note in data.notes)
