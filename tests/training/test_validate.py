"""Every kind of trouble is made once, and found under its name; nothing is dropped."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import napari_steatosis as st
from made_datasets import disc, mask_of, pairs, save, tissue
from napari_steatosis.core.dataset import ArraySource, Dataset, Sample
from napari_steatosis.core.errors import BadValueError, CannotOpenError
from napari_steatosis.training.duplicates import group_duplicates
from napari_steatosis.training.sample_checks import Limits
from napari_steatosis.training.validate import Validation, validate


def kinds(found: Validation) -> set[tuple[str, str]]:
    return {(one.kind, one.sample) for one in found}


def test_a_good_set_has_no_error(tmp_path: Path):
    data = st.open_dataset(pairs(tmp_path), um_per_px=0.5)
    found = validate(data)
    assert found.errors == ()
    assert {one.kind for one in found} == {"taken_for_granted"}
    assert all(0.9 < one.tissue <= 1 for one in found.facts)
    assert [one.marked for one in found.facts] == pytest.approx(
        [float((one.mask() == 1).mean()) for one in data]
    )


def test_every_file_has_its_reasons(tmp_path: Path):
    good = tissue(0)
    for n, name in enumerate(("small", "alpha", "palette", "grey", "deep", "cmyk", "broken")):
        save(tmp_path / f"{name}.png", tissue(n + 10))
    save(tmp_path / "small.png", tissue(1, side=100))
    save(tmp_path / "alpha.png", np.dstack([good, np.full(good.shape[:2], 255, np.uint8)]))
    Image.fromarray(tissue(2)).quantize(16).save(tmp_path / "palette.png")
    save(tmp_path / "grey.png", tissue(3)[..., 1])
    save(tmp_path / "deep.tif", tissue(4).astype(np.uint16) * 200)
    (tmp_path / "deep.png").unlink()
    Image.fromarray(np.zeros((230, 230, 4), np.uint8), "CMYK").save(tmp_path / "print.jpg")
    (tmp_path / "cmyk.png").unlink()
    (tmp_path / "broken.png").write_bytes(b"no picture")
    save(tmp_path / "glass.png", np.full((230, 230, 3), 243, np.uint8))
    save(tmp_path / "lean.png", tissue(5, droplets=0))
    data = st.open_dataset(tmp_path, um_per_px=0.5)
    gone = replace(data[0], name="gone.png", path=str(tmp_path / "gone.png"))
    found = validate(replace(data, samples=(*data.samples, gone)))
    expected = {
        ("too_small", "small.png"), ("alpha", "alpha.png"), ("palette", "palette.png"),
        ("bad_channels", "grey.png"), ("16_bit", "deep.tif"), ("cmyk", "print.jpg"),
        ("unreadable", "broken.png"), ("missing_file", "gone.png"),
        ("low_tissue", "glass.png"), ("no_fat", "lean.png"),
    }  # fmt: skip
    assert expected <= kinds(found)
    assert {one.severity for one in found.of("no_fat")} == {"note"}
    assert {one.sample for one in found.errors} == {
        "deep.tif", "print.jpg", "broken.png", "gone.png"
    }  # fmt: skip
    assert len(found.facts) == len(found.data) == len(data) + 1


def test_fat_is_not_taken_for_glass(tmp_path: Path):
    rgb = tissue(1, droplets=0)
    for y in range(12, 230, 20):
        for x in range(12, 230, 20):
            rgb[disc(rgb.shape[:2], (y, x), 9)] = 243
    data = Dataset((Sample("fatty.png", ArraySource(rgb), um_per_px=0.5),))
    assert (rgb.min(-1) > 200).mean() > 0.55  # more than half is white
    (facts,) = validate(data).facts
    assert facts.tissue > 0.95
    save(tmp_path / "fatty.png", rgb)
    by_rules = validate(st.open_dataset(tmp_path), "hepass")
    assert by_rules.categories["low_tissue"] == ["fatty.png"]


def test_masks_have_their_reasons(tmp_path: Path):
    pairs(tmp_path, count=8)
    name = "manual/100100{0}_1{0}.png"
    save(tmp_path / name.format(0), np.zeros((230, 200), np.uint8))
    save(tmp_path / name.format(1), np.zeros((230, 230), np.uint8))
    save(tmp_path / name.format(2), np.full((230, 230), 9, np.uint8))
    (tmp_path / name.format(3)).write_bytes(b"\x89PNG\r\n\x1a\nxx")
    save(tmp_path / name.format(5), np.full((230, 230), 7, np.uint8))
    (tmp_path / name.format(6)).unlink()
    meaning = {0: "tissue", 255: "fat", 7: "ignore"}
    data = st.open_dataset(tmp_path, mask_values=meaning, um_per_px=0.5)
    (tmp_path / name.format(4)).unlink()
    found = validate(data)
    image = "images/100100{0}_1{0}.png"
    assert {
        ("mask_size", image.format(0)), ("mask_empty", image.format(1)),
        ("mask_values", image.format(2)), ("mask_unreadable", image.format(3)),
        ("mask_missing", image.format(4)), ("mask_ignored", image.format(5)),
        ("mask_missing", image.format(6)),
    } <= kinds(found)  # fmt: skip
    (size,) = found.of("mask_size")
    assert "230 x 230" in size.message
    assert "230 x 200" in size.message


def test_empty_masks_only(tmp_path: Path):
    pairs(tmp_path)
    for path in (tmp_path / "manual").iterdir():
        save(path, np.zeros((230, 230), np.uint8))
    found = validate(st.open_dataset(tmp_path))
    assert [one.kind for one in found.errors] == ["all_masks_empty"]
    assert len(found.of("mask_empty")) == 3


def test_classes_and_patients(tmp_path: Path):
    for n in range(3):
        save(tmp_path / "F0" / f"{n}.png", tissue(n))
    found = validate(st.open_dataset(tmp_path))
    assert [one.kind for one in found.errors] == ["one_class"]
    save(tmp_path / "F1" / "9.png", tissue(9))
    data = st.open_dataset(tmp_path)
    found = validate(data)
    assert {one.kind for one in found} >= {"no_patient", "rare_class", "no_pixel_size"}
    one = replace(data, samples=tuple(replace(s, patient="P") for s in data))
    assert validate(one).errors[0].kind == "one_patient"
    sets = ("train", "val", "train", "train")
    rows = zip(data, "PPQR", sets, strict=True)
    both = replace(data, samples=tuple(replace(s, patient=p, split=x) for s, p, x in rows))
    (leak,) = validate(both).errors
    assert leak.kind == "patient_in_two_sets"
    assert "'P' is in train and in val" in leak.message
    part = replace(data, samples=(replace(data[0], label=""), *data.samples[1:]))
    assert "label_missing" in {one.kind for one in validate(part).errors}


def test_copies_are_found_also_across_the_sets(tmp_path: Path):
    first = tissue(1)
    save(tmp_path / "train" / "F0" / "a.png", first)
    save(tmp_path / "train" / "F0" / "b.bmp", first)
    save(tmp_path / "test" / "F1" / "c.png", first)
    save(tmp_path / "test" / "F1" / "c2.png", first)
    save(tmp_path / "train" / "F0" / "d.png", tissue(2))
    save(tmp_path / "test" / "F0" / "f.png", tissue(3))
    larger = Image.fromarray(tissue(2)).resize((300, 300))
    larger.save(tmp_path / "test" / "F0" / "e.jpg", quality=80)
    found = validate(st.open_dataset(tmp_path))
    assert {
        ("duplicate", "test/F1/c2.png"),
        ("duplicate_across_sets", "train/F0/a.png"),
        ("duplicate_across_sets", "train/F0/b.bmp"),
        ("label_conflict", "train/F0/a.png"),
        ("near_duplicate_across_sets", "train/F0/d.png"),
    } <= kinds(found)
    assert not any(one.sample.endswith("f.png") for one in found if "duplicate" in one.kind)


def test_near_duplicates_can_stand_in_for_patients(tmp_path: Path):
    for n in range(4):
        save(tmp_path / f"{n}.png", tissue(n))
        save(tmp_path / f"{n}-again.jpg", tissue(n))
    data = group_duplicates(st.open_dataset(tmp_path))
    assert len({one.patient for one in data}) == 4
    for seed in range(5):
        train, test = data.split(by="patient", held_out=0.25, seed=seed)
        assert not {o.name[0] for o in train} & {o.name[0] for o in test}
    assert any("stand in for patients" in note for note in data.notes)
    named = replace(data, samples=tuple(replace(s, patient=f"P{s.name[0] in '01'}") for s in data))
    assert {one.patient for one in group_duplicates(named)} == {"PTrue", "PFalse"}


def test_points_have_their_reasons(tmp_path: Path):
    save(tmp_path / "a.png", tissue(1))
    save(tmp_path / "b.png", tissue(2))
    (tmp_path / "points.csv").write_text("image,x,y,label\na.png,900,5,fat\nb.png,9,5,fat\n")
    data = st.open_dataset(tmp_path / "points.csv")
    (bad,) = validate(data).errors
    assert (bad.kind, bad.sample) == ("points_outside", "a.png")
    (tmp_path / "points.csv").write_text("image,x,y,label\na.png,here,5,fat\n")
    assert {one.kind for one in validate(data).errors} == {"points_unreadable"}


def test_ultrasound_is_not_asked_for_stain(tmp_path: Path):
    save(tmp_path / "a.png", tissue(1)[..., 0])
    assert validate(st.open_dataset(tmp_path)).of("bad_channels")
    assert list(validate(st.open_dataset(tmp_path, modality="ultrasound"))) == []


def test_the_report_as_json_csv_and_page(tmp_path: Path):
    data = st.open_dataset(pairs(tmp_path / "set"))
    save(tmp_path / "set" / "manual" / "1001000_10.png", mask_of(tissue(0))[:200])
    with pytest.warns(match="Image-level"):
        train, _ = data.split(by="image", held_out=0.34)
    found = validate(replace(train, samples=data.samples))
    made = found.write(tmp_path / "report")
    assert [path.name for path in made] == [
        "validation.json", "validation.csv", "validation.html"
    ]  # fmt: skip
    values = json.loads(made[0].read_text())
    assert values["image_level"] is True
    assert "optimistic" in values["warning"]
    assert len(values["samples"]) == 3
    assert values["parameters"]["near_bits"] == 4
    with made[1].open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["kind"] for row in rows] == [one.kind for one in found]
    page = made[2].read_text()
    assert "Image-level split" in page
    assert "mask_size" in page
    assert page.count("data:image/png;base64,") == 1
    with pytest.raises(CannotOpenError, match="there already"):
        found.write(tmp_path / "report")


def test_progress_limits_and_other_rules(tmp_path: Path):
    data = st.open_dataset(pairs(tmp_path))
    seen = []
    found = validate(data, limits=Limits(least_px=500), on_sample=lambda *at: seen.append(at))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert len(found.of("too_small")) == 3
    with pytest.raises(BadValueError, match="'strict'"):
        validate(data, "strict")


def test_the_real_tiles(shared_data: Path):
    data = st.open_dataset(shared_data / "steatosis-tiles").where(split="val")
    found = validate(data)
    assert found.errors == ()
    assert len(found.of("mask_empty")) == 28
