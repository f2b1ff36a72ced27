"""Masks of drawn shapes: exact areas, places and identities, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from napari_steatosis.core.annotation import Annotation, Annotations
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.geometry import Frame, Region
from napari_steatosis.imaging.regions import mask_of_annotations, mask_of_polygons

SQUARE = np.array([(100.0, 200.0), (100.0, 600.0), (400.0, 600.0), (400.0, 200.0)])


def circle(y: float, x: float, radius: float, n: int = 200) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([y + radius * np.sin(angle), x + radius * np.cos(angle)], axis=1)


def test_a_rectangle_covers_its_pixels_and_nothing_else() -> None:
    mask = mask_of_polygons([SQUARE])
    assert mask.area_mm2 == pytest.approx(0.12)
    assert mask.values.all()
    region, frame = Region(y=0, x=0, height=1000, width=1400), Frame((0.5, 0.5), (0.25, 0.25))
    expected = np.zeros((1000, 1400), bool)
    expected[200:800, 400:1200] = True
    assert (mask.on(region, frame) == expected).all()


@pytest.mark.parametrize("turned", [False, True])
def test_a_circle_has_its_area_and_centre(turned: bool) -> None:
    outline = circle(-310.7, 2222.2, 150)
    mask = mask_of_polygons([outline[::-1] if turned else outline], um_per_px=2)
    assert mask.area_mm2 == pytest.approx(np.pi * 0.15**2, rel=0.002)
    centre = mask.frame.to_um(np.argwhere(mask.values)).mean(0)
    assert centre == pytest.approx((-310.7, 2222.2), abs=0.2)


def test_shapes_add_up_where_they_overlap() -> None:
    one, two = circle(0, 0, 100), circle(0, 120, 100)
    both = mask_of_polygons([one, two], um_per_px=1)
    lens = 2 * 100**2 * np.arccos(0.6) - 60 * np.sqrt(4 * 100**2 - 120**2)
    assert both.area_mm2 == pytest.approx((2 * np.pi * 100**2 - lens) / 1e6, rel=0.003)


def test_an_outline_that_crosses_itself_follows_the_even_odd_rule() -> None:
    bow_tie = [(0, 0), (100, 100), (100, 0), (0, 100)]
    assert mask_of_polygons([bow_tie], um_per_px=1).area_mm2 == pytest.approx(0.005, rel=0.03)


def test_a_concave_outline_matches_a_point_by_point_answer() -> None:
    from matplotlib.path import Path

    rng = np.random.default_rng(4)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 60))
    reach = rng.uniform(30, 200, 60)
    star = np.stack([reach * np.sin(angle), reach * np.cos(angle)], axis=1)
    mask = mask_of_polygons([star], um_per_px=1.3)
    centres = mask.frame.to_um(np.argwhere(np.ones_like(mask.values)))
    inside = Path(star).contains_points(centres).reshape(mask.values.shape)
    assert (inside == mask.values).all()


def test_provenance_names_the_vertices() -> None:
    first, again = mask_of_polygons([SQUARE]), mask_of_polygons([SQUARE.tolist()])
    moved = mask_of_polygons([SQUARE + 0.25])
    assert first.provenance == again.provenance
    assert first.provenance["vertices"] != moved.provenance["vertices"]


@pytest.mark.parametrize(
    ("polygons", "message"),
    [
        ([], "no polygon"),
        ([[(0, 0), (10, 10)]], "at least 3 vertices"),
        ([SQUARE, [(0, 0), (10, 10), (20, 20)]], "Polygon 2 has no area"),
        ([[(0, 0), (0, np.nan), (5, 5)]], "not finite"),
        ([[(0, 0, 0), (0, 1, 0), (5, 5, 0)]], r"shape \(3, 3\)"),
        ([SQUARE * 1e6], "in um"),
        ([SQUARE / 1000], "no pixel centre"),
    ],
)
def test_degenerate_polygons_are_refused(polygons: list[object], message: str) -> None:
    with pytest.raises(BadValueError, match=message):
        mask_of_polygons(polygons)  # type: ignore[arg-type]


def test_holes_and_classes_of_annotations():
    def ring(low, high):
        return np.array([(low, low), (low, high), (high, high), (high, low), (low, low)], float)

    drawn = Annotations(
        (
            Annotation("polygon", ((ring(0, 100), ring(20, 40)),), class_name="Liver"),
            Annotation("polygon", ((ring(30, 40),),), class_name="Tumour"),
            Annotation("polygon", ((ring(200, 300),),), kind="detection"),
            Annotation("points", ((np.zeros((1, 2)),),), class_name="Mark"),
        )
    )
    frame = Frame((2.0, 2.0), (50.0, 0.0))
    both = mask_of_annotations(drawn, frame, um_per_px=1.0)
    assert both.area_mm2 * 1e6 == pytest.approx(4 * (100**2 - 20**2 + 10**2), rel=0.02)
    assert both.frame.origin_um[0] == pytest.approx(50, abs=1)
    liver = mask_of_annotations(drawn, frame, classes=["Liver"], um_per_px=1.0)
    assert liver.area_mm2 * 1e6 == pytest.approx(4 * (100**2 - 20**2), rel=0.02)
    assert liver.provenance != both.provenance
    with pytest.raises(BadValueError, match=r"class Mark.*Liver, Tumour"):
        mask_of_annotations(drawn, frame, classes=["Mark"])
