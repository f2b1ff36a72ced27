from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManager

from discs import disc_slide
from made_annotations import FEATURES, TISSUE, feature, geojson, ring
from made_slides import aperio, stained
from napari_steatosis._napari import annotation_layers
from napari_steatosis._napari.annotation_layers import keyhole, rings_of
from napari_steatosis.core.errors import CannotOpenError
from napari_steatosis.io.write import write

OURS = "napari-steatosis"


@pytest.fixture(autouse=True)
def discovered():
    PluginManager.instance().discover()


def test_geojson_opens_as_shapes_and_points_with_classes_and_colours(tmp_path):
    viewer = ViewerModel()
    shapes, points = viewer.open(geojson(tmp_path), plugin=OURS)
    assert shapes.shape_type == ["polygon", "polygon", "polygon", "path"]
    assert list(shapes.features["class"]) == ["Tissue", "", "", ""]
    assert list(shapes.features["name"]) == ["", "two", "two", ""]
    assert shapes.features["Area µm^2"][0] == 9900
    assert shapes.edge_color[0] == pytest.approx((0, 120 / 255, 1, 1))
    assert shapes.face_color[0][3] < 0.5
    # QuPath counts from the corner of a pixel, columns first; napari from its centre, rows first.
    assert shapes.data[0].min(0) == pytest.approx((39.5, 99.5))
    assert list(points.features["class"]) == ["Mitosis", "Mitosis"]
    assert points.data == pytest.approx(np.array([(4.5, 6.5), (5.5, 7.5)]))


def test_a_hole_is_not_filled(tmp_path):
    shapes = ViewerModel().open(geojson(tmp_path), plugin=OURS)[0]
    mask = shapes.to_masks(mask_shape=(300, 400))[0]
    assert mask[100, 200]
    assert not mask[70, 160]  # in the hole
    assert mask.sum() == pytest.approx(200 * 200 - 20 * 20, rel=0.02)


def test_rings_come_out_of_a_keyhole_as_they_went_in():
    rings = [np.array(ring(0, 0, 90)), np.array(ring(5, 5, 9)), np.array(ring(30, 5, 9))]
    for count in (1, 2, 3):
        back = rings_of(keyhole(rings[:count]))
        assert all(np.array_equal(a, b) for a, b in zip(back, rings[:count], strict=True))


def test_a_keyhole_with_a_corner_moved_is_one_ring():
    corners = keyhole([np.array(ring(0, 0, 90)), np.array(ring(5, 5, 9))])
    corners[6] += 1
    corners[4] += 1
    (only,) = rings_of(corners)
    assert np.array_equal(only[0], only[-1])


def test_annotations_lie_on_the_slide_of_their_name_that_is_open(
    tmp_path, make_napari_viewer_proxy
):
    viewer = make_napari_viewer_proxy()
    (image,) = viewer.open(aperio(tmp_path, stained(300, 400)), plugin=OURS)
    viewer.open(write(disc_slide(), tmp_path / "other.ome.zarr")[0], plugin=OURS)
    image.translate = (10, 20)
    for layer in viewer.open(geojson(tmp_path), plugin=OURS):
        assert tuple(layer.scale) == (0.5, 0.5)
        assert tuple(layer.translate) == (10, 20)
        assert layer.units == image.units


def test_very_many_outlines_are_labels(tmp_path, monkeypatch):
    monkeypatch.setattr(annotation_layers, "MOST_SHAPES", 3)
    squares = [feature("Polygon", [ring(50 * n, 5, 20)], classification=TISSUE) for n in range(4)]
    viewer = ViewerModel()
    labels, line = viewer.open(geojson(tmp_path, [*squares, FEATURES[2]]), plugin=OURS)
    assert type(labels).__name__ == "Labels"
    assert list(labels.features["class"]) == ["Tissue"]
    assert labels.get_color(1)[:3] == pytest.approx((0, 120 / 255, 1), abs=0.01)
    drawn = np.asarray(labels.data)
    assert drawn.shape == (40, 170)
    assert drawn[10, 60] == 1
    assert drawn.sum() == 4 * 20 * 20
    assert line.shape_type == ["path"]


@pytest.mark.parametrize("text", ["", "{}", "[1, 2", '{"type": "FeatureCollection"}'])
def test_what_is_no_geojson_is_one_clear_error(tmp_path, text):
    path = tmp_path / "broken.geojson"
    path.write_text(text)
    with pytest.raises(CannotOpenError, match=r"broken\.geojson"):
        ViewerModel().open(path, plugin=OURS)


def test_a_file_without_any_annotation_says_so(tmp_path):
    with pytest.raises(CannotOpenError, match="no annotation"):
        ViewerModel().open(geojson(tmp_path, []), plugin=OURS)
