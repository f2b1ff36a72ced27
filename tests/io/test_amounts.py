"""Amounts of stains from a file: as they were written, and an image for every other program."""

from __future__ import annotations

import json

import numpy as np
import pytest
import zarr

import napari_steatosis as st
from arrays import slide_of, stained_ground
from napari_steatosis.core.errors import CannotOpenError, UnreadableRegionError
from napari_steatosis.core.geometry import Region
from napari_steatosis.imaging.separation import separation
from napari_steatosis.pipelines.stain_amounts import amounts_of, separation_in

HEIGHT, WIDTH = 601, 700
PART = Region(y=40, x=300, height=90, width=250)


@pytest.fixture(scope="module")
def stains():
    return separation("H&E", white=(243, 242, 241))


@pytest.fixture
def stored(stains, tmp_path):
    made = amounts_of(slide_of(stained_ground(HEIGHT, WIDTH)), stains)
    return made, st.write(made, tmp_path / "he.ome.zarr")[0]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("um_per_px", [0.5, None])
def test_they_open_as_they_were_written(stains, version, um_per_px, tmp_path):
    made = amounts_of(slide_of(stained_ground(HEIGHT, WIDTH), um_per_px), stains)
    path = st.write(made, tmp_path / "he.ome.zarr", version=version)[0]
    again = st.open_amounts(path)
    assert (again.name, again.stains) == (made.name, made.stains)
    assert (again.colours, again.shape) == (made.colours, made.shape)
    assert again.frame == made.frame
    assert again.provenance == made.provenance
    assert [level.shape for level in again.levels] == [(2, 601, 700), (2, 301, 350)]
    np.testing.assert_array_equal(again.read(PART), made.read(PART))
    np.testing.assert_allclose(separation_in(again).vectors, stains.vectors, rtol=1e-12)
    twice = st.write(again, tmp_path / "copy.ome.zarr", version=version)[0]
    np.testing.assert_array_equal(st.open_amounts(twice).read(PART), made.read(PART))


def test_a_level_is_cut_as_numpy_cuts_it(stored):
    _, path = stored
    whole = zarr.open_array(f"{path}/0", mode="r")[:]
    level = st.open_amounts(path).levels[0]
    assert level.dtype == np.float32
    for key in (
        (0, slice(10, 20), slice(30, 35)),
        (1, 7, 9),
        (slice(None), -1),
        (1, slice(0, 600, 7), slice(650, None)),
        1,
        (0, slice(5, 5), slice(None)),
    ):
        np.testing.assert_array_equal(level[key], whole[key])
    with pytest.raises(IndexError, match="by integers and slices"):
        level[None]


def test_another_program_reads_a_plain_image(stored):
    """The reader of the format's own package knows nothing of ours."""
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    made, path = stored
    (node,) = list(Reader(parse_url(str(path)))())
    assert [level.shape for level in node.data] == [(2, 601, 700), (2, 301, 350)]
    np.testing.assert_array_equal(
        np.asarray(node.data[0][(slice(None), *PART.slices)]),
        np.moveaxis(made.read(PART), -1, 0),
    )
    assert node.metadata["channel_names"] == ["haematoxylin", "eosin"]
    assert node.metadata["contrast_limits"] == [[0.0, 2.5]] * 2
    scale = node.metadata["coordinateTransformations"][0][0]["scale"]
    assert scale == [1.0, 0.5, 0.5]


def test_what_is_none_or_damaged_says_so(stored, tmp_path):
    _, path = stored
    with pytest.raises(CannotOpenError, match="no such file"):
        st.open_amounts(tmp_path / "none.ome.zarr")
    slide = st.write(slide_of(stained_ground(90, 80)), tmp_path / "slide.ome.zarr")[0]
    with pytest.raises(CannotOpenError, match="no amounts of stains"):
        st.open_amounts(slide)
    with pytest.raises(CannotOpenError, match="open them by open_amounts"):
        st.open_slide(path)
    attributes = json.loads((path / ".zattrs").read_text())
    attributes["omero"]["channels"].pop()
    (path / ".zattrs").write_text(json.dumps(attributes))
    with pytest.raises(CannotOpenError, match="names 1 stains, and its pixels have 2"):
        st.open_amounts(path)
    del attributes["omero"]
    (path / ".zattrs").write_text(json.dumps(attributes))
    with pytest.raises(CannotOpenError, match="metadata cannot be read"):
        st.open_amounts(path)


def test_a_lost_chunk_is_not_read_as_no_stain(stored):
    _, path = stored
    amounts = st.open_amounts(path)
    (path / "0/0/0/0").unlink()
    with pytest.raises(UnreadableRegionError, match="missing"):
        amounts.read(PART)
