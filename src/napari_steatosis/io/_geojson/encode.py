"""Features of QuPath's GeoJSON from annotations: the one encoder.

What QuPath reads and writes is in its ``QuPathTypeAdapters.java`` and ``ROITypeAdapters.java``.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ...core.annotation import Annotation, Parts

HEAD, SEPARATOR, FOOT = b'{"type":"FeatureCollection","features":[\n', b",\n", b"\n]}\n"
"""What stands before, between and after the features of a file."""

DECIMALS = 2
CORNER_TO_CENTRE_PX = 0.5
"""QuPath counts from the corner of a pixel, this program from its centre."""


def encoded(annotations: Sequence[Annotation], first: int = 0) -> list[bytes]:
    """Return annotations as features of GeoJSON, each as UTF-8 on one line.

    Coordinates are (x, y) in px of level 0 from the corner of its first pixel, with two
    decimals. Measurements that are not finite are left out: JSON has no word for them.
    An annotation without an identity gets a UUID that depends on what it holds and on its
    place, which counts from `first`.
    """
    if not annotations:
        return []
    arrays = [ring for one in annotations for ring in _arrays(one)]
    joined = np.concatenate(arrays)[:, ::-1] + CORNER_TO_CENTRE_PX
    corners = np.ascontiguousarray(np.round(joined, DECIMALS))
    ends = np.cumsum([len(array) for array in arrays]).tolist()
    rings = iter([corners[a:b] for a, b in zip([0, *ends], ends, strict=False)])
    return [_line(_feature(one, rings), place) for place, one in enumerate(annotations, first)]


def identities(seed: str) -> Callable[[int], str]:
    """Return what gives the UUID of a number: always the same one, and never one twice.

    Its last 48 bits are the number, the others come from `seed` (version 8 of RFC 9562).

    Examples
    --------
    >>> identities("droplets of a slide")(3)
    '26013e0f-cf79-8d28-8cb0-000000000003'
    """
    text = sha256(seed.encode()).hexdigest()
    head = f"{text[:8]}-{text[8:12]}-8{text[12:15]}-8{text[15:18]}-"
    return lambda number: f"{head}{number:012x}"


def _arrays(one: Annotation) -> Iterator[NDArray[np.float64]]:
    for parts in (one.parts, one.nucleus):
        for part in parts:
            yield from part


def _line(feature: dict[str, Any], place: int) -> bytes:
    if not feature["id"]:
        body = orjson.dumps(feature, option=orjson.OPT_SERIALIZE_NUMPY)
        name = f"{sha256(body).hexdigest()}:{place}"
        feature["id"] = str(uuid.uuid5(uuid.NAMESPACE_OID, name))
    return orjson.dumps(feature, option=orjson.OPT_SERIALIZE_NUMPY)


def _feature(one: Annotation, rings: Iterator[NDArray[np.float64]]) -> dict[str, Any]:
    feature: dict[str, Any] = {
        "type": "Feature",
        "id": one.identity,
        "geometry": _geometry(one.shape, one.parts, rings),
    }
    if one.nucleus:
        feature["nucleusGeometry"] = _geometry("polygon", one.nucleus, rings)
    properties: dict[str, Any] = {"objectType": one.kind}
    if one.name:
        properties["name"] = one.name
    if one.class_name:
        classification: dict[str, Any] = {"name": one.class_name}
        if one.colour is not None:
            classification["color"] = one.colour
        properties["classification"] = classification
    elif one.colour is not None:
        properties["color"] = one.colour
    if one.locked:
        properties["isLocked"] = True
    finite = {name: v for name, v in one.measurements.items() if math.isfinite(v)}
    if finite:
        properties["measurements"] = finite
    feature["properties"] = properties
    return feature


def _geometry(shape: str, parts: Parts, rings: Iterator[NDArray[np.float64]]) -> dict[str, Any]:
    pieces = [[next(rings) for _ in part] for part in parts]
    several = len(pieces) > 1
    if shape == "polygon":
        kind, coordinates = ("MultiPolygon", pieces) if several else ("Polygon", pieces[0])
        return {"type": kind, "coordinates": coordinates}
    if shape == "line":
        kind = "MultiLineString" if several else "LineString"
        return {
            "type": kind,
            "coordinates": [line[0] for line in pieces] if several else pieces[0][0],
        }
    points = pieces[0][0]
    if len(points) == 1:
        return {"type": "Point", "coordinates": points[0]}
    return {"type": "MultiPoint", "coordinates": points}
