"""Everything that QuPath writes or wrote comes in; nothing else does, and nothing breaks."""

from __future__ import annotations

import gzip
import json
import math
import tracemalloc

import numpy as np
import pytest

from napari_steatosis.core.annotation import Annotation, Annotations
from napari_steatosis.core.errors import CannotOpenError
from napari_steatosis.io import annotations, open_annotations
from napari_steatosis.io.write import write

RING = [[10, 20], [40, 20], [40, 30], [10, 30], [10, 20]]
HOLE = [[12, 22], [20, 22], [20, 28], [12, 28], [12, 22]]
SQUARE = {"type": "Polygon", "coordinates": [RING]}
UUID = "0b9e9b0e-6b3a-4c79-8f3a-2f9b6f4d9a01"


def feature(geometry=SQUARE, **properties):
    return {"type": "Feature", "id": UUID, "geometry": geometry, "properties": properties}


@pytest.fixture
def opened(tmp_path):
    """Open a value as JSON, or bytes as they are."""

    def open_as(value, name="a.geojson"):
        path = tmp_path / name
        path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
        return open_annotations(path)

    return open_as


def test_columns_from_the_corner_become_rows_from_the_centre(opened):
    (one,) = opened(feature())
    assert one.box == (19.5, 9.5, 29.5, 39.5)
    assert one.parts[0][0].tolist()[:2] == [[19.5, 9.5], [19.5, 39.5]]


@pytest.mark.parametrize(
    "whole",
    [
        {"type": "FeatureCollection", "features": [feature(), feature()]},
        {"features": [feature(), feature()], "type": "FeatureCollection", "bbox": [0, 0, 1, 1]},
        {"type": "FeatureCollection", "crs": {"a": [{"b": "]}"}]}, "features": [feature()] * 2},
        [feature(), feature()],
        [SQUARE, feature()],
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_every_wrapping_is_read(opened, whole, indent):
    found = opened(json.dumps(whole, indent=indent).encode())
    assert [one.box for one in found] == [(19.5, 9.5, 29.5, 39.5)] * 2


@pytest.mark.parametrize("alone", [feature(), SQUARE])
def test_one_feature_or_geometry_needs_no_wrapping(opened, alone):
    (one,) = opened(alone)
    assert one.shape == "polygon"


def test_nothing_is_in_an_empty_collection(opened):
    assert len(opened({"type": "FeatureCollection", "features": []})) == 0
    assert len(opened([])) == 0


@pytest.mark.parametrize("name", ["a.geojson.gz", "a.geojson", "a.json"])
def test_the_content_says_whether_it_is_compressed(opened, name):
    assert len(opened(gzip.compress(json.dumps([feature()]).encode()), name)) == 1
    assert len(opened([feature()], name)) == 1


def test_a_byte_order_mark_is_no_content(opened):
    assert len(opened(b"\xef\xbb\xbf" + json.dumps([feature()]).encode())) == 1


@pytest.mark.parametrize(
    ("kind", "coordinates", "shape", "points"),
    [
        ("Polygon", [RING, HOLE], "polygon", [[5, 5]]),
        ("MultiPolygon", [[RING, HOLE], [RING]], "polygon", [[5, 5], [5]]),
        ("LineString", RING, "line", [[5]]),
        ("MultiLineString", [RING, RING[:2]], "line", [[5], [2]]),
        ("Point", RING[0], "points", [[1]]),
        ("MultiPoint", RING[:3], "points", [[3]]),
        ("Point", [10, 20, 0], "points", [[1]]),
    ],
)
def test_every_geometry_is_read(opened, kind, coordinates, shape, points):
    (one,) = opened(feature({"type": kind, "coordinates": coordinates}))
    assert one.shape == shape
    assert [[len(ring) for ring in part] for part in one.parts] == points
    assert one.parts[0][0][0].tolist() == [19.5, 9.5]


def test_a_collection_gives_one_annotation_per_kind_of_geometry(opened):
    point = {"type": "Point", "coordinates": [1, 2]}
    inner = {"type": "GeometryCollection", "geometries": [SQUARE, point]}
    whole = {"type": "GeometryCollection", "geometries": [SQUARE, point, inner]}
    polygon, points = opened(feature(whole, classification={"name": "Tumor"}))
    assert (len(polygon.parts), points.parts[0][0].tolist()) == (2, [[1.5, 0.5]] * 2)
    assert (polygon.identity, points.identity) == (UUID, "")
    assert polygon.class_name == points.class_name == "Tumor"


@pytest.mark.parametrize(
    ("classification", "name", "colour"),
    [
        ({"name": "Tumor", "color": [200, 0, 0]}, "Tumor", (200, 0, 0)),
        ({"name": "Tumor", "colorRGB": -3670016}, "Tumor", (200, 0, 0)),
        ({"name": "Tumor", "colorRGB": -1}, "Tumor", (255, 255, 255)),
        ({"names": ["Immune cells", "CD8"], "color": [1, 2, 3]}, "Immune cells: CD8", (1, 2, 3)),
        ({"name": "Stroma"}, "Stroma", None),
        ("Stroma", "Stroma", None),
        (["CD3", "CD8"], "CD3: CD8", None),
        (None, "", None),
    ],
)
def test_every_way_to_name_a_class(opened, classification, name, colour):
    (one,) = opened(feature(classification=classification))
    assert (one.class_name, one.colour) == (name, colour)


def test_an_object_without_a_class_keeps_its_own_colour(opened):
    (one, other) = opened([feature(color=[9, 8, 7]), feature(color=-16776961)])
    assert (one.colour, other.colour) == ((9, 8, 7), (0, 0, 255))


@pytest.mark.parametrize(
    "measurements",
    [
        b'{"Area": 2.5, "Mean": NaN, "Max": Infinity, "Min": -Infinity, "Void": null}',
        b'{"Area": 2.5, "Mean": "NaN", "Max": "Infinity", "Min": "-Infinity"}',
        b'[{"name":"Area","value":2.5},{"name":"Mean","value":NaN},'
        b'{"name":"Max","value":Infinity},{"name":"Min","value":-Infinity}]',
    ],
)
def test_measurements_of_old_and_new_versions(opened, measurements):
    text = json.dumps(feature(measurements="HERE")).encode()
    (one,) = opened(text.replace(b'"HERE"', measurements))
    assert (one.measurements["Area"], one.measurements["Max"]) == (2.5, math.inf)
    assert math.isnan(one.measurements["Mean"])
    assert one.measurements["Min"] == -math.inf
    assert len(one.measurements) == 4


@pytest.mark.parametrize(
    ("properties", "kind"),
    [
        ({"objectType": "detection"}, "detection"),
        ({"object_type": "tile"}, "tile"),
        ({"type": "cell"}, "cell"),
        ({"objectType": "tmaCore"}, "annotation"),
        ({}, "annotation"),
    ],
)
def test_object_types(opened, properties, kind):
    (one,) = opened(feature(**properties))
    assert (one.kind, one.identity) == (kind, UUID)


def test_version_02_wrote_the_type_as_identity(opened):
    (one,) = opened({**feature(), "id": "PathDetectionObject"})
    assert (one.kind, one.identity) == ("detection", "")


def test_name_lock_and_nucleus(opened):
    cell = feature(objectType="cell", name="One", isLocked=True)
    cell["nucleusGeometry"] = {"type": "Polygon", "coordinates": [HOLE]}
    (one,) = opened(cell)
    assert (one.name, one.locked) == ("One", True)
    assert one.nucleus[0][0][0].tolist() == [21.5, 11.5]


def test_objects_inside_others_follow_them(opened):
    child = feature(name="child", children=[feature(name="grandchild")])
    root = {**feature(childObjects=[child, feature(name="second")]), "id": "PathRootObject"}
    found = opened({"type": "FeatureCollection", "features": [{**root, "geometry": None}]})
    assert [one.name for one in found] == ["child", "grandchild", "second"]
    assert found.left_out == ()


@pytest.mark.parametrize("geometry", [None, {"type": "Polygon", "coordinates": [[]]}])
def test_what_has_no_place_is_left_out_and_said(opened, geometry):
    found = opened([feature(), feature(geometry)])
    assert len(found) == 1
    assert found.left_out == ("Feature 2: it has no geometry.",)


def test_a_ring_that_is_not_closed_is_closed(opened):
    (one,) = opened(feature({"type": "Polygon", "coordinates": [RING[:-1]]}))
    (closed,) = opened(feature())
    assert np.array_equal(one.parts[0][0], closed.parts[0][0])


def test_classes_are_counted(opened):
    names = ["Tumor", "Stroma", "Tumor"]
    found = opened([feature(classification={"name": name}) for name in names])
    assert found.classes == {"Tumor": 2, "Stroma": 1}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (feature({"type": "Polygon", "coordinates": [RING[:2]]}), "has 2 point"),
        (feature({"type": "Polygon", "coordinates": [[*RING[:2], RING[0]]]}), "has 2 corners"),
        (feature({"type": "Polygon", "coordinates": [[[0, math.nan]] * 4]}), "not finite"),
        (feature({"type": "Polygon", "coordinates": [[[0, math.inf]] * 4]}), "not finite"),
        (feature({"type": "Polygon", "coordinates": [[[0, 1e300]] * 4]}), "beyond 1e"),
        (feature({"type": "Polygon", "coordinates": [[[0, 10**400]] * 4]}), "list of"),
        (feature({"type": "Polygon", "coordinates": [[[0, 1], [2]]]}), r"\[x, y\]"),
        (feature({"type": "Polygon", "coordinates": [[[0, {}]] * 4]}), r"\[x, y\]"),
        (feature({"type": "Polygon", "coordinates": [[[0, None]] * 4]}), "not finite"),
        (feature({"type": "Polygon", "coordinates": "here"}), "'here', not a list"),
        (feature({"type": "Polygon"}), "None, not a list"),
        (feature({"type": "Circle", "coordinates": [1, 2]}), "'Circle', not one of Polygon"),
        (feature({"type": "LineString", "coordinates": [[1, 2]]}), "at least 2"),
        (feature([1, 2]), "a list of 2, not a JSON object"),
        (feature(measurements={"Area": "large"}), "'Area' is 'large', not a number"),
        (feature(measurements={"Area": [1]}), "a list of 1, not a number"),
        (feature(measurements={"Area": 10**400}), "too many digits"),
        (feature(measurements=[3]), "a measurement is 3"),
        (feature(classification={"name": "T", "color": [0, 0, 256]}), "from 0 to 255"),
        (feature(classification={"name": "T", "color": "red"}), "'red', neither"),
        (feature(classification=7), '"classification" is 7'),
        (feature(classification={"name": {}}), "not a text"),
        (feature(childObjects={"a": 1}), '"childObjects" is an object of 1'),
        (feature(childObjects=[3]), "a feature is 3"),
        ({"type": "Topology"}, "'Topology', not \"Feature\""),
        ({}, 'its "type" is None'),
        ("text", "a feature is 'text'"),
    ],
)
def test_what_is_wrong_is_named_with_its_feature(opened, tmp_path, value, message):
    with pytest.raises(CannotOpenError, match=message) as error:
        opened([feature(), value])
    assert str(error.value).startswith(f"{tmp_path / 'a.geojson'}: feature 2: ")
    assert "QuPath" in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"  \n", "it is empty"),
        (b"minx,miny\n1,2\n", "begins with 'm'"),
        (b"II*\0", "begins with 'I'"),
        (b"\xff\xfe{\0}\0", "0xff is not UTF-8"),
        (b'{"type":"FeatureCollection","features":[', "Expecting value"),
        (json.dumps([feature()]).encode()[:-9], "after 0 feature"),
        (json.dumps([feature()] * 2).encode()[:-9], "after 1 feature"),
        (json.dumps(feature()).encode() + b"\n" + json.dumps(feature()).encode(), "more after"),
        (b'{"features":[] "type":1}', "',' is missing before '\"'"),
        (b"{1:2}", "a name in quotes"),
        (b"[" * 300_000, "nested too deeply"),
        (b'{"a":' * 300_000, "nested too deeply"),
        (b"[" + b"9" * 100_000 + b"]", "digits"),
        (
            gzip.compress(json.dumps([feature()] * 99).encode(), mtime=0)[:-30],
            "damaged or end early",
        ),
        (gzip.compress(b"[]", mtime=0)[:6] + b"\xff" * 40, "damaged or end early"),
    ],
)
def test_what_is_no_geojson_is_refused(opened, content, message):
    with pytest.raises(CannotOpenError, match=message):
        opened(content)


def test_nested_collections_do_not_overflow_the_stack(opened):
    geometry = SQUARE
    for _ in range(150):
        geometry = {"type": "GeometryCollection", "geometries": [geometry]}
    assert len(opened(feature(geometry))) == 1


def test_a_folder_or_nothing_is_refused(tmp_path):
    with pytest.raises(CannotOpenError, match="no such file"):
        open_annotations(tmp_path / "none.geojson")
    with pytest.raises(CannotOpenError, match="cannot be read"):
        open_annotations(tmp_path)


@pytest.mark.parametrize(
    ("begin", "filling"), [(b"[", b" "), (b'["', b"a"), (b"[[", b"[],"), (b'{"a":"', b"a")]
)
def test_a_small_file_that_unpacks_to_very_much_is_refused(opened, monkeypatch, begin, filling):
    """With limits of a sixty-fourth, to be quick."""
    for limit in ("MOST_FEATURE_CHARACTERS", "UNSUSPECTED_BYTES"):
        monkeypatch.setattr(annotations, limit, getattr(annotations, limit) // 64)
    bomb = gzip.compress(begin + filling * (5 * 2**20 // len(filling)), 9)
    tracemalloc.start()
    with pytest.raises(CannotOpenError, match=r"more than \d+ bytes|longer than \d+ characters"):
        opened(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 2**30 / 64


@pytest.mark.parametrize("cut", [1, 7, 50, 10**6])
def test_where_the_text_is_cut_while_reading_does_not_matter(opened, monkeypatch, cut):
    monkeypatch.setattr("napari_steatosis.io.annotations.CHUNK_BYTES", cut)
    whole = [feature(measurements={"Größe µm": -1.5e3}, name='Ring "a" \\'), feature()]
    first, second = opened(json.dumps(whole, ensure_ascii=False, indent=1).encode())
    assert (first.name, first.measurements) == ('Ring "a" \\', {"Größe µm": -1500})
    assert second.box == (19.5, 9.5, 29.5, 39.5)


def ring(*corners):
    return np.array([*corners, corners[0]], float)


EVERYTHING = (
    Annotation(
        "polygon",
        (
            (ring((0, 0), (0, 90.25), (70, 90)), ring((5, 20), (5, 60), (30, 60))),
            (ring((200, 0), (200, 9), (210, 9), (210, 0)),),
        ),
        name='Größe "1"',
        class_name="Immune cells: CD8",
        colour=(1, 2, 255),
        measurements={"Area µm^2": 1 / 3},
        locked=True,
        identity=UUID,
    ),
    Annotation("line", ((np.array([[1.5, 2.0], [3, 4]]),), (np.array([[0.0, 1], [7, 8]]),))),
    Annotation("line", ((np.array([[1.5, 2.0], [3, 4]]),),), kind="detection", colour=(3, 2, 1)),
    Annotation("points", ((np.array([[1.0, 2.0], [3, 4]]),),), class_name="Mitosis"),
    Annotation("points", ((np.array([[1.0, 2.0]]),),), kind="tile"),
    Annotation(
        "polygon",
        ((ring((0, 0), (0, 9), (9, 9)),),),
        kind="cell",
        nucleus=((ring((1, 3), (1, 5), (3, 5)),),),
    ),
)


@pytest.mark.parametrize("suffix", [".geojson", ".geojson.gz"])
def test_what_is_written_comes_back(tmp_path, suffix):
    (path,) = write(Annotations(EVERYTHING), tmp_path / f"a{suffix}")
    found = open_annotations(path)
    assert found.path == str(path)
    for one, back in zip(EVERYTHING, found, strict=True):
        for name in ("shape", "kind", "name", "class_name", "colour", "measurements", "locked"):
            assert getattr(back, name) == getattr(one, name)
        for mine, theirs in ((one.parts, back.parts), (one.nucleus, back.nucleus)):
            assert [len(part) for part in mine] == [len(part) for part in theirs]
            for a, b in zip(sum(mine, ()), sum(theirs, ()), strict=True):
                assert np.allclose(a, b, rtol=0, atol=0.005)
    assert found.items[0].identity == UUID
    assert len({one.identity for one in found}) == len(EVERYTHING)
    (again,) = write(found, tmp_path / f"b{suffix}")
    assert again.read_bytes() == path.read_bytes()
