"""Annotations from features of GeoJSON, as every version of QuPath wrote them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.annotation import KINDS, Annotation, Parts, Rgb, Shape
from ...core.errors import BadValueError
from .encode import CORNER_TO_CENTRE_PX

FARTHEST_PX = 1e9
"""No slide is as large, so larger coordinates are not px."""

LEGACY_KINDS = {
    "PathAnnotationObject": "annotation",
    "PathDetectionObject": "detection",
    "PathCellObject": "cell",
    "PathTileObject": "tile",
    "PathRootObject": "root",
}
"""What QuPath 0.2 wrote in place of an identity."""

SHAPES: dict[str, Shape] = {
    "Polygon": "polygon",
    "MultiPolygon": "polygon",
    "LineString": "line",
    "MultiLineString": "line",
    "Point": "points",
    "MultiPoint": "points",
}
GEOMETRIES = (*SHAPES, "GeometryCollection")
NOT_FINITE = ("NaN", "Infinity", "-Infinity")


def annotations_of(value: Any) -> Iterator[Annotation | str]:
    """Yield the annotations of a feature and its children, or of a bare geometry.

    Yields
    ------
    Annotation or str
        A str says why an object is left out: it has no place on the slide.

    Raises
    ------
    BadValueError
        With what was seen, where it is not a feature.
    """
    waiting = [value]
    while waiting:
        feature = _object(waiting.pop(), "a feature")
        if feature.get("type") in GEOMETRIES:
            feature = {"type": "Feature", "geometry": feature}
        if feature.get("type") != "Feature":
            raise BadValueError(f'its "type" is {_seen(feature.get("type"))}, not "Feature"')
        properties = _object(feature.get("properties") or {}, '"properties"')
        children = properties.get("childObjects", properties.get("children")) or []
        waiting.extend(reversed(_list(children, '"childObjects"')))
        yield from _own(feature, properties)


def _own(feature: dict[str, Any], properties: dict[str, Any]) -> Iterator[Annotation | str]:
    identity, kind = _identity_and_kind(feature, properties)
    if kind == "root":
        return
    geometry = feature.get("geometry")
    found = [] if geometry is None else _geometry(geometry)
    if not found:
        yield "it has no geometry"
    class_name, class_colour = _classification(properties.get("classification"))
    colour = class_colour or _colour(properties.get("color"), properties.get("colorRGB"))
    nucleus = feature.get("nucleusGeometry")
    for number, (shape, parts) in enumerate(found):
        yield Annotation(
            shape,
            parts,
            kind=kind,
            name=_text(properties.get("name"), '"name"'),
            class_name=class_name,
            colour=colour,
            measurements=_measurements(properties.get("measurements")),
            locked=properties.get("isLocked") is True,
            identity="" if number else identity,  # an identity belongs to one object
            nucleus=_nucleus(nucleus) if nucleus is not None and not number else (),
        )


def _identity_and_kind(feature: dict[str, Any], properties: dict[str, Any]) -> tuple[str, str]:
    identity = _text(feature.get("id"), '"id"')
    if identity in LEGACY_KINDS or identity == "TMACoreObject":
        identity, named = "", identity
    else:
        kinds = (properties.get(key) for key in ("objectType", "object_type", "type"))
        named = _text(next((kind for kind in kinds if kind is not None), ""), '"objectType"')
    kind = LEGACY_KINDS.get(named, named)
    # As in QuPath, where what is unknown becomes an annotation.
    return identity, kind if kind in (*KINDS, "root") else "annotation"


def _geometry(value: Any) -> list[tuple[Shape, Parts]]:
    """Return shape and parts; a collection gives one entry per shape that it holds."""
    parts: dict[Shape, list[tuple[NDArray[np.float64], ...]]] = {}
    waiting = [value]
    while waiting:
        geometry = _object(waiting.pop(), '"geometry"')
        kind = geometry.get("type")
        if kind == "GeometryCollection":
            waiting.extend(reversed(_list(geometry.get("geometries"), '"geometries"')))
        elif kind in SHAPES:
            found = _parts(kind, _list(geometry.get("coordinates"), f"the coordinates of a {kind}"))
            if found:
                parts.setdefault(SHAPES[kind], []).extend(found)
        else:
            raise BadValueError(
                f"its geometry has the type {_seen(kind)}, not one of {', '.join(GEOMETRIES)}"
            )
    if len(points := parts.get("points", [])) > 1:
        parts["points"] = [(np.concatenate([array for (array,) in points]),)]
    return [(shape, tuple(pieces)) for shape, pieces in parts.items()]


def _parts(kind: str, coordinates: list[Any]) -> list[tuple[NDArray[np.float64], ...]]:
    if not coordinates or coordinates == [[]]:
        return []
    if kind == "Polygon":
        return [_polygon(coordinates)]
    if kind == "MultiPolygon":
        return [_polygon(_list(one, "a piece of a MultiPolygon")) for one in coordinates if one]
    if kind == "LineString":
        return [(_points(coordinates, "a LineString", 2),)]
    if kind == "MultiLineString":
        return [(_points(one, "a MultiLineString", 2),) for one in coordinates]
    points = [coordinates] if kind == "Point" else coordinates
    return [(_points(points, f"a {kind}", 1),)]


def _polygon(rings: list[Any]) -> tuple[NDArray[np.float64], ...]:
    return tuple(_ring(ring, number) for number, ring in enumerate(rings))


def _ring(value: Any, number: int) -> NDArray[np.float64]:
    what = "the outer ring of a polygon" if number == 0 else f"hole {number} of a polygon"
    points = _points(value, what, 3)
    if (points[0] != points[-1]).any():  # some programs leave the last corner out
        points = np.concatenate([points, points[:1]])
    if len(points) < 4:
        raise BadValueError(f"{what} has {len(points) - 1} corners, and needs at least 3")
    return points


def _points(value: Any, what: str, least: int) -> NDArray[np.float64]:
    """Return (x, y) from the corner of a pixel as (row, column) from its centre."""
    try:
        points = np.array(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1] < 2:
        raise BadValueError(f"{what} is {_seen(value)}, not a list of [x, y]")
    if len(points) < least:
        raise BadValueError(f"{what} has {len(points)} point(s), and needs at least {least}")
    if not np.abs(points[:, :2]).max() <= FARTHEST_PX:
        raise BadValueError(
            f"{what} has coordinates that are not finite, or beyond {FARTHEST_PX:g} px"
        )
    placed: NDArray[np.float64] = np.subtract(points[:, 1::-1], CORNER_TO_CENTRE_PX, order="C")
    return placed


def _nucleus(value: Any) -> Parts:
    found = dict(_geometry(value))
    return found.get("polygon", ())


def _classification(value: Any) -> tuple[str, Rgb | None]:
    if value is None:
        return "", None
    if isinstance(value, str):
        return sys.intern(value), None
    if isinstance(value, list):
        value = {"names": value}
    held = _object(value, '"classification"')
    names = _list(held.get("names") or [], 'the "names" of a class')
    name = ": ".join(_text(one, "a class name") for one in names) or _text(
        held.get("name"), "the name of a class"
    )
    return sys.intern(name), _colour(held.get("color"), held.get("colorRGB"))


def _colour(listed: Any, packed: Any) -> Rgb | None:
    if isinstance(listed, list) and len(listed) == 3:
        if all(isinstance(one, int | float) and one in range(256) for one in listed):
            return _rgb(*map(int, listed))
        raise BadValueError(f"a colour is {_seen(listed)}, not three whole numbers from 0 to 255")
    number = packed if listed is None else listed
    if number is None:
        return None
    if not isinstance(number, int) or not -(2**31) <= number < 2**32:
        raise BadValueError(f"a colour is {_seen(number)}, neither [r, g, b] nor a 32-bit number")
    return _rgb(number >> 16 & 255, number >> 8 & 255, number & 255)


@lru_cache(maxsize=4096)
def _rgb(red: int, green: int, blue: int) -> Rgb:
    return red, green, blue  # one value for all the objects of a class


def _measurements(value: Any) -> dict[str, float]:
    if value is None:
        return {}
    if isinstance(value, list):
        pairs = [_object(one, "a measurement") for one in value]
        value = {
            _text(one.get("name"), "the name of a measurement"): one.get("value") for one in pairs
        }
    numbers = {}
    for name, number in _object(value, '"measurements"').items():
        if number is None:
            continue
        if not isinstance(number, int | float) and number not in NOT_FINITE:
            raise BadValueError(f"the measurement {_seen(name)} is {_seen(number)}, not a number")
        try:
            numbers[sys.intern(name)] = float(number)
        except OverflowError:
            raise BadValueError(f"the measurement {_seen(name)} has too many digits") from None
    return numbers


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadValueError(f"{what} is {_seen(value)}, not a JSON object")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadValueError(f"{what} is {_seen(value)}, not a list")
    return value


def _text(value: Any, what: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadValueError(f"{what} is {_seen(value)}, not a text")
    return str(value)


def _seen(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    if isinstance(value, int) and abs(value) > 2**64:
        return "a number of many digits"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
