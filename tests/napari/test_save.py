"""Layers saved through napari, and opened again."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils import DirectLabelColormap
from npe2 import PluginManager

import napari_steatosis as st
from brightness_model import BrightnessModel
from discs import disc_slide
from made_annotations import geojson
from made_slides import png, stained
from napari_steatosis._napari.layers import prediction_layer, prediction_over, slide_layer
from napari_steatosis.core.errors import CannotOpenError

OURS = "napari-steatosis"
UM = {"units": ("um", "um")}


@pytest.fixture(autouse=True)
def discovered():
    PluginManager.instance().discover()


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def slide(viewer):
    """The layer of a slide at 0.5 um/px."""
    return viewer.add_layer(Layer.create(*slide_layer(disc_slide(400, 300))))


def nuclei() -> np.ndarray:
    labels = np.zeros((100, 75), np.int32)
    labels[10:20, 30:40], labels[50:60, 5:9] = 70_000, 3
    return labels


def add_nuclei(viewer, **where):
    colours = {None: "transparent", 3: (1, 0, 0, 1), 8: (0, 1, 0, 0.2)}
    return viewer.add_labels(
        nuclei(),
        name="nuclei",
        colormap=DirectLabelColormap(color_dict=colours),
        features=pd.DataFrame({"index": [3, 8], "class": ["a", "b"], "area": [4.5, np.nan]}),
        **({"scale": (2, 2), "translate": (0.75, 0.75), **UM} | where),
    )


def save(viewer, path: Path) -> list[str]:
    return viewer.layers.save(str(path), plugin=OURS)


def opened(path: Path) -> dict[str, Layer]:
    return {layer.name: layer for layer in ViewerModel().open(path, plugin=OURS)}


def finest(layer) -> np.ndarray:
    return np.asarray(layer.data[0] if layer.multiscale else layer.data)


def place(layer) -> tuple:
    return (*layer.scale, *layer.translate, *map(str, layer.units))


def test_a_slide_with_labels_comes_back_as_it_was(viewer, slide, tmp_path):
    labels = add_nuclei(viewer)
    path = tmp_path / "liver.ome.zarr"
    assert save(viewer, path) == [str(path), str(path / "labels" / "nuclei")]
    back = opened(path)
    assert np.array_equal(finest(back["liver.ome.zarr"]), finest(slide))
    assert place(back["liver.ome.zarr"]) == place(slide)
    again = back["nuclei"]
    assert np.array_equal(finest(again), nuclei())
    assert place(again) == place(labels)
    assert again.get_color(3) == pytest.approx((1, 0, 0, 1))
    assert again.get_color(8) == pytest.approx((0, 1, 0, 0.2), abs=0.01)
    known = again.features.set_index("index")
    assert known.loc[3].to_dict() == {"class": "a", "area": 4.5}
    assert known.loc[8, "class"] == "b"
    assert np.isnan(known.loc[8, "area"])


@pytest.mark.parametrize(
    ("typed", "kinds", "made"),
    [
        ("liver", ["image", "labels"], "liver.ome.zarr"),
        ("liver.ZARR", ["image", "labels"], "liver.ZARR"),
        ("drawn", ["shapes"], "drawn.geojson"),
    ],
)
def test_a_name_typed_into_the_dialog(viewer, slide, tmp_path, typed, kinds, made):
    add_nuclei(viewer)
    viewer.add_shapes([[(0, 0), (9, 9)]])
    viewer.layers.selection = {one for one in viewer.layers if one._type_string in kinds}
    chosen = PluginManager.instance().iter_compatible_writers(kinds)
    writer = next(one for one in chosen if one.plugin_name == OURS)
    viewer.layers.save(str(tmp_path / typed), selected=True, _writer=writer)
    assert [file.name for file in tmp_path.iterdir()] == [made]


def test_the_suffix_alone_finds_the_writer(viewer, slide, tmp_path):
    add_nuclei(viewer)
    assert len(viewer.layers.save(str(tmp_path / "a.ome.zarr"))) == 2


def test_labels_lie_on_the_slide_wherever_both_were_moved(viewer, slide, tmp_path):
    labels = add_nuclei(viewer)
    for layer in (slide, labels):
        layer.affine = [[0, 3, 50], [-3, 0, 70], [0, 0, 1]]
    save(viewer, tmp_path / "a.ome.zarr")
    assert place(opened(tmp_path / "a.ome.zarr")["nuclei"])[:4] == pytest.approx((2, 2, 0.75, 0.75))


@pytest.mark.parametrize(("unit", "um"), [("nm", 1e-3), ("um", 1.0), ("mm", 1e3)])
def test_units_of_length(viewer, slide, tmp_path, unit, um):
    add_nuclei(viewer, scale=(2 / um,) * 2, translate=(1 / um, 0), units=(unit, unit))
    save(viewer, tmp_path / "a.ome.zarr")
    assert place(opened(tmp_path / "a.ome.zarr")["nuclei"])[:4] == pytest.approx((2, 2, 1, 0))


def test_a_prediction_that_nobody_changed_stays_one(viewer, slide, tmp_path):
    fat = st.segment(disc_slide(400, 300), BrightnessModel())
    viewer.add_layer(Layer.create(*prediction_layer(fat)))
    save(viewer, tmp_path / "a.ome.zarr")
    back = st.open_results(tmp_path / "a.ome.zarr", "fat")
    assert back.classes == fat.classes
    assert back.provenance["content"] == fat.provenance["content"]


def test_a_prediction_of_a_run_in_the_window_stays_one(viewer, tmp_path):
    discs = disc_slide(1300, 1100)
    image = viewer.add_layer(Layer.create(*slide_layer(discs)))
    fat = st.segment(discs, BrightnessModel(), store=tmp_path / "run.zarr")
    labels = viewer.add_layer(Layer.create(*prediction_over(fat, image, discs.frame())))
    labels.name = "fat: discs.svs"
    labels.metadata = {"prediction": st.open_results(tmp_path / "run.zarr")}
    save(viewer, tmp_path / "a.ome.zarr")
    assert st.open_results(tmp_path / "a.ome.zarr", "fat").classes == fat.classes


def test_a_prediction_that_was_painted_on_becomes_labels_and_the_result_stays(
    viewer, slide, tmp_path
):
    fat = st.segment(disc_slide(400, 300), BrightnessModel())
    labels = viewer.add_layer(Layer.create(*prediction_layer(fat)))
    before = np.array(fat.levels[0])
    labels.paint((100, 100), 2)
    save(viewer, tmp_path / "a.ome.zarr")
    assert np.array_equal(fat.levels[0], before)
    again = opened(tmp_path / "a.ome.zarr")["fat"]
    assert "prediction" not in again.metadata
    assert np.array_equal(finest(again), finest(labels))
    assert list(again.features["class"]) == ["not analysed", "tissue", "fat"]


def test_labels_alone_join_the_image_that_is_there(viewer, tmp_path):
    path = tmp_path / "liver.ome.zarr"
    st.write(disc_slide(400, 300), path)
    add_nuclei(viewer)
    save(viewer, path)
    assert set(opened(path)) == {"liver.ome.zarr", "nuclei"}
    with pytest.raises(CannotOpenError, match="nuclei"):
        save(viewer, path)


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
def test_an_image_of_another_reader_becomes_a_slide(viewer, tmp_path, kind):
    rgb = stained(200, 150)
    arrays = {
        "numpy": lambda: rgb,
        "dask": lambda: da.from_array(rgb, chunks=(64, 64, 3)),
        "zarr": lambda: zarr.array(rgb, chunks=(64, 64, 3)),
    }
    viewer.add_image(arrays[kind](), rgb=True, name="foreign", scale=(0.25, 0.5), **UM)
    save(viewer, tmp_path / "a.zarr")
    (back,) = opened(tmp_path / "a.zarr").values()
    assert np.array_equal(finest(back), rgb)
    assert place(back)[:4] == (0.25, 0.5, 0, 0)


def test_a_foreign_pyramid_and_px(viewer, tmp_path):
    rgb = stained(2100, 300)
    viewer.add_image([rgb, rgb[::2, ::2], rgb[::4, ::4]], rgb=True, multiscale=True)
    viewer.add_labels(np.ones((2100, 300), np.uint8), name="all")
    save(viewer, tmp_path / "a.ome.zarr")
    image, labels = opened(tmp_path / "a.ome.zarr").values()
    assert np.array_equal(finest(image), rgb)
    assert str(image.units[0]) == "pixel"
    assert place(labels) == place(image)


def test_shapes_and_points_go_into_geojson_beside_it(viewer, slide, tmp_path):
    box = np.array([(10, 20), (10, 60), (40, 60), (40, 20)])  # um
    features = pd.DataFrame({"class": ["Tumor", ""], "score": [0.5, np.nan]})
    viewer.add_shapes([box, box + 50], edge_color=["red", "blue"], features=features, **UM)
    viewer.add_points([(5, 6)], face_color="lime", **UM)
    made = save(viewer, tmp_path / "a.ome.zarr")
    assert made == [str(tmp_path / "a.ome.zarr"), str(tmp_path / "a.geojson")]
    tumor, other, point = st.open_annotations(tmp_path / "a.geojson")
    assert tumor.class_name == "Tumor"
    assert tumor.colour == (255, 0, 0)
    assert dict(tumor.measurements) == {"score": 0.5}
    assert tumor.box == pytest.approx((20, 40, 80, 120))  # px of 0.5 um
    assert other.class_name == ""
    assert point.shape == "points"
    assert point.box[:2] == pytest.approx((10, 12))


def test_annotations_of_qupath_come_back_whole(viewer, tmp_path):
    before = st.open_annotations(geojson(tmp_path))
    for layer in viewer.open(tmp_path / "slide.geojson", plugin=OURS):
        layer.scale = (0.5, 0.5)  # however it is drawn
    made = save(viewer, tmp_path / "again.geojson")
    assert made == [str(tmp_path / "again.geojson")]
    after = st.open_annotations(tmp_path / "again.geojson")
    assert [(one.shape, one.class_name, one.name) for one in after] == [
        (one.shape, one.class_name, one.name) for one in before
    ]
    for one, other in zip(after, before, strict=True):
        assert [len(part) for part in one.parts] == [len(part) for part in other.parts]
        rings = zip(one.parts, other.parts, strict=True)
        for ring, was in ((a, b) for p, q in rings for a, b in zip(p, q, strict=True)):
            assert ring == pytest.approx(was)


def test_a_copied_shape_is_an_annotation_of_its_own(viewer, tmp_path):
    shapes, points = viewer.open(geojson(tmp_path), plugin=OURS)
    viewer.layers.remove(points)
    shapes.features = shapes.features.assign(identity=["a", "b", "b", "c"])
    shapes.add(np.asarray(shapes.data[0]) + 1, shape_type="polygon")
    shapes.features.iloc[4] = shapes.features.iloc[0]
    save(viewer, tmp_path / "again.geojson")
    after = st.open_annotations(tmp_path / "again.geojson").items
    assert len(after) == 4
    assert after[0].identity != after[3].identity


@pytest.mark.parametrize("kind", ["ellipse", "rectangle", "line", "path"])
def test_every_shape(viewer, tmp_path, kind):
    corners = {"line": [(0, 0), (9, 9)], "path": [(0, 0), (9, 9), (3, 2)]}
    box = [(0, 0), (0, 10), (20, 10), (20, 0)]
    viewer.add_shapes([corners.get(kind, box)], shape_type=kind)
    save(viewer, tmp_path / "a.geojson.gz")
    (one,) = st.open_annotations(tmp_path / "a.geojson.gz")
    assert one.shape == ("line" if kind in corners else "polygon")
    if kind not in corners:
        assert one.box == pytest.approx((0, 0, 20, 10), abs=0.05)


def grey(viewer):
    viewer.add_image(np.zeros((64, 64)), name="bad")


def sixteen_bits(viewer):
    viewer.add_image(np.zeros((64, 64, 3), np.uint16), rgb=True, name="bad")


def see_through(viewer):
    viewer.add_image(np.zeros((64, 64, 4), np.uint8), rgb=True, name="bad")


def stack(viewer):
    viewer.add_image(np.zeros((5, 64, 64, 3), np.uint8), rgb=True, name="bad")


def deep_labels(viewer):
    viewer.add_labels(np.zeros((5, 64, 64), np.uint8), name="bad")


def turned(viewer):
    viewer.add_labels(np.zeros((64, 64), np.uint8), name="bad", rotate=30)


def two_slides(viewer):
    for name in ("one", "bad"):
        viewer.add_image(stained(64, 64), rgb=True, name=name)


def huge_pixels(viewer):
    viewer.add_image(stained(64, 64), rgb=True, name="bad", scale=(1, 1), units=("mm", "mm"))


def coarse_without_scale(viewer):
    viewer.add_image(stained(64, 64), rgb=True, name="good")
    viewer.add_labels(np.zeros((32, 32), np.uint8), name="bad", scale=(2, 2))


def deep_points(viewer):
    viewer.add_image(stained(64, 64), rgb=True, name="good")
    viewer.add_points(np.zeros((3, 3)), name="bad")


BAD = [
    grey, sixteen_bits, see_through, stack, deep_labels, turned, two_slides, huge_pixels,
    coarse_without_scale, deep_points,
]  # fmt: skip


@pytest.mark.parametrize("add", BAD)
def test_what_cannot_be_saved_says_why_and_leaves_nothing(viewer, tmp_path, add):
    add(viewer)
    with pytest.raises(CannotOpenError, match="bad"):
        save(viewer, tmp_path / "a.ome.zarr")
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_kept(viewer, slide, tmp_path):
    path = tmp_path / "a.ome.zarr"
    path.mkdir()
    (path / "note.txt").write_text("mine")
    with pytest.raises(CannotOpenError, match=r"a\.ome\.zarr"):
        save(viewer, path)
    assert [file.name for file in path.iterdir()] == ["note.txt"]


def test_damaged_pixels_leave_nothing_behind(viewer, tmp_path):
    damaged = disc_slide(400, 300)
    viewer.add_layer(Layer.create(*slide_layer(damaged)))
    damaged.source.damaged = st.Region(y=100, x=100, height=5, width=5)
    viewer.add_points([(5, 6)], **UM)
    with pytest.raises(st.SteatosisError, match="truncated strip"):
        save(viewer, tmp_path / "a.ome.zarr")
    assert not list(tmp_path.iterdir())


def test_shapes_in_um_without_their_slide_are_refused(viewer, tmp_path):
    viewer.add_shapes([[(0, 0), (9, 9)]], name="alone", **UM)
    with pytest.raises(CannotOpenError, match="alone"):
        save(viewer, tmp_path / "a.geojson")


def test_shapes_in_um_on_the_slide_in_the_window(make_napari_viewer_proxy, tmp_path):
    viewer = make_napari_viewer_proxy()
    viewer.add_layer(Layer.create(*slide_layer(disc_slide(400, 300))))
    shapes = viewer.add_shapes([[(0, 0), (10, 20)]], **UM)
    viewer.layers.selection = {shapes}
    viewer.layers.save(str(tmp_path / "a.geojson"), selected=True, plugin=OURS)
    (one,) = st.open_annotations(tmp_path / "a.geojson")
    assert one.box == pytest.approx((0, 0, 20, 40))


def test_label_and_macro_are_left_out(viewer, slide, tmp_path):
    viewer.add_image(stained(40, 50), rgb=True, metadata={"associated": "label"})
    assert save(viewer, tmp_path / "a.ome.zarr") == [str(tmp_path / "a.ome.zarr")]


def test_a_picture_in_px_keeps_its_px(tmp_path, viewer):
    viewer.open(png(tmp_path, stained(90, 120)), plugin=OURS)
    save(viewer, tmp_path / "a.ome.zarr")
    (back,) = opened(tmp_path / "a.ome.zarr").values()
    assert str(back.units[0]) == "pixel"
