"""What wrong input gets, in a script and in the shell: one message that helps."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import napari_steatosis as st
from napari_steatosis.cli import app
from napari_steatosis.core.errors import CannotOpenError, MissingScaleError, UnreadableRegionError
from napari_steatosis.core.geometry import Region

REAL = ("slides/aperio/broken.svs", "slides/tiff/unopenable.tiff")
GOOD = (
    "slides/aperio/CMU-1-Small-Region.svs",
    "slides/aperio/TCGA-CR-7395-01A-01-TS1.svs",
    "slides/ndpi/fluorescence-TRITC.ndpi",
    "slides/tiff/he-core.tif",
    "slides/tiff/he-section-pyramid.tiff",
)


def picture(path, mode, dtype, shape):
    values = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)
    Image.fromarray(values, mode).save(path) if mode else Image.fromarray(values).save(path)
    return path


def text(folder):
    path = folder / "text.svs"
    path.write_text("Dear colleague, the slide is attached.")
    return path


def empty_zarr(folder):
    path = folder / "empty.zarr"
    path.mkdir()
    return path


def deep(folder):
    return picture(folder / "deep.png", None, np.uint16, (300, 300))


def grey(folder):
    return picture(folder / "grey.png", None, np.uint8, (300, 300))


def missing(folder):
    return folder / "gone.svs"


MADE = (text, empty_zarr, deep, grey, missing)


def outcome(function, argument):
    """Return (value, "") or (None, message)."""
    try:
        return function(argument), ""
    except st.SteatosisError as error:
        return None, str(error)


def assert_refused(path, tmp_path):
    with pytest.raises(CannotOpenError) as caught:
        st.open_slide(path)
    assert path.name in str(caught.value)
    done = CliRunner().invoke(app, ["analyse", str(path), "--out", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 1
    assert path.name in json.loads(done.stdout)["error"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("make", MADE, ids=lambda make: make.__name__)
def test_what_is_no_slide_is_refused_by_name(make, tmp_path):
    assert_refused(make(tmp_path), tmp_path)


@pytest.mark.parametrize("name", REAL)
def test_damaged_slides_are_refused_by_name(shared_data, name, tmp_path):
    assert_refused(shared_data / name, tmp_path)


def test_a_slide_with_a_header_but_no_pixels_is_no_result(shared_data, tmp_path):
    path = shared_data / "slides/aperio/unreadable.svs"
    slide = st.open_slide(path, um_per_px=0.5)
    with pytest.raises(UnreadableRegionError, match=r"unreadable\.svs"):
        st.analyse(slide)
    options = ["--mpp", "0.5", "--out", str(tmp_path), "--json"]
    done = CliRunner().invoke(app, ["analyse", str(path), *options])
    assert done.exit_code == 1
    assert "unreadable.svs" in json.loads(done.stdout)["error"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
@pytest.mark.parametrize("name", GOOD)
def test_a_truncated_slide_fails_at_opening_or_at_the_damaged_part(
    shared_data, name, share, tmp_path
):
    whole = shared_data / name
    path = tmp_path / whole.name
    data = whole.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    cut, refusal = outcome(st.open_slide, path)
    if cut is None:
        assert path.name in refusal
        return
    good, wrong = st.open_slide(whole), 0
    for y in range(0, good.shape[0], 512):
        for x in range(0, good.shape[1], 512):
            region = Region(
                y=y, x=x, height=min(512, good.shape[0] - y), width=min(512, good.shape[1] - x)
            )
            pixels, refusal = outcome(cut.read, region)
            if pixels is None:
                assert path.name in refusal
            else:
                wrong += not np.array_equal(pixels, good.read(region))
    assert wrong == 0, "pixels were made up for the missing part"


def test_alpha_is_laid_over_white_and_never_read_as_colour(tmp_path):
    rgba = np.zeros((300, 300, 4), np.uint8)
    rgba[:, :150] = (180, 60, 120, 255)
    Image.fromarray(rgba).save(tmp_path / "alpha.png")
    pixels = st.open_slide(tmp_path / "alpha.png").read(Region(y=0, x=0, height=300, width=300))
    assert (pixels[:, :150] == (180, 60, 120)).all()
    assert (pixels[:, 150:] == 255).all()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("slides/aperio/TCGA-CR-7395-01A-01-TS1.svs", "states no"),
        ("slides/tiff/boxes.tiff", "352.8"),
    ],
)
def test_a_missing_or_implausible_pixel_size_is_asked_for(shared_data, name, reason, tmp_path):
    path = shared_data / name
    slide = st.open_slide(path)
    assert slide.um_per_px is None
    with pytest.raises(MissingScaleError, match=reason):
        st.analyse(slide)
    done = CliRunner().invoke(app, ["analyse", str(path), "--out", str(tmp_path / "o"), "--json"])
    assert done.exit_code == 1
    message = json.loads(done.stdout)["error"]
    assert reason in message
    assert "--mpp" in message
    assert path.name in message


def test_a_chunk_that_is_damaged_later_stops_its_tile_only(tmp_path):
    drawn = st.drawn_liver(1536, 1536, seed=7, glass=False)
    (path,) = st.write(drawn, tmp_path / "l.ome.zarr")
    (path / "0/0/1/1").write_bytes(b"no compressed pixels")
    with pytest.raises(st.SteatosisError, match="tiles could not be read") as caught:
        st.analyse(st.open_slide(path), tmp_path / "out")
    assert str(path) in str(caught.value)
    assert not (tmp_path / "out" / "l.html").exists()
    report = st.analyse(st.open_slide(path), tmp_path / "out", accept_unreadable=True)
    assert any("could not be read" in flag for flag in report.flags)
    assert (tmp_path / "out" / "l.html").exists()
    analysed = np.asarray(report.prediction.levels[0][:]) > 0
    assert not analysed[512:1024, 512:1024].any()
    shutil.rmtree(tmp_path / "out")
