"""Labels drawn from annotations: exact areas, holes, windows, levels, colours."""

from __future__ import annotations

import numpy as np
import pytest

from napari_steatosis.core.annotation import Annotation, Annotations
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.imaging import labels_of


def rectangle(y, x, y_end, x_end):
    """Return the ring around pixels y ... y_end - 1, along their sides."""
    corners = [(y, x), (y, x_end), (y_end, x_end), (y_end, x), (y, x)]
    return np.array(corners, float) - 0.5


def polygon(*parts, **values):
    return Annotation("polygon", parts, **values)


def circle(y, x, radius):
    angle = np.linspace(0, 2 * np.pi, 60)
    return np.stack([y + radius * np.sin(angle), x + radius * np.cos(angle)], axis=1)


@pytest.fixture(scope="module")
def scattered():
    rng = np.random.default_rng(2)
    places, radii = rng.uniform(-20, 1020, (400, 2)), rng.uniform(1, 40, 400)
    return Annotations(
        tuple(
            polygon((circle(y, x, r), circle(y, x, r / 2)), class_name=f"{number % 7}")
            for number, ((y, x), r) in enumerate(zip(places, radii, strict=True))
        )
    )


def test_rectangles_have_their_area_and_holes_stay_holes():
    one = polygon((rectangle(2, 3, 12, 9), rectangle(4, 5, 6, 7)), (rectangle(20, 20, 21, 40),))
    drawn = labels_of(Annotations((one,)), (30, 36)).levels[0][:]
    expected = np.zeros((30, 36), np.uint8)
    expected[2:12, 3:9] = 1
    expected[4:6, 5:7] = 0
    expected[20, 20:36] = 1
    assert np.array_equal(drawn, expected)


def test_neighbours_share_no_pixel_and_leave_no_gap():
    """Edges that run through pixel centres, too."""
    left, right = rectangle(0.5, 0.5, 8.5, 4.5), rectangle(0.5, 4.5, 8.5, 8.5)
    both = [polygon((left,), class_name="a"), polygon((right,), class_name="b")]
    drawn = labels_of(Annotations(tuple(both)), (20, 20)).levels[0][:]
    assert np.bincount(drawn.ravel(), minlength=3)[1:].tolist() == [32, 32]
    assert np.array_equal(
        labels_of(Annotations(tuple(both[::-1])), (20, 20)).levels[0][:] > 0, drawn > 0
    )


def test_every_pixel_answers_as_matplotlib_does(scattered):
    from matplotlib.path import Path

    one = scattered.items[0]
    drawn = labels_of(Annotations((one,)), (1000, 1000)).levels[0][:]
    centres = np.stack(np.indices(drawn.shape), axis=-1).reshape(-1, 2)
    outer, hole = (Path(ring).contains_points(centres) for ring in one.parts[0])
    assert np.array_equal(drawn.ravel() == 1, outer & ~hole)


def test_windows_assemble_to_the_whole(scattered):
    level = labels_of(scattered, (1000, 1010)).levels[0]
    whole = level[:]
    assert len(np.unique(whole)) == 8
    for y in range(0, 1000, 170):
        for x in range(0, 1010, 130):
            window = level[y : y + 170, x : x + 130]
            assert np.array_equal(window, whole[y : y + 170, x : x + 130])


@pytest.mark.parametrize(
    "key",
    [
        (slice(3, 900, 7), slice(None, None, 11)),
        (slice(None, None, -3), slice(40, 2, -1)),
        (5, slice(None)),
        (slice(None), -7),
        (10, 20),
        (Ellipsis, slice(3, 4)),
        slice(4, 9),
        -1,
        (slice(7, 7), slice(None)),
        ([3, 90, 4], slice(0, 50)),
        Ellipsis,
    ],
)
def test_it_is_sliced_like_an_array(scattered, key):
    level = labels_of(scattered, (1000, 1010)).levels[0]
    whole = np.asarray(level)
    assert level[key].dtype == whole.dtype
    assert np.array_equal(level[key], whole[key])


def test_coarse_levels_hold_the_centres_of_their_own_pixels():
    one = polygon((circle(4000, 3000, 1500.3),), class_name="a")
    image = labels_of(Annotations((one,)), (8001, 6000))
    shapes = [level.shape for level in image.levels]
    assert shapes == [(8001, 6000), (4001, 3000), (2001, 1500), (1001, 750)]
    for number, level in enumerate(image.levels):
        rows, columns = np.ogrid[: level.shape[0], : level.shape[1]]
        y, x = ((index + 0.5) * 2**number - 0.5 for index in (rows, columns))
        distance = np.hypot(y - 4000, x - 3000)
        drawn = level[:] == 1
        assert drawn[distance < 1495].all()
        assert not drawn[distance > 1501].any()


def test_a_level_of_ten_gigapixels_is_drawn_where_it_is_looked_at():
    side = 100_000
    squares = [(y, x) for y in range(0, side, 1000) for x in range(0, side, 1000)]
    image = labels_of(
        Annotations(tuple(polygon((rectangle(y, x, y + 500, x + 500),)) for y, x in squares)),
        (side, side),
    )
    finest = image.levels[0]
    assert (finest.size, finest.dtype, finest.chunks) == (side**2, np.uint8, (512, 512))
    assert np.count_nonzero(finest[77_400:78_100, 5_000:6_000]) == 200 * 500
    assert np.count_nonzero(finest[::1000, ::500]) == 100 * 100
    assert image.levels[-1][:].mean() == pytest.approx(0.25, abs=0.01)


def test_values_colours_and_names_follow_the_classes():
    squares = [
        polygon((rectangle(0, 0, 4, 4),), class_name="Tumor", colour=(200, 0, 0)),
        polygon((rectangle(0, 8, 4, 12),)),
        polygon((rectangle(8, 0, 12, 4),), class_name="Tumor", colour=(200, 0, 0)),
        Annotation("line", ((np.zeros((2, 2)),),), class_name="Line"),
        Annotation("points", ((np.zeros((1, 2)),),), class_name="Point"),
    ]
    image = labels_of(Annotations(tuple(squares)), (12, 12))
    assert image.properties == {1: {"class": "Tumor"}, 2: {"class": ""}}
    assert image.colours == {1: (200, 0, 0, 255)}
    assert np.bincount(image.levels[0][:].ravel()).tolist() == [96, 32, 16]
    assert image.frame is None


@pytest.mark.parametrize("turned", [False, True])
def test_what_is_smaller_lies_on_top(turned):
    large = polygon((rectangle(0, 0, 20, 20),), class_name="Tissue")
    small = polygon((rectangle(5, 5, 8, 8),), class_name="Fat")
    pair = (small, large) if turned else (large, small)
    image = labels_of(Annotations(pair), (20, 20))
    assert image.properties[int(image.levels[0][6, 6])] == {"class": "Fat"}
    assert image.properties[int(image.levels[0][0, 0])] == {"class": "Tissue"}


def test_many_classes_take_a_wider_type():
    spots = [polygon((rectangle(0, x, 1, x + 1),), class_name=f"{x}") for x in range(300)]
    row = labels_of(Annotations(tuple(spots)), (1, 300)).levels[0][0]
    assert row.dtype == np.uint16
    assert row.tolist() == list(range(1, 301))


def test_nothing_to_draw_and_no_place_to_draw():
    image = labels_of(Annotations(()), (40, 50))
    assert not image.levels[0][:].any()
    assert image.properties == {}
    with pytest.raises(BadValueError, match="0 x 50"):
        labels_of(Annotations(()), (0, 50))
