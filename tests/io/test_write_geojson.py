from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from class_maps import apart, crowd, drawn, on_slide, prediction_of
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.report import Report
from napari_steatosis.io.write import write
from napari_steatosis.quantify import measure

DISCS = apart(8, 9, 60)


@pytest.fixture(scope="module")
def prediction():
    classes = drawn(480, 540, DISCS)
    classes[:100, :30] = 0
    return on_slide(classes)


@pytest.fixture(scope="module")
def report(prediction):
    return measure(prediction)


def features(path):
    text = path.read_bytes()
    found = json.loads(gzip.decompress(text) if path.suffix == ".gz" else text)
    assert found["type"] == "FeatureCollection"
    return found["features"]


def droplets(path):
    return [f for f in features(path) if f["properties"]["objectType"] == "detection"]


def ring_area(ring):
    x, y = np.array(ring).T
    return 0.5 * float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))


@pytest.mark.parametrize("suffix", [".geojson", ".geojson.gz"])
def test_every_droplet_is_there_with_its_area_in_pixels_of_the_slide(report, tmp_path, suffix):
    (path,) = write(report, tmp_path / f"slide{suffix}")
    table = report.tables["droplets"]
    found = {int(f["properties"]["measurements"]["Droplet"]): f for f in droplets(path)}
    assert sorted(found) == table["id"].tolist()
    for row, number in enumerate(table["id"].tolist()):
        coordinates = found[number]["geometry"]["coordinates"]
        area = abs(ring_area(coordinates[0])) - sum(abs(ring_area(r)) for r in coordinates[1:])
        assert area * 0.0625 == pytest.approx(table["area_um2"][row], rel=1e-6)
        assert found[number]["properties"]["measurements"]["Area µm^2"] == pytest.approx(
            table["area_um2"][row], abs=1e-3
        )


def test_outlines_lie_on_the_droplets_of_the_slide(report, prediction, tmp_path):
    """The slide is drawn at twice the resolution of the class map, pixel for pixel."""
    (path,) = write(report, tmp_path / "slide.geojson")
    height, width = prediction.slide.shape
    rgb = prediction.slide.source.pixels
    painted = np.zeros((height, width), bool)
    from skimage.draw import polygon

    for feature in droplets(path):
        for number, ring in enumerate(feature["geometry"]["coordinates"]):
            x, y = np.array(ring).T
            assert x.min() >= 0
            assert x.max() <= width
            rows, columns = polygon(y - 0.5, x - 0.5, painted.shape)  # corners to centres
            painted[rows, columns] = number == 0
    assert np.array_equal(painted, rgb[..., 0] == 245)


def test_coordinates_count_from_the_corner_of_the_first_pixel_of_the_slide(tmp_path):
    classes = np.ones((60, 80), np.uint8)
    classes[10:20, 30:44] = 2
    (path,) = write(measure(on_slide(classes)), tmp_path / "slide.geojson")
    (droplet,) = droplets(path)
    (ring,) = droplet["geometry"]["coordinates"]
    assert sorted(map(tuple, ring[:-1])) == [(60, 20), (60, 40), (88, 20), (88, 40)]
    assert ring[0] == ring[-1]


def test_each_feature_says_what_it_is(report, tmp_path):
    (path,) = write(report, tmp_path / "slide.geojson")
    tissue, *rest = features(path)
    assert tissue["properties"]["objectType"] == "annotation"
    names = {f["properties"]["classification"]["name"] for f in rest}
    assert names == {"Fat droplet: macro", "Fat droplet: micro"}
    assert all(len(f["properties"]["classification"]["color"]) == 3 for f in rest)
    assert all(f["geometry"]["type"] == "Polygon" for f in rest)


def test_the_tissue_outline_holds_what_was_analysed(report, prediction, tmp_path):
    shapely = pytest.importorskip("shapely")
    (path,) = write(report, tmp_path / "slide.geojson")
    outline = shapely.geometry.shape(features(path)[0]["geometry"])
    analysed = np.count_nonzero(prediction.levels[0]) * 4
    assert outline.area == pytest.approx(analysed, rel=0.01)
    assert not outline.contains(shapely.Point(30, 100))
    assert outline.contains(shapely.Point(500, 500))


def test_the_same_result_gives_the_same_file(report, tmp_path):
    (one,) = write(report, tmp_path / "one.geojson.gz")
    (other,) = write(report, tmp_path / "other.geojson.gz")
    assert one.read_bytes() == other.read_bytes()
    identities = [f["id"] for f in features(one)]
    assert len(set(identities)) == len(identities)


def test_touching_droplets_are_written_one_by_one(tmp_path):
    report = measure(on_slide(drawn(500, 500, crowd(500, 500, 300))))
    (path,) = write(report, tmp_path / "slide.geojson")
    assert len(droplets(path)) == len(report.tables["droplets"]["id"])
    assert report.tables["droplets"]["from_clump"].any()


def test_without_fat_there_is_tissue_only_and_without_tissue_nothing(tmp_path):
    for value, count in ((1, 1), (0, 0)):
        report = measure(on_slide(np.full((200, 200), value, np.uint8)))
        (path,) = write(report, tmp_path / f"{value}.geojson")
        assert len(features(path)) == count


def test_the_pixel_size_of_the_slide_is_never_guessed(tmp_path):
    report = measure(prediction_of(drawn(100, 100, [(50, 50, 20)])))
    with pytest.raises(BadValueError, match="which slide"):
        write(report, tmp_path / "slide.geojson")
    with pytest.raises(BadValueError, match="no outlines"):
        write(Report("slide", ()), tmp_path / "slide.geojson")
    assert list(tmp_path.iterdir()) == []
