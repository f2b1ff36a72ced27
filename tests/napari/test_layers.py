from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer, Shapes
from napari.utils import DirectLabelColormap

from discs import disc_slide
from napari_steatosis._napari.layers import (
    data_to_world,
    is_shown,
    labels_layer,
    prediction_layer,
    prediction_over,
    slide_layer,
)
from napari_steatosis._napari.view import Focus, shapes_um, view_um
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.geometry import Frame, Region
from napari_steatosis.core.label_image import LabelImage
from napari_steatosis.core.prediction import Prediction
from napari_steatosis.imaging import mask_of_polygons


@pytest.fixture
def slide():
    return disc_slide()


@pytest.fixture
def image(slide) -> Image:
    return Layer.create(*slide_layer(slide))


def coarse_prediction(factor: int = 4) -> Prediction:
    levels = [np.ones((325 >> n, 275 >> n), np.uint8) for n in range(2)]
    return Prediction("fat", levels, ("tissue", "fat"), Frame((0.5, 0.5)).coarser(factor))


def test_a_coarse_result_lies_on_its_slide_to_the_half_pixel(slide, image):
    labels = Layer.create(*prediction_over(coarse_prediction(), image, slide.frame()))
    # The centre of block (4, 4) of 4 x 4 px is px 17.5 of the slide.
    assert labels.data_to_world((4, 4)) == pytest.approx(image.data_to_world((17.5, 17.5)))
    alone = Layer.create(*prediction_layer(coarse_prediction()))
    assert alone.data_to_world((4, 4)) == pytest.approx(labels.data_to_world((4, 4)))


def test_a_result_follows_a_slide_layer_that_was_moved_turned_and_scaled(slide, image):
    image.scale, image.translate, image.rotate = (2, 2), (100, -30), 30
    labels = Layer.create(*prediction_over(coarse_prediction(), image, slide.frame()))
    for point in ((0, 0), (10, 200)):
        on_slide = np.multiply(point, 4) + 1.5
        assert labels.data_to_world(point) == pytest.approx(image.data_to_world(on_slide))
    assert labels.units == image.units


def test_a_slide_without_pixel_size_keeps_its_world_in_px(slide, image):
    image.scale, image.units = (1, 1), ("pixel", "pixel")
    labels = Layer.create(*prediction_over(coarse_prediction(), image, slide.frame()))
    assert labels.data_to_world((4, 4)) == pytest.approx((17.5, 17.5))


def test_matrix_of_a_layer(image):
    image.scale, image.translate = (3, 5), (7, 11)
    assert data_to_world(image) @ (1, 2, 1) == pytest.approx((10, 21, 1))


def test_a_label_image_has_its_colours_and_properties():
    given = {5: (255, 0, 0, 255), 9: (0, 0, 255, 51)}
    known = {5: {"class": "fat", "index": "hidden"}, 7: {"class": "vein"}}
    image = LabelImage("nuclei", [np.eye(9, dtype=np.int32) * 5], Frame((2, 3)), given, known)
    layer = Layer.create(*labels_layer(image))
    assert layer.name == "nuclei"
    assert tuple(layer.scale) == (2, 3)
    assert layer.get_color(5) == pytest.approx((1, 0, 0, 1))
    assert layer.get_color(9) == pytest.approx((0, 0, 1, 0.2))
    assert layer.get_color(7)[3] > 0  # napari's own, as for labels without colours
    assert layer.get_color(0) is None
    assert layer.features.to_dict("list") == {"index": [5, 7], "class": ["fat", "vein"]}
    assert layer.editable


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_labels_without_colours_have_those_of_napari(dtype):
    high = np.iinfo(dtype).max
    layer = Layer.create(*labels_layer(LabelImage("a", [np.full((4, 4), high, dtype)])))
    assert layer.get_color(high)[3] > 0
    assert [str(unit) for unit in layer.units] == ["pixel", "pixel"]


@pytest.mark.parametrize("values", [[70_000], range(1, 20_000), [-3]])
def test_colours_that_napari_cannot_draw_are_left_to_it(values):
    colours = dict.fromkeys(values, (255, 0, 0, 255))
    data = np.full((4, 4), list(values)[-1], np.int64)
    layer = Layer.create(*labels_layer(LabelImage("a", [data], colours=colours)))
    assert not isinstance(layer.colormap, DirectLabelColormap)


class Lazy:
    """A plane that counts how much of it was read, without a size or chunks."""

    def __init__(self, shape: tuple[int, int], **attributes: object) -> None:
        self.shape, self.dtype, self.most = shape, np.dtype(np.uint8), 0
        self.__dict__.update(attributes)

    def __getitem__(self, key):
        found = np.broadcast_to(np.uint8(1), self.shape)[key]
        self.most = max(self.most, found.size)
        return found


@pytest.mark.parametrize("attributes", [{}, {"chunks": (30_000, 30_000), "size": 9 * 10**8}])
def test_a_huge_label_image_is_read_where_it_is_looked_at(attributes):
    levels = [Lazy((30_000, 30_000), **attributes), Lazy((30_000, 30_000)), Lazy((500, 500))]
    viewer = ViewerModel()
    layer = viewer.add_layer(Layer.create(*labels_layer(LabelImage("a", levels))))
    assert len(layer.data) == 2  # napari wants each level smaller than the one before
    layer.data_level, layer.corner_pixels = 0, np.array([(100, 200), (400, 700)])
    layer.refresh()
    assert levels[0].most < 10**7


def test_labels_without_a_place_lie_on_the_slide_that_they_came_with(slide):
    layer = Layer.create(*labels_layer(LabelImage("a", [np.ones(slide.shape, np.uint8)]), slide))
    assert tuple(layer.scale) == (0.5, 0.5)


@pytest.mark.parametrize("kind", ["rectangle", "ellipse", "polygon"])
def test_shapes_become_masks_in_um_of_the_slide(slide, image, kind):
    box = np.array([(100, 100), (100, 300), (200, 300), (200, 100)])  # um: 100 x 200
    shapes = Shapes([box], shape_type=[kind], units=("um", "um"))
    image.translate = (50, 0)
    mask = mask_of_polygons(shapes_um(shapes, image, slide), um_per_px=1.0)
    area = 100 * 200 * (np.pi / 4 if kind == "ellipse" else 1)
    assert mask.area_mm2 * 1e6 == pytest.approx(area, rel=0.01)
    rows, columns = np.nonzero(mask.values)
    centre = mask.frame.to_um([(rows.mean(), columns.mean())])[0]
    assert centre == pytest.approx((100, 200), abs=1)


def test_shapes_drawn_in_nm_on_a_slide_in_um(slide, image):
    box = 1000 * np.array([(0, 0), (0, 300), (200, 300), (200, 0)])
    shapes = Shapes([box], units=("nm", "nm"))
    (outline,) = shapes_um(shapes, image, slide)
    assert outline.max(0) == pytest.approx((200, 300))


def test_lines_hold_no_area(slide, image):
    shapes = Shapes([[(0, 0), (9, 9)]], shape_type=["line"], name="a line")
    with pytest.raises(BadValueError, match="a line"):
        shapes_um(shapes, image, slide)


def test_the_view_ends_at_the_slide(slide):
    viewer = ViewerModel()
    image = viewer.add_layer(Layer.create(*slide_layer(slide)))
    viewer.canvas.size = (100, 200)
    viewer.scene.camera.zoom = 2.0
    viewer.scene.camera.center = (0, 40.0, 300.0)
    seen = view_um(viewer, image, slide)
    assert seen.min(0) == pytest.approx((15, 250))
    assert seen.max(0) == pytest.approx((65, 350))
    viewer.scene.camera.center = (0, 0.0, 300.0)
    assert view_um(viewer, image, slide).min(0) == pytest.approx((0, 250))
    viewer.scene.camera.center = (0, -500.0, 300.0)
    with pytest.raises(BadValueError, match="no part"):
        view_um(viewer, image, slide)


def looking_at(slide, image) -> tuple[Focus, ViewerModel]:
    """A canvas of 100 x 200 screen pixels, two of them per um, in the middle of the slide."""
    viewer = ViewerModel()
    viewer.add_layer(image)
    viewer.canvas.size = (100, 200)
    viewer.scene.camera.zoom = 2.0
    viewer.scene.camera.center = (0, 40.0, 300.0)
    return Focus(slide), viewer


def test_the_focus_is_in_px_of_the_plane(slide, image):
    focus, viewer = looking_at(slide, image)
    assert focus() is None
    focus.look(viewer, image)
    assert focus() is None  # the plane is not known yet
    focus.frame = Frame((2.0, 2.0))
    assert focus() == pytest.approx((20.0, 150.0))


def test_the_focus_follows_a_slide_layer_that_was_moved(slide, image):
    image.translate = (30, -20)
    focus, viewer = looking_at(slide, image)
    focus.frame = slide.frame()
    focus.look(viewer, image)
    assert focus() == pytest.approx((20, 640), abs=3)
    viewer.scene.camera.center = (0, -500.0, 300.0)
    focus.look(viewer, image)
    assert focus()[0] < -900


def test_only_tiles_in_the_loaded_window_are_drawn_again():
    data = [np.zeros((1024 >> n, 1024 >> n), np.uint8) for n in range(3)]
    layer = Labels(data, multiscale=True)
    layer.data_level, layer.corner_pixels = 1, np.array([(10, 20), (100, 200)])
    assert is_shown(layer, Region(y=150, x=100, height=10, width=10))
    assert not is_shown(layer, Region(y=300, x=100, height=10, width=10))
