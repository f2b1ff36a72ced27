from __future__ import annotations

import numpy as np
import pytest

from napari_steatosis.core.errors import (
    MissingScaleError,
    StoreMismatchError,
    UnreadableRegionError,
)
from napari_steatosis.core.geometry import Region
from napari_steatosis.imaging import drawn_liver
from napari_steatosis.io import open_slide
from napari_steatosis.io.write_slide import write_slide


@pytest.fixture(scope="module")
def drawn():
    return drawn_liver(2300, 1200, seed=4)


@pytest.fixture(scope="module")
def written(drawn, tmp_path_factory):
    return write_slide(drawn, tmp_path_factory.mktemp("slide") / "liver.ome.zarr")


def test_level_0_is_the_slide_to_the_last_bit(drawn, written):
    opened = open_slide(written)
    assert opened.um_per_px == (0.5, 0.5)
    for region in (
        Region(y=0, x=0, height=300, width=400),
        Region(y=2000, x=1000, height=300, width=200),
    ):
        assert np.array_equal(opened.read(region), drawn.read(region))


def test_coarse_levels_are_box_means_across_block_borders(drawn, written):
    opened = open_slide(written)
    assert [(level.height, level.width) for level in opened.levels] == [
        (2300, 1200),
        (1150, 600),
        (575, 300),
        (288, 150),
    ]
    fine = drawn.read(Region(y=2000, x=0, height=96, width=64)).astype(float)
    mean = fine.reshape(24, 4, 16, 4, 3).mean((1, 3))
    coarse = opened.read(Region(y=500, x=0, height=24, width=16), 2)
    assert np.abs(coarse - mean).max() <= 1.0  # rounded twice


def test_it_is_valid_ome_zarr_with_true_colours(written):
    models = pytest.importorskip("ome_zarr_models.v04.image")
    import zarr

    group = zarr.open_group(written, mode="r")
    image = models.Image.from_zarr(group)
    assert [axis.name for axis in image.attributes.multiscales[0].axes] == ["c", "y", "x"]
    assert [c["color"] for c in group.attrs["omero"]["channels"]] == ["FF0000", "00FF00", "0000FF"]


def test_an_existing_slide_is_kept_unless_told(drawn, written):
    with pytest.raises(StoreMismatchError, match="exists already"):
        write_slide(drawn, written)


def test_what_is_half_written_does_not_bear_the_name(drawn, tmp_path):
    class Interrupted(Exception):
        pass

    def stop(done, total):
        raise Interrupted

    with pytest.raises(Interrupted):
        write_slide(drawn, tmp_path / "liver.ome.zarr", on_block=stop)
    assert not (tmp_path / "liver.ome.zarr").exists()
    assert write_slide(drawn, tmp_path / "liver.ome.zarr").exists()


def test_a_lost_chunk_is_an_error_even_on_glass(tmp_path):
    drawn = drawn_liver(1200, 1200, seed=4)
    path = write_slide(drawn, tmp_path / "liver.ome.zarr")
    (path / "0/0/0/0").unlink()  # a corner, where only glass is
    with pytest.raises(UnreadableRegionError, match=r"liver\.ome\.zarr"):
        open_slide(path).read(Region(y=0, x=0, height=100, width=100))


def test_a_slide_without_pixel_size_is_refused(drawn, tmp_path):
    from dataclasses import replace

    with pytest.raises(MissingScaleError):
        write_slide(replace(drawn, um_per_px=None), tmp_path / "liver.ome.zarr")
    assert not list(tmp_path.iterdir())
