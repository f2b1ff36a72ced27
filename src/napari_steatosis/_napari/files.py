"""Readers for napari: slides as image layers, stored results as labels layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..core.slide import Slide

LayerTuple = tuple[Any, dict[str, Any], str]
Reader = Callable[[Any], list[LayerTuple]]

OME_ZARR = ("zarr.json", ".zattrs", ".zgroup")


def get_reader(path: str | list[str]) -> Reader | None:
    """Return the reader of a path, or None for a folder that is not for us.

    napari offers every folder to every reader, so folders are looked into: OME-Zarr,
    DICOM, or named ``.zarr`` (then a missing content is an error worth showing).
    """
    if isinstance(path, list):
        return None if len(path) != 1 else get_reader(path[0])
    place = Path(path)
    if not place.is_dir():
        return read
    ours = place.name.lower().endswith(".zarr") or any((place / n).is_file() for n in OME_ZARR)
    return read if ours or next(place.glob("*.dcm"), None) else None


def read(path: str) -> list[LayerTuple]:
    """Return the layers of a slide, of a results store, or of a folder that is both.

    Raises
    ------
    CannotOpenError
        With the reason and the remedy.
    """
    from napari.utils.notifications import show_warning

    from ..io import open_results, open_slide
    from .layers import prediction_layer, slide_layer

    names = stored_results(Path(path))
    if names and not holds_image(Path(path)):
        return [prediction_layer(open_results(path, name)) for name in names]
    slide = open_slide(path)
    if slide.um_per_px is None:
        show_warning(no_scale_warning(slide))
    results = [prediction_layer(open_results(path, name, slide=slide)) for name in names]
    return [slide_layer(slide), *results]


def no_scale_warning(slide: Slide) -> str:
    """Return what to tell the user of a slide without a usable pixel size."""
    return (
        f"{Path(slide.path).name} is shown in pixels: {slide.scale_source}. Lengths and areas "
        f"need it. Give it in the field 'Pixel size' of Plugins > napari-steatosis > "
        f"Analyse slide (about 0.25 um for a 40x scan, 0.5 um for 20x)."
    )


def stored_results(folder: Path) -> list[str]:
    """Return the names of the label images of a folder that this program wrote."""
    found = sorted(folder.glob("labels/*/.zattrs")) if folder.is_dir() else []
    return [file.parent.name for file in found if '"steatosis"' in file.read_text("utf-8")]


def holds_image(folder: Path) -> bool:
    """Say whether a folder is an OME-Zarr image besides what its labels are."""
    texts = [folder / name for name in ("zarr.json", ".zattrs")]
    return any('"multiscales"' in f.read_text("utf-8") for f in texts if f.is_file())
