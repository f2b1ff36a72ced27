from __future__ import annotations

import numpy as np
import pytest

from class_maps import crowd, drawn, prediction_of
from napari_steatosis.core.geometry import Region
from napari_steatosis.quantify import measure


def shoelace(ring):
    y, x = ring.T
    return 0.5 * float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))


def area_px(outline):
    outer, *holes = (abs(shoelace(ring)) for ring in outline.rings)
    return outer - sum(holes)


@pytest.fixture(scope="module")
def report():
    classes = drawn(900, 1000, crowd(900, 1000, 900))
    classes[:, :40] = 0
    return measure(prediction_of(classes))


def test_every_droplet_has_one_outline_that_holds_its_area(report):
    table = report.tables["droplets"]
    outlines = {outline.row: outline for outline in report.outlines(None)}
    assert len(outlines) == len(table["id"]) > 300
    for row, outline in outlines.items():
        assert area_px(outline) * 0.25 == pytest.approx(table["area_um2"][row], abs=1e-9)
        assert all(np.array_equal(ring[0], ring[-1]) for ring in outline.rings)


def test_an_outline_runs_along_the_sides_of_pixels():
    classes = np.ones((20, 20), np.uint8)
    classes[5:12, 7:15] = 2
    classes[8, 10] = 1
    (outline,) = measure(prediction_of(classes)).outlines(None)
    outer, hole = outline.rings
    assert (outer.min(axis=0).tolist(), outer.max(axis=0).tolist()) == ([4.5, 6.5], [11.5, 14.5])
    assert (hole.min(axis=0).tolist(), hole.max(axis=0).tolist()) == ([7.5, 9.5], [8.5, 10.5])
    assert np.sign(shoelace(outer)) == -np.sign(shoelace(hole))


def test_a_pinched_ring_becomes_a_hole_that_touches_it():
    classes = np.ones((20, 20), np.uint8)
    classes[5:12, 5:12] = 2
    classes[6:11, 6:11] = 1
    classes[5, 5] = 1  # opens the ring at a corner
    (outline,) = measure(prediction_of(classes)).outlines(None)
    assert area_px(outline) == np.count_nonzero(classes == 2)
    for ring in outline.rings:
        assert len({tuple(point) for point in ring.tolist()}) == len(ring) - 1


def test_a_region_gives_the_droplets_that_lie_in_it(report):
    table = report.tables["droplets"]
    region = Region(y=200, x=300, height=400, width=350)
    whole = {outline.row: outline for outline in report.outlines(None)}
    inside = {outline.row: outline for outline in report.outlines(region)}
    assert 20 < len(inside) < len(whole)
    for row, outline in inside.items():
        assert np.array_equal(outline.rings[0], whole[row].rings[0])
        assert region.y <= table["y_px"][row] < region.y_end
    well_inside = [
        row
        for row, outline in whole.items()
        if outline.rings[0].min() > 0
        and not table["from_clump"][row]
        and (outline.rings[0].min(axis=0) > (region.y, region.x)).all()
        and (outline.rings[0].max(axis=0) < (region.y_end - 1, region.x_end - 1)).all()
    ]
    assert set(well_inside) <= set(inside)
    assert list(report.outlines(Region(y=5000, x=0, height=9, width=9))) == []


def test_outlines_are_valid_polygons(report):
    shapely = pytest.importorskip("shapely")
    for outline in report.outlines(None):
        assert shapely.Polygon(outline.rings[0], outline.rings[1:]).is_valid
