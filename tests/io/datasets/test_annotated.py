"""Tiles added to a dataset: read back as saved, beside what is there, whole or not at all."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.marks import Marks
from napari_steatosis.io import open_dataset
from napari_steatosis.io.datasets.annotated import Annotated, add_annotated, annotated_in

CLASSES = ("tissue", "fat")


def tile(name: str, *values: int, classes: tuple[str, ...] = CLASSES, **more) -> Annotated:
    mask = np.resize(np.array(values, np.uint8), (6, 8))
    image = np.full((6, 8, 3), len(name), np.uint8)
    return Annotated(name, image, mask, classes, 0.5, **more)


def test_masks_say_what_they_hold_whatever_values_happen_to_be_there(tmp_path):
    add_annotated(tmp_path, tile("a", 0, 255, patient="P1"))
    add_annotated(tmp_path, tile("b", 0, 1, patient="P2", slide="s.svs", stain="H&E"))
    data = open_dataset(tmp_path)
    assert data.classes == CLASSES
    assert set(np.unique(data[0].mask())) == {0, 255}
    assert (data[1].patient, data[1].slide, data[1].um_per_px) == ("P2", "s.svs", 0.5)
    assert [row["patient"] for row in annotated_in(tmp_path)] == ["P1", "P2"]
    assert annotated_in(tmp_path / "new") == []


def test_more_classes_keep_their_names(tmp_path):
    names = ("tissue", "micro", "macro", "vessel")
    add_annotated(tmp_path, tile("a", 0, 3, 255, classes=names))
    data = open_dataset(tmp_path)
    assert data.classes == names
    assert set(np.unique(data[0].mask())) == {0, 3, 255}
    with pytest.raises(BadValueError, match="the classes tissue, micro, macro, vessel, not"):
        add_annotated(tmp_path, tile("b", 0, 1))


def test_rows_and_columns_of_others_stay(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "x.png")
    (tmp_path / "manifest.csv").write_text("image,remark,donor\nx.png,old,P0\n")
    marks = Marks(np.array([[1.0, 2.5]]), ("fat",))
    add_annotated(tmp_path, tile("a", 0, 1, patient="P1", marks=marks))
    add_annotated(tmp_path, tile("a", 1, patient="P1", marks=marks))
    assert "x.png,old,P0" in (tmp_path / "manifest.csv").read_text()
    first, second = open_dataset(tmp_path)
    assert (first.patient, second.patient) == ("P0", "P1")
    assert set(np.unique(second.mask())) == {1}
    assert second.points().places.tolist() == [[1.0, 2.5]]


def test_a_crash_before_the_row_leaves_the_dataset_as_it_was(tmp_path, monkeypatch):
    add_annotated(tmp_path, tile("a", 0, 1))
    before = (tmp_path / "manifest.csv").read_bytes()

    def crash(*given, **more):
        raise OSError("disk full")

    monkeypatch.setattr("napari_steatosis.io.datasets.annotated._write_table", crash)
    with pytest.raises(OSError, match="disk full"):
        add_annotated(tmp_path, tile("b", 0, 1))
    assert (tmp_path / "manifest.csv").read_bytes() == before
    assert len(open_dataset(tmp_path)) == 1


@pytest.mark.parametrize(
    ("values", "said"), [((255,), "Nothing is annotated"), ((0, 2), "holds the label 3")]
)
def test_what_says_nothing_or_too_much_is_refused(values, said):
    with pytest.raises(BadValueError, match=said):
        tile("a", *values)
