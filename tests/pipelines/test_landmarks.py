"""Portal and central regions as QuPath exports them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from arrays import slide_of, stained_ground
from napari_steatosis.core.errors import BadValueError, CannotOpenError
from napari_steatosis.pipelines.landmarks import read_landmarks


def feature(y, x, class_name, side=40):
    ring = [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"objectType": "annotation", "classification": {"name": class_name}},
    }


@pytest.fixture
def slide():
    return slide_of(stained_ground(300, 300), um_per_px=0.5)


def written(folder, *features):
    path = folder / "array.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))
    return path


def test_both_kinds_lie_where_they_were_drawn(tmp_path, slide):
    path = written(tmp_path, feature(20, 20, "Portal tract"), feature(200, 100, "central"),
                   feature(100, 200, "Tumor"))  # fmt: skip
    for place in (path, tmp_path):
        marks = read_landmarks(place, slide)
        assert marks.kinds == ("portal", "central")
        for mask, corner in ((marks.portal, (20, 20)), (marks.central, (200, 100))):
            assert mask.area_mm2 == pytest.approx(400e-6, rel=0.25)
            rows, columns = np.nonzero(mask.values)
            middle = mask.frame.to_um((rows.mean(), columns.mean()))
            np.testing.assert_allclose(middle, (np.array(corner) + 20) * 0.5, atol=2)


def test_points_stand_for_small_vessels(tmp_path, slide):
    point = feature(0, 0, "Central vein")
    point["geometry"] = {"type": "MultiPoint", "coordinates": [[100.5, 40.5], [200.5, 60.5]]}
    marks = read_landmarks(written(tmp_path, point, feature(9, 9, "portal")), slide)
    assert marks.kinds == ("portal", "central")
    rows, columns = np.nonzero(marks.central.values)
    places = marks.central.frame.to_um(np.stack([rows, columns], axis=1))
    for y, x in ((20, 50), (30, 100)):
        near = np.abs(places - (y, x)).max(1) < 10
        assert marks.central.frame.um2_per_px * near.sum() == pytest.approx(64)
        np.testing.assert_allclose(places[near].mean(0), (y, x), atol=2)


def test_one_kind_alone(tmp_path, slide):
    assert read_landmarks(written(tmp_path, feature(9, 9, "PORTAL")), slide).kinds == ("portal",)


def test_without_either_the_classes_there_are_named(tmp_path, slide):
    path = written(tmp_path, feature(9, 9, "Tumor"))
    with pytest.raises(BadValueError, match=r"class 'portal' or 'central'.*Classes there: Tumor"):
        read_landmarks(path, slide)


def test_a_folder_without_a_file_for_the_slide(tmp_path, slide):
    with pytest.raises(CannotOpenError, match="has no annotations of array"):
        read_landmarks(tmp_path, slide)
