"""Amounts of stains: as layers that are read where they are sliced, and as OME-Zarr."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

import napari_steatosis as st
from arrays import slide_of, stained_ground
from napari_steatosis.core.errors import CannotOpenError
from napari_steatosis.core.geometry import Region
from napari_steatosis.imaging import fit_stain
from napari_steatosis.imaging.separation import SEPARATIONS, separation
from napari_steatosis.pipelines.stain_amounts import amounts_of, separation_of, stain_amounts

HEIGHT, WIDTH = 1101, 1300


@pytest.fixture(scope="module")
def slide():
    return slide_of(stained_ground(HEIGHT, WIDTH))


@pytest.fixture(scope="module")
def stains(slide):
    return separation(fit_stain(slide))


def test_amounts_are_those_of_the_pixels(slide, stains):
    made = stain_amounts(slide, stains)
    assert list(made) == ["haematoxylin", "eosin"]
    region = Region(y=20, x=30, height=40, width=50)
    for index, levels in enumerate(made.values()):
        assert [level.shape for level in levels] == [(HEIGHT, WIDTH), (551, 650)]
        expected = stains.amounts(slide.read(region))[index]
        np.testing.assert_array_equal(levels[0][region.slices], expected)
        assert levels[0][20, 30] == pytest.approx(expected[0, 0], abs=1e-6)
        assert levels[1][:0].shape == (0, 650)
        assert np.asarray(levels[1]).dtype == np.float32


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_they_are_written_with_a_channel_each(slide, stains, version, tmp_path):
    (made,) = st.write(amounts_of(slide, stains), tmp_path / "he.ome.zarr", version=version)
    group = zarr.open_group(str(made), mode="r")
    ome = group.attrs.asdict()
    ome = ome.get("ome", ome)
    (scales,) = ome["multiscales"]
    assert [axis["name"] for axis in scales["axes"]] == ["c", "y", "x"]
    assert scales["datasets"][0]["coordinateTransformations"][0]["scale"] == [1.0, 0.5, 0.5]
    assert [one["label"] for one in ome["omero"]["channels"]] == ["haematoxylin", "eosin"]
    assert ome["omero"]["channels"][0]["window"]["end"] == 2.5
    whole = stains.amounts(slide.read(Region(y=0, x=0, height=HEIGHT, width=WIDTH)))
    assert group["0"].dtype == np.float32
    np.testing.assert_array_equal(group["0"][:], whole)
    coarse = group["1"][:]
    assert coarse.shape == (2, 551, 650)
    np.testing.assert_allclose(
        coarse[:, :550], whole[:, :1100].reshape(2, 550, 2, 650, 2).mean((2, 4)), atol=1e-6
    )
    np.testing.assert_allclose(coarse[:, 550], whole[:, 1100].reshape(2, 650, 2).mean(2), atol=1e-6)
    own = group.attrs["steatosis"]["amounts"]
    assert own["slide"] == slide.fingerprint
    assert np.allclose(own["vectors"], stains.vectors)
    with pytest.raises(CannotOpenError, match="amounts of stains, not a picture"):
        st.open_slide(made)


def test_three_stains_and_a_slide_without_a_pixel_size(tmp_path):
    slide = slide_of(stained_ground(300, 200), None)
    stains = separation("Masson trichrome")
    (made,) = st.write(amounts_of(slide, stains), tmp_path / "masson.ome.zarr")
    group = zarr.open_group(str(made), mode="r")
    assert group["0"].shape == (3, 300, 200)
    assert "unit" not in group.attrs["multiscales"][0]["axes"][1]


def test_a_method_without_vectors_takes_the_published_ones(slide):
    fitted = fit_stain(slide, method="reinhard")
    assert separation_of(fitted).white == fitted.white
    unit = np.asarray(SEPARATIONS["H&E"][1])
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    assert np.allclose(separation_of(fitted).vectors, unit)
