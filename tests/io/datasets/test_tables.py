"""The manifest there and back; points and outlines; slides whose tiles are cut when read."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import numpy as np
import pytest

import napari_steatosis as st
from made_annotations import feature, geojson, ring
from made_datasets import pairs, save, tissue
from napari_steatosis.core.dataset import COLUMNS, ArraySource, Dataset, Sample
from napari_steatosis.core.errors import BadValueError, CannotOpenError, MissingScaleError


def test_every_layout_is_one_manifest_that_is_read_back(tmp_path: Path):
    data = st.open_dataset(pairs(tmp_path / "set"), um_per_px=0.5)
    path = data.manifest(tmp_path / "set" / "manifest.csv")
    with path.open() as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["path"] == "images/1001000_10.png"
    assert rows[0]["mask_path"] == "manual/1001000_10.png"
    (tmp_path / "set").rename(tmp_path / "moved")
    again = st.open_dataset(tmp_path / "moved")
    assert again.rows() == data.rows()
    assert again.digest == data.digest
    assert again[2].um_per_px == 0.5
    assert np.array_equal(again[1].mask(), (again[1].image().min(-1) > 240).astype(np.uint8))


def test_a_manifest_may_use_other_words(tmp_path: Path):
    pairs(tmp_path)
    text = "Image;Mask;group;set;grade;mpp;colour\nimages/1001000_10.png;;P7;Training;F2;0.25;x\n"
    (tmp_path / "list.csv").write_text("\ufeff" + text, encoding="utf-8")
    (one,) = st.open_dataset(tmp_path / "list.csv")
    assert (one.patient, one.split, one.label, one.um_per_px) == ("P7", "train", "F2", 0.25)
    assert one.image().shape == (230, 230, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tile,mask\na.png,\n", "no column path; it has: tile, mask"),
        ("path,patientx\na.png,1\n", "'patientx'. Is 'patient' meant"),
        ("path,path\na.png,1\n", "'path' twice"),
        ("path,score\na.png,high\nb.png,\n,3\n", r"line 2: a.png: score is 'high'.*\n.*line 4"),
        ("path,mpp\na.png,-1\n", "mpp is -1"),
        ("path,y,x,height\na.png,1,2,3\n", "a region needs y, x, height and width"),
        ("path\n", "lists no image"),
        ("path\na.png,b.png\n", "line 2: more cells than columns"),
        ("x,y,label\n1,2,fat\n", "points but no column image"),
    ],
)
def test_wrong_tables_are_refused_with_the_line(tmp_path: Path, text: str, said: str):
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(BadValueError, match=said):
        st.open_dataset(tmp_path / "manifest.csv")


def test_a_table_of_points_in_many_images(tmp_path: Path):
    for name in ("a", "b", "c"):
        save(tmp_path / "img" / f"{name}.png", tissue(1, side=40))
    rows = "image,x,y,label\na.png,3,5,steatosis\na.png,7,9,vessel\nimg/b.png,1,2,\n"
    (tmp_path / "points.csv").write_text(rows)
    data = st.open_dataset(tmp_path / "points.csv")
    assert len(data) == 2
    marks = data[0].points()
    assert marks.places.tolist() == [[5, 3], [9, 7]]
    assert marks.labels == ("steatosis", "vessel")
    assert data[1].points().labels == ("fat",)
    assert data[1].image().shape == (40, 40, 3)


def test_layers_that_napari_saved(tmp_path: Path):
    napari_write = pytest.importorskip("napari_builtins.io._write")
    save(tmp_path / "liver.png", np.full((40, 60, 3), 200, np.uint8))
    points = np.array([[4.0, 30.0], [5.5, 6.0]])
    words = {"properties": {"label": np.array(["fat", "vessel"])}}
    napari_write.napari_write_points(str(tmp_path / "Points.csv"), points, words)
    box = np.array([[10, 10], [10, 30], [20, 30], [20, 10]], float)
    shapes = {"shape_type": ["rectangle", "ellipse", "path"]}
    layers = [box, np.add(box, (15, 25)), box[:2]]
    napari_write.napari_write_shapes(str(tmp_path / "Shapes.csv"), layers, shapes)
    (one,) = st.open_dataset(tmp_path)
    assert one.points().places.tolist() == points.tolist()
    assert one.points().labels == ("fat", "vessel")
    mask = one.mask()
    assert mask[10:21, 10:31].all()
    assert mask[30, 45] == 1
    assert mask[25, 35] == 0  # the corner of the ellipse's box; the path has no area
    assert mask.sum() == pytest.approx(11 * 21 + np.pi * 5 * 10, rel=0.06)


def test_outlines_beside_a_picture_mark_it_whole(tmp_path: Path):
    save(tmp_path / "a.png", np.full((40, 60, 3), 200, np.uint8))
    fat = {"name": "Steatosis"}
    drawn = [
        feature("Polygon", [ring(10, 5, 8), ring(12, 7, 2)], classification=fat),
        feature("Polygon", [ring(30, 5, 8)], classification={"name": "Ignore*"}),
        feature("Point", [3, 4], classification=fat),
    ]
    geojson(tmp_path, drawn, "a.geojson")
    data = st.open_dataset(tmp_path)
    assert data.classes == ("tissue", "Steatosis")
    mask = data[0].mask()
    assert (mask == 1).sum() == 64 - 4
    assert (mask == 255).sum() == 64
    assert data[0].points().places.tolist() == [[3.5, 2.5]]
    zone = feature("Polygon", [ring(0, 0, 20)], classification={"name": "Region*"})
    geojson(tmp_path, [*drawn, zone], "a.geojson")
    mask = st.open_dataset(tmp_path)[0].mask()
    assert (mask == 0).sum() == 400 - 60
    assert mask[30, 50] == 255


def annotated_slide(folder: Path, features: list, um_per_px: float = 0.25) -> Path:
    slide = st.drawn_liver(512, 640, um_per_px=um_per_px, seed=3)
    st.write(slide, folder / "liver.ome.zarr")
    geojson(folder, features, "liver.geojson")
    return folder


def test_tiles_of_a_slide_are_background_only_where_somebody_looked(tmp_path: Path):
    fat = {"name": "fat"}
    drawn = [
        feature("Polygon", [ring(100, 100, 200)], classification={"name": "Region*"}),
        feature("Polygon", [ring(120, 140, 40)], classification=fat),
        feature("Polygon", [ring(500, 20, 60)], classification=fat),  # nobody looked around it
    ]
    data = st.open_dataset(annotated_slide(tmp_path, drawn), um_per_px=0.5, tile_px=64)
    assert len(data) == 4  # 200 px of 0.25 um are 100 px of 0.5 um
    one = data[0]
    assert (one.slide, one.um_per_px) == ("liver.ome.zarr", 0.5)
    plane = st.open_slide(tmp_path / "liver.ome.zarr").at(0.5)
    assert np.array_equal(one.image(), plane.read(one.region))
    counts = np.zeros(256, int)
    for sample in data:
        counts += np.bincount(sample.mask().ravel(), minlength=256)
    assert counts[1] == 20 * 20
    assert counts[0] == 100 * 100 - 20 * 20
    assert counts[255] == 4 * 64 * 64 - 100 * 100
    again = st.open_dataset(data.manifest(tmp_path / "tiles.csv"))
    assert np.array_equal(again[3].mask(), data[3].mask())
    assert again.digest == data.digest


def test_slides_that_cannot_be_used_say_why(tmp_path: Path):
    fat = feature("Polygon", [ring(120, 140, 40)], classification={"name": "fat"})
    annotated_slide(tmp_path, [fat])
    with pytest.raises(BadValueError, match=r"liver\.geojson: no area says where everything"):
        st.open_dataset(tmp_path)
    far = feature("Polygon", [ring(9000, 9000, 40)], classification={"name": "Region*"})
    geojson(tmp_path, [far], "liver.geojson")
    with pytest.raises(CannotOpenError, match="outside the slide"):
        st.open_dataset(tmp_path)
    (tmp_path / "liver.geojson").write_text(json.dumps({"type": "Topology"}))
    with pytest.raises(CannotOpenError, match=r"liver\.geojson"):
        st.open_dataset(tmp_path)


def test_a_slide_without_a_pixel_size_is_refused(tmp_path: Path):
    zone = feature("Polygon", [ring(0, 0, 20)], classification={"name": "Region*"})
    save(tmp_path / "a.ome.tif", tissue(1, side=60))
    geojson(tmp_path, [zone], "a.geojson")
    with pytest.raises(MissingScaleError, match="um_per_px"):
        st.open_dataset(tmp_path)


def test_a_hundred_thousand_tiles_open_without_being_read(tmp_path: Path):
    lines = [f"t{n}.png,m{n}.png,P{n % 50},train" for n in range(100_000)]
    text = "\n".join(["path,mask_path,patient,split", *lines])
    (tmp_path / "manifest.csv").write_text(text)
    began = time.process_time()
    data = st.open_dataset(tmp_path)
    assert len(data) == 100_000
    assert time.process_time() - began < 20  # none of the files is there
    assert data[99_999].patient == "P49"


def test_pixels_in_memory_have_no_manifest(tmp_path: Path):
    held = Dataset((Sample("drawn", ArraySource(tissue(1, side=40))),))
    with pytest.raises(BadValueError, match="in memory"):
        held.manifest(tmp_path / "manifest.csv")


def test_the_real_tiles(shared_data: Path):
    data = st.open_dataset(shared_data / "steatosis-tiles")
    assert (len(data), len(data.where(split="val"))) == (373, 56)
    assert data.classes == ("tissue", "fat")
    assert np.unique(data.where(split="val")[0].mask()).tolist() in ([0], [0, 1])
    assert len({one.patient for one in data}) > 50
