"""Three planes of a sample each are a stained slide only where the file says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from made_slides import halves, stained
from napari_steatosis.core.errors import CannotOpenError
from napari_steatosis.core.geometry import Region
from napari_steatosis.io import open_slide

RGB = stained(150, 230)
PLANES = np.ascontiguousarray(RGB.transpose(2, 0, 1))
INSIDE = Region(y=37, x=61, height=99, width=151)
RED, GREEN, BLUE = -16776961, 16711935, 65535
"""Opaque pure colours as OME packs them: RGBA in a signed 32-bit integer."""


def ome(folder: Path, planes: Any = PLANES, *, axes: str = "CYX", **channel: list[Any]) -> Path:
    path = folder / "planes.ome.tif"
    told = {"axes": axes, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    metadata = {**told, "Channel": channel} if channel else told
    kind = {"photometric": "minisblack", "tile": (64, 64), "compression": "zlib"}
    tifffile.imwrite(path, planes, ome=True, metadata=metadata, **kind)
    return path


DECLARED: dict[str, tuple[str, dict[str, list[Any]]]] = {
    "names": ("RGB", {"Name": ["Red", "Green", "Blue"]}),
    "letters": ("RGB", {"Name": ["R", "G", "B"]}),
    "another order": ("BGR", {"Name": ["blue", "green", "red"]}),
    "colours": ("RGB", {"Color": [RED, GREEN, BLUE]}),
    "colours in another order": ("GBR", {"Color": [GREEN, BLUE, RED]}),
    "colours and numbers": ("RGB", {"Name": ["0", "1", "2"], "Color": [RED, GREEN, BLUE]}),
}


@pytest.mark.parametrize("how", DECLARED)
def test_declared_planes_are_joined(how: str, tmp_path: Path) -> None:
    order, channel = DECLARED[how]
    planes = PLANES[["RGB".index(colour) for colour in order]]
    slide = open_slide(ome(tmp_path, planes, **channel))
    assert slide.um_per_px == (0.5, 0.5)
    np.testing.assert_array_equal(slide.read(INSIDE), RGB[INSIDE.slices])


def test_other_axes_of_one_plane_do_not_matter(tmp_path: Path) -> None:
    path = ome(tmp_path, PLANES[None, :, None], axes="TCZYX", Name=["R", "G", "B"])
    np.testing.assert_array_equal(open_slide(path).read(INSIDE), RGB[INSIDE.slices])


def test_a_pyramid_of_planes(tmp_path: Path) -> None:
    path = tmp_path / "pyramid.ome.tif"
    told = {"axes": "CYX", "Channel": {"Name": ["R", "G", "B"]}}
    kind = {"photometric": "minisblack", "tile": (64, 64), "compression": "zlib"}
    levels = [np.ascontiguousarray(level.transpose(2, 0, 1)) for level in halves(RGB, 2)]
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(levels[0], subifds=1, metadata=told, **kind)
        file.write(levels[1], subfiletype=1, **kind)
    slide = open_slide(path)
    assert [level.downsample for level in slide.levels] == [1, 2]
    part = Region(y=10, x=20, height=50, width=80)
    np.testing.assert_array_equal(slide.read(part, 1), RGB[::2, ::2][part.slices])


def test_pages_that_name_themselves(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    with tifffile.TiffWriter(path) as file:
        for name, plane in zip(("Green", "Red", "Blue"), PLANES[[1, 0, 2]], strict=True):
            tag = (285, "s", 0, name, True)
            file.write(plane, photometric="minisblack", metadata=None, extratags=[tag])
    np.testing.assert_array_equal(open_slide(path).read(INSIDE), RGB[INSIDE.slices])


@pytest.mark.parametrize("labels", [["Red", "Green", "Blue"], ["DAPI", "FITC", "TRITC"]])
def test_an_rgb_stack_of_imagej(labels: list[str], tmp_path: Path) -> None:
    """Image > Type > RGB Stack labels its slices so."""
    path = tmp_path / "stack.tif"
    metadata = {"axes": "ZYX", "Labels": labels}
    tifffile.imwrite(path, PLANES, imagej=True, photometric="minisblack", metadata=metadata)
    if labels[0] == "Red":
        np.testing.assert_array_equal(open_slide(path).read(INSIDE), RGB[INSIDE.slices])
    else:
        with pytest.raises(CannotOpenError, match="named 'DAPI', 'FITC', 'TRITC'"):
            open_slide(path)


FLUORESCENT: dict[str, dict[str, list[Any]]] = {
    "stains": {"Name": ["DAPI", "FITC", "TRITC"]},
    "stains in pure colours": {"Name": ["TRITC", "FITC", "DAPI"], "Color": [RED, GREEN, BLUE]},
    "other colours": {"Color": [RED, GREEN, -1]},
    "one colour twice": {"Color": [RED, GREEN, GREEN]},
    "two named": {"Name": ["Red", "Green", "DAPI"]},
    "emission": {"Name": ["Red", "Green", "Blue"], "EmissionWavelength": [620, 520, 450]},
    "fluorophores": {"Color": [RED, GREEN, BLUE], "Fluor": ["A", "B", "C"]},
    "contrast": {"Color": [RED, GREEN, BLUE], "ContrastMethod": ["Fluorescence"] * 3},
    "nothing said": {},
}


@pytest.mark.parametrize("kind", FLUORESCENT)
def test_fluorescence_is_not_taken_for_rgb(kind: str, tmp_path: Path) -> None:
    channel = FLUORESCENT[kind]
    said = "named 'TRITC', 'FITC', 'DAPI'" if kind == "stains in pure colours" else "3 planes"
    with pytest.raises(CannotOpenError, match=rf"tiff: .*{said}.*Image > Type > RGB Color"):
        open_slide(ome(tmp_path, **channel))


def test_planes_of_16_bits_are_refused_even_if_named(tmp_path: Path) -> None:
    path = ome(tmp_path, PLANES.astype(np.uint16), Name=["R", "G", "B"])
    with pytest.raises(CannotOpenError, match=r"uint16 pixels .*3 along C: R, G, B"):
        open_slide(path)


def test_more_channels_are_named_in_the_refusal(tmp_path: Path) -> None:
    path = ome(tmp_path, np.stack([RGB[..., 0]] * 4), Name=["R", "G", "B", "IR"])
    with pytest.raises(CannotOpenError, match=r"4 along C: R, G, B, IR"):
        open_slide(path)
