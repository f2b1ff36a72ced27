"""Small GeoJSON files as QuPath writes them."""

from __future__ import annotations

import json
from pathlib import Path


def ring(x: float, y: float, side: float) -> list[list[float]]:
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]


def feature(kind: str, coordinates: list, **properties) -> dict:
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


TISSUE = {"name": "Tissue", "color": [0, 120, 255]}
FEATURES = [
    feature(
        "Polygon",
        [ring(100, 40, 200), ring(150, 60, 20)],
        objectType="annotation",
        classification=TISSUE,
        measurements={"Area µm^2": 9900.0},
    ),
    feature("MultiPolygon", [[ring(10, 10, 20)], [ring(50, 10, 20)]], name="two"),
    feature("LineString", [[0, 0], [30, 40], [60, 0]]),
    feature("MultiPoint", [[7, 5], [8, 6]], classification={"name": "Mitosis", "color": [0, 9, 0]}),
]


def geojson(folder: Path, features: list[dict] = FEATURES, name: str = "slide.geojson") -> Path:
    path = folder / name
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path
