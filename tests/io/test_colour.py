"""Colours are corrected on reading, the same in every crop, and the slide says so."""

import io
import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageCms

from icc import wide_profile
from made_slides import MAKERS, stained
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.slide import ColourProfile
from napari_steatosis.io import open_slide
from napari_steatosis.io._colour import corrected, profile_of

REGION = Region(y=20, x=30, height=100, width=150)


@pytest.fixture
def slide(tmp_path):
    return open_slide(MAKERS["tiff"](tmp_path, stained(300, 400)))


def test_swapped_channels_are_put_right_in_every_crop(slide):
    swapped = open_slide(slide.path, swap_red_blue=True)
    assert swapped.colour == ("swap-red-blue",)
    np.testing.assert_array_equal(swapped.read(REGION), slide.read(REGION)[..., ::-1])
    again = pickle.loads(pickle.dumps(swapped))
    np.testing.assert_array_equal(again.read(REGION), swapped.read(REGION))


def test_srgb_needs_a_profile(slide):
    with pytest.raises(BadValueError, match="no ICC profile"):
        open_slide(slide.path, srgb=True)


@pytest.mark.parametrize("data", [b"nonsense", b"\0" * 200])
def test_a_damaged_profile_is_an_error_when_it_is_used(slide, data):
    own = replace(slide, profile=ColourProfile("odd", data))
    with pytest.raises(BadValueError, match="odd"):
        corrected(own, srgb=True, swap_red_blue=False)
    assert profile_of(data).name == "unnamed"
    assert profile_of(None) is None


def test_srgb_is_what_the_colour_library_makes_of_the_whole_picture(slide):
    profile = profile_of(wide_profile("Wide RGB"))
    assert profile.name == "Wide RGB"
    own = corrected(replace(slide, profile=profile), srgb=True, swap_red_blue=False)
    assert own.colour == ("srgb",)
    expected = np.asarray(
        ImageCms.profileToProfile(
            Image.fromarray(stained(300, 400)),
            ImageCms.ImageCmsProfile(io.BytesIO(profile.data)),
            ImageCms.createProfile("sRGB"),
        )
    )
    np.testing.assert_array_equal(own.read(REGION), expected[REGION.slices])
    assert np.abs(expected.astype(int) - stained(300, 400)).max() > 10
    again = pickle.loads(pickle.dumps(own))
    np.testing.assert_array_equal(again.read(REGION), own.read(REGION))
