"""QPTIFF of PerkinElmer and Akoya: pages that say in XML what they are."""

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

RGB = stained(640, 900)
LEVELS = halves(RGB, 3)
PARTS = {"Thumbnail": stained(60, 84, 1), "Overview": stained(50, 90, 2), "Label": stained(40, 44)}


def described(kind: str, **fields: str) -> str:
    told = {"ImageType": kind, "Objective": "20x", "SlideID": "L-17", **fields}
    inside = "".join(f"<{name}>{text}</{name}>" for name, text in told.items())
    return (
        '<?xml version="1.0" encoding="utf-16"?><PerkinElmer-QPI-ImageDescription>'
        f"{inside}<ScanProfile><root/></ScanProfile></PerkinElmer-QPI-ImageDescription>"
    )


def qptiff(folder: Path, pages: list[tuple[str, Any, dict[str, str]]]) -> Path:
    path = folder / "scan.qptiff"
    with tifffile.TiffWriter(path) as file:
        for kind, pixels, fields in pages:
            reduced = kind != "FullResolution"
            file.write(
                pixels,
                photometric="rgb" if pixels.ndim == 3 else "minisblack",
                description=described(kind, **fields),
                software="PerkinElmer-QPI",
                compression="zlib",
                resolution=(20000, 20000),
                resolutionunit="CENTIMETER",
                metadata=None,
                subfiletype=int(reduced),
                tile=(64, 64) if "Resolution" in kind else None,
            )
    return path


def brightfield(*others: str) -> list[tuple[str, Any, dict[str, str]]]:
    full, *reduced = LEVELS
    return [
        ("FullResolution", full, {}),
        *[("Thumbnail", PARTS["Thumbnail"], {})],
        *[("ReducedResolution", level, {}) for level in reduced],
        *[(kind, PARTS[kind], {}) for kind in others],
    ]


def test_a_stained_slide_with_levels_scale_and_other_images(tmp_path: Path) -> None:
    slide = open_slide(qptiff(tmp_path, brightfield("Overview", "Label")))
    assert slide.reader == "tiff"
    assert [level.downsample for level in slide.levels] == [1, 2, 4]
    assert slide.um_per_px == (0.5, 0.5)
    assert slide.associated == ("thumbnail", "macro", "label")
    for name, kind in {"thumbnail": "Thumbnail", "macro": "Overview", "label": "Label"}.items():
        np.testing.assert_array_equal(slide.source.associated(name), PARTS[kind])
    assert slide.properties["qptiff.Objective"] == "20x"
    for number, level in enumerate(LEVELS):
        part = Region(y=30, x=50, height=99, width=111)
        np.testing.assert_array_equal(slide.read(part, number), level[part.slices])


def test_a_label_is_not_taken_for_the_overview_where_that_is_missing(tmp_path: Path) -> None:
    slide = open_slide(qptiff(tmp_path, brightfield("Label")))
    assert slide.associated == ("thumbnail", "label")
    np.testing.assert_array_equal(slide.source.associated("label"), PARTS["Label"])


def test_fluorescence_is_refused_with_its_markers(tmp_path: Path) -> None:
    names = ("DAPI", "Opal 520", "Opal 570", "Opal 690")
    pages = [("FullResolution", RGB[..., 0], {"Name": name}) for name in names]
    with pytest.raises(CannotOpenError, match=r"4 along C: DAPI, Opal 520, Opal 570, Opal 690"):
        open_slide(qptiff(tmp_path, pages))
    with pytest.raises(CannotOpenError, match="named 'DAPI', 'Opal 520', 'Opal 570'"):
        open_slide(qptiff(tmp_path, pages[:3]))
    with pytest.raises(CannotOpenError, match="in 1 channel"):
        open_slide(qptiff(tmp_path, pages[:1]))


def test_a_description_that_is_no_xml(tmp_path: Path) -> None:
    path = tmp_path / "odd.qptiff"
    tifffile.imwrite(
        path, RGB, software="PerkinElmer-QPI", description="<PerkinElmer", metadata=None
    )
    np.testing.assert_array_equal(
        open_slide(path).read(Region(y=0, x=0, height=640, width=900)), RGB
    )
