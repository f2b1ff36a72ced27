from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from npe2 import PluginManager, io_utils

import napari_steatosis as st
from brightness_model import BrightnessModel
from discs import disc_slide
from made_slides import aperio, ome_zarr, png, stained, tiles
from napari_steatosis._napari.files import get_reader
from napari_steatosis.core.errors import CannotOpenError
from napari_steatosis.core.geometry import Region
from napari_steatosis.imaging.separation import separation
from napari_steatosis.io import open_amounts
from napari_steatosis.io.write import write
from napari_steatosis.pipelines.segment import segment
from napari_steatosis.pipelines.stain_amounts import amounts_of

OURS = "napari-steatosis"


@pytest.fixture(autouse=True)
def discovered():
    PluginManager.instance().discover()


def layers_of(path: Path) -> list:
    return io_utils.read([str(path)], plugin_name=OURS, stack=False)


def warnings_shown() -> list[str]:
    return [n.message for n in notification_manager.records if n.severity == "warning"]


def test_an_svs_opens_as_one_rgb_pyramid_in_um(tmp_path):
    path = aperio(tmp_path, stained(1500, 1301))
    viewer = ViewerModel()
    (layer,) = viewer.open(path, plugin=OURS)
    assert layer.name == "slide.svs"
    assert layer.multiscale
    assert layer.rgb
    assert tuple(layer.scale) == (0.5, 0.5)
    assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]
    assert layer.metadata["slide"].path == str(path)
    assert layer.data[0].shape == (1500, 1301, 3)
    assert np.array_equal(np.asarray(layer.data[0][:64, :64]), stained(1500, 1301)[:64, :64])


def test_an_svs_without_a_pixel_size_opens_in_px_and_says_so(shared_data):
    path = next((shared_data / "slides" / "aperio").glob("TCGA-CR-7395*.svs"))
    before = len(warnings_shown())
    ((levels, options, kind),) = layers_of(path)
    assert kind == "image"
    assert "scale" not in options
    assert "units" not in options
    assert max(levels[-1].shape) <= 1000
    (said,) = warnings_shown()[before:]
    assert path.name in said
    assert "Pixel size" in said


def test_the_real_region_of_a_slide(shared_data):
    path = shared_data / "slides" / "aperio" / "CMU-1-Small-Region.svs"
    ((levels, options, _),) = layers_of(path)
    assert levels[0].shape == (2967, 2220, 3)
    assert options["scale"] == pytest.approx((0.499, 0.499))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_ome_zarr_folder_opens_as_one_rgb_image(tmp_path, version):
    rgb = stained(300, 420)
    ((levels, options, _),) = layers_of(ome_zarr(tmp_path, rgb, version=version))
    assert options["rgb"]
    assert options["scale"] == (0.5, 0.5)
    assert np.array_equal(levels[0][:], rgb)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_saved_amounts_of_stains_open_as_the_layers_that_they_were(tmp_path, version):
    slide = disc_slide()
    amounts = amounts_of(slide, separation("H&E"))
    path = write(amounts, tmp_path / "he.ome.zarr", version=version)[0]
    haematoxylin, eosin = ViewerModel().open(path, plugin=OURS)
    assert haematoxylin.name == f"haematoxylin: {amounts.name}"
    assert eosin.name == f"eosin: {amounts.name}"
    assert tuple(eosin.scale) == pytest.approx(slide.um_per_px)
    assert tuple(eosin.translate) == pytest.approx(slide.frame().origin_um)
    assert [str(unit) for unit in eosin.units] == ["micrometer", "micrometer"]
    assert tuple(eosin.contrast_limits) == (0.0, 2.5)
    assert eosin.blending == "minimum"
    fine = eosin.data[0] if eosin.multiscale else eosin.data
    assert fine.dtype == np.float32
    part = Region(y=30, x=50, height=60, width=70)
    np.testing.assert_array_equal(np.asarray(fine[part.slices]), amounts.read(part)[..., 1])
    again = write(eosin.metadata["amounts"], tmp_path / "again.ome.zarr", version=version)[0]
    np.testing.assert_array_equal(open_amounts(again).read(part), amounts.read(part))


def test_a_small_picture_is_one_array(tmp_path):
    viewer = ViewerModel()
    (layer,) = viewer.open(png(tmp_path, stained(90, 29)), plugin=OURS)
    assert layer.rgb
    assert not layer.multiscale
    assert layer.data.shape == (90, 29, 3)


def test_a_results_store_opens_as_labels_that_lie_on_the_slide(tmp_path):
    fat = segment(disc_slide(), BrightnessModel(), store=tmp_path / "a.zarr", tile_px=512)
    viewer = ViewerModel()
    (layer,) = viewer.open(tmp_path / "a.zarr", plugin=OURS)
    assert type(layer).__name__ == "Labels"
    assert tuple(layer.scale) == (0.5, 0.5)
    assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]
    assert list(layer.features["class"]) == ["not analysed", "tissue", "fat"]
    assert np.array_equal(np.asarray(layer.data[0]), np.asarray(fat.levels[0]))
    assert layer.get_color(1)[3] == 0  # tissue shows through
    assert layer.get_color(2)[3] > 0


def test_a_folder_with_slide_and_results_gives_both(tmp_path):
    (path,) = write(disc_slide(), tmp_path / "liver.ome.zarr")
    segment(disc_slide(), BrightnessModel(), store=path, tile_px=512)
    assert [kind for _, _, kind in layers_of(path)] == ["image", "labels"]


def add_labels(image: Path, name: str, pixels: np.ndarray, um: float) -> None:
    """Put labels of another program into an OME-Zarr 0.4."""
    group = zarr.open_group(str(image / "labels" / name), mode="w", zarr_format=2)
    group.create_array("0", data=pixels)
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
    steps = [{"type": "scale", "scale": [um, um]}]
    levels = [{"path": "0", "coordinateTransformations": steps}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": levels}]
    group.attrs["image-label"] = {
        "colors": [{"label-value": 2, "rgba": [0, 255, 0, 255]}],
        "properties": [{"label-value": 2, "class": "portal field"}],
    }


def test_labels_of_other_programs_open_with_the_slide_or_alone(tmp_path):
    path = st.write(disc_slide(), tmp_path / "liver.ome.zarr")[0]
    pixels = np.full((325, 275), 2, np.uint16)
    add_labels(path, "portal", pixels, 2.0)
    segment(disc_slide(), BrightnessModel(), store=path, tile_px=512)
    viewer = ViewerModel()
    image, fat, portal = viewer.open(path, plugin=OURS)
    assert (fat.name, portal.name) == ("fat", "portal")
    assert "prediction" in fat.metadata
    assert tuple(portal.scale) == (2, 2)
    assert portal.get_color(2) == pytest.approx((0, 1, 0, 1))
    assert list(portal.features["class"]) == ["portal field"]
    assert portal.extent.world[1] == pytest.approx(image.extent.world[1], abs=2)
    for alone in (path / "labels", path / "labels" / "portal"):
        names = {layer.name for layer in ViewerModel().open(alone, plugin=OURS)}
        assert names == ({"fat", "portal"} if alone.name == "labels" else {"portal"})


def test_an_unfinished_result_is_shown_with_a_warning(tmp_path):
    def stop(progress):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        segment(
            disc_slide(),
            BrightnessModel(),
            store=tmp_path / "a.zarr",
            tile_px=256,
            on_progress=stop,
        )
    before = len(warnings_shown())
    ((_, _, kind),) = layers_of(tmp_path / "a.zarr")
    assert kind == "labels"
    assert "'fat' is not finished" in warnings_shown()[before]


def test_damaged_labels_are_a_warning_and_the_slide_opens(tmp_path):
    path = st.write(disc_slide(), tmp_path / "liver.ome.zarr")[0]
    labels = zarr.open_group(str(path / "labels"), mode="w", zarr_format=2)
    labels.attrs["labels"] = ["missing"]
    before = len(warnings_shown())
    (image,) = ViewerModel().open(path, plugin=OURS)
    assert image.rgb
    assert "missing" in warnings_shown()[before]


def broken_svs(folder: Path) -> Path:
    path = folder / "text.svs"
    path.write_text("this is no slide")
    return path


def empty_zarr(folder: Path) -> Path:
    path = folder / "empty.zarr"
    path.mkdir()
    return path


@pytest.mark.parametrize("make", [broken_svs, empty_zarr])
def test_what_cannot_be_opened_is_one_clear_error(tmp_path, make):
    path = make(tmp_path)
    with pytest.raises(CannotOpenError, match=path.name):
        layers_of(path)


def test_a_folder_of_tiles_opens_as_one_slide(tmp_path):
    rgb = stained(300, 400)
    ((level, _, _),) = layers_of(tiles(tmp_path, rgb))
    assert np.array_equal(level[:], rgb)


def test_a_folder_of_other_pictures_is_left_to_other_readers(tmp_path):
    for name in ("liver.png", "kidney.png", "a [x=0,y=0].png"):
        (tmp_path / name).write_bytes(b"")
    assert get_reader(str(tmp_path)) is None


def test_other_folders_are_left_to_other_readers(tmp_path):
    (tmp_path / "note.txt").write_text("nothing of ours")
    assert get_reader(str(tmp_path)) is None
    assert get_reader([str(tmp_path), str(tmp_path)]) is None


@pytest.mark.parametrize(("key", "side"), [("liver_small", 2048), ("liver_large", 16384)])
def test_samples(key, side):
    viewer = ViewerModel()
    (layer,) = viewer.open_sample(OURS, key)
    slide = layer.metadata["slide"]
    assert slide.shape == (side, side)
    assert slide.um_per_px == (0.5, 0.5)
    assert layer.data[-1].shape == (512, 512, 3)
    overview = np.asarray(layer.data[-1])
    assert overview.std() > 10
