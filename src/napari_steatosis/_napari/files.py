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
    from ..io import open_slide

    place = Path(path)
    if stored_results(place) and not holds_image(place):
        return results_of(place)
    slide = open_slide(path)
    if slide.um_per_px is None:
        ask_or_warn(slide)
    return slide_layers(slide)


def slide_layers(slide: Slide) -> list[LayerTuple]:
    """Return the layers of an opened slide: the picture, and the results that lie in it."""
    from .layers import slide_layer

    return [slide_layer(slide), *results_of(Path(slide.path), slide)]


def results_of(folder: Path, slide: Slide | None = None) -> list[LayerTuple]:
    """Return the results of this program that lie in a folder, as layers."""
    from ..io import open_results
    from .layers import prediction_layer

    names = stored_results(folder)
    return [prediction_layer(open_results(folder, name, slide=slide)) for name in names]


def ask_or_warn(slide: Slide) -> None:
    """Ask for the pixel size in the window; where there is none, say that it is missing."""
    from napari.utils.notifications import show_warning

    from .scale import no_scale_warning
    from .view import window_viewer

    viewer = window_viewer()
    if viewer is None:
        show_warning(no_scale_warning(slide))
        return
    from .ask_scale import ask_scale

    ask_scale(viewer, slide)


def stored_results(folder: Path) -> list[str]:
    """Return the names of the label images of a folder that this program wrote."""
    found = sorted(folder.glob("labels/*/.zattrs")) if folder.is_dir() else []
    return [file.parent.name for file in found if '"steatosis"' in file.read_text("utf-8")]


def holds_image(folder: Path) -> bool:
    """Say whether a folder is an OME-Zarr image besides what its labels are."""
    texts = [folder / name for name in ("zarr.json", ".zattrs")]
    return any('"multiscales"' in f.read_text("utf-8") for f in texts if f.is_file())
