from __future__ import annotations

import gzip
import json
import math
import uuid

import numpy as np
import pytest

from class_maps import apart, crowd, drawn, on_slide, prediction_of
from napari_steatosis.core.annotation import Annotation, Annotations
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.report import Report
from napari_steatosis.io import geojson_size, open_annotations
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


def check_schema(feature):
    """What QuPath's own reader takes, and no member besides."""
    assert set(feature) == {"type", "id", "geometry", "properties"}
    assert feature["type"] == "Feature"
    assert str(uuid.UUID(feature["id"])) == feature["id"]
    assert set(feature["geometry"]) == {"type", "coordinates"}
    for ring in feature["geometry"]["coordinates"]:
        assert len(ring) >= 4
        assert ring[0] == ring[-1]
        assert all(len(point) == 2 for point in ring)
        assert all(round(value, 2) == value for point in ring for value in point)
    properties = dict(feature["properties"])
    assert properties.pop("objectType") in {"annotation", "detection"}
    assert isinstance(properties.pop("name", ""), str)
    assert properties.pop("isLocked", True) is True
    colours = [properties.pop("color", [0, 0, 0])]
    if (classification := properties.pop("classification", None)) is not None:
        assert isinstance(classification.pop("name"), str)
        colours.append(classification.pop("color"))
        assert classification == {}
    assert all(isinstance(v, int) and 0 <= v <= 255 for rgb in colours for v in rgb)
    assert all(len(rgb) == 3 for rgb in colours)
    numbers = properties.pop("measurements", {})
    assert all(isinstance(k, str) and math.isfinite(v) for k, v in numbers.items())
    assert properties == {}


def test_every_feature_keeps_to_the_schema(report, tmp_path):
    for feature in features(*write(report, tmp_path / "slide.geojson")):
        check_schema(feature)


def rings_and_chains():
    """Fat with holes, with pixels that meet at a corner only, and with a ring in a ring."""
    classes = np.ones((120, 160), np.uint8)
    rows, columns = np.ogrid[:120, :160]
    for reach in (40, 30, 20, 10):
        inside = (rows - 60) ** 2 + (columns - 60) ** 2 <= reach**2
        classes[inside] = 2 if reach in (40, 20) else 1
    classes[10:40, 120:150] = np.kron(np.indices((3, 3)).sum(0) % 2, np.ones((10, 10), int)) + 1
    return classes


@pytest.mark.parametrize(
    "classes", [rings_and_chains(), drawn(400, 400, crowd(400, 400, 200))], ids=["holes", "crowd"]
)
def test_an_independent_reader_finds_valid_polygons_of_the_measured_area(classes, tmp_path):
    shapely = pytest.importorskip("shapely")
    report = measure(on_slide(classes), smallest_um2=0)
    found = droplets(*write(report, tmp_path / "slide.geojson"))
    shapes = [shapely.geometry.shape(one["geometry"]) for one in found]
    assert all(shape.is_valid for shape in shapes)
    areas = [one["properties"]["measurements"]["Area µm^2"] for one in found]
    assert [shape.area * 0.0625 for shape in shapes] == pytest.approx(areas, abs=6e-4)
    fat = np.count_nonzero(classes == 2) * 0.25
    assert sum(areas) == pytest.approx(fat, abs=1e-3 * len(areas))


def test_what_is_written_is_read_back_with_classes_and_measurements(report, tmp_path):
    (path,) = write(report, tmp_path / "slide.geojson.gz")
    tissue, *found = open_annotations(path)
    assert (tissue.kind, tissue.name, tissue.locked) == ("annotation", "Analysed tissue", True)
    table = report.tables["droplets"]
    sizes = {"Fat droplet: macro": "macro", "Fat droplet: micro": "micro"}
    for one in found:
        (row,) = np.flatnonzero(table["id"] == one.measurements["Droplet"])
        assert sizes[one.class_name] == table["size_class"][row]
        assert one.measurements["Roundness"] == pytest.approx(table["roundness"][row], abs=5e-4)
        # The slide has two pixels per pixel of the class map.
        y, x, y_end, x_end = one.box
        assert y < table["y_px"][row] * 2 + 0.5 < y_end
        assert x < table["x_px"][row] * 2 + 0.5 < x_end


def test_measurements_that_are_not_finite_are_left_out(tmp_path):
    spot = np.zeros((1, 2))
    marks = Annotations((Annotation("points", ((spot,),), measurements={"a": math.nan, "b": 2.0}),))
    (feature,) = features(*write(marks, tmp_path / "marks.geojson"))
    assert feature["properties"] == {"objectType": "annotation", "measurements": {"b": 2.0}}


def test_equal_annotations_without_identity_get_different_ones(tmp_path):
    spots = Annotations((Annotation("points", ((np.zeros((1, 2)),),)),) * 2500)
    (path,) = write(spots, tmp_path / "spots.geojson")
    assert len({feature["id"] for feature in features(path)}) == 2500


def test_progress_is_told_after_every_thousand_and_at_the_end(tmp_path):
    spots = Annotations((Annotation("points", ((np.zeros((1, 2)),),)),) * 2500)
    told = []
    write(spots, tmp_path / "spots.geojson.gz", on_feature=lambda *counts: told.append(counts))
    assert told == [(1000, 2500), (2000, 2500), (2500, 2500)]


@pytest.mark.parametrize("suffix", [".geojson", ".geojson.gz"])
def test_a_stop_while_writing_leaves_nothing(tmp_path, suffix):
    def stop(done, total):
        raise KeyboardInterrupt

    spots = Annotations((Annotation("points", ((np.zeros((1, 2)),),)),) * 2500)
    with pytest.raises(KeyboardInterrupt):
        write(spots, tmp_path / f"spots{suffix}", on_feature=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "discs",
    [crowd(2500, 3000, 3000), [*apart(5, 50, 60), *crowd(2500, 3000, 900, seed=4)], DISCS[:3], []],
    ids=["crowd", "mixed", "three", "none"],
)
def test_the_size_is_known_within_15_percent_before_writing(tmp_path, discs):
    report = measure(on_slide(drawn(2500, 3000, discs)))
    (path,) = write(report, tmp_path / "slide.geojson")
    assert geojson_size(report) == pytest.approx(path.stat().st_size, rel=0.15)
    annotations = open_annotations(path)
    assert geojson_size(annotations) == pytest.approx(path.stat().st_size, rel=0.15)


def test_the_size_of_nothing_and_of_what_cannot_be_written():
    assert geojson_size(Annotations(())) < 100
    with pytest.raises(BadValueError, match="no outlines"):
        geojson_size(Report("slide", ()))
