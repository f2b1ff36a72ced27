"""Readers for napari: slides, amounts of stains, label images and annotations as layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import CannotOpenError
from .layers import LayerTuple

if TYPE_CHECKING:
    import napari.layers

    import napari

    from ..core.slide import Slide

Reader = Callable[[Any], list[LayerTuple]]

GEOJSON = (".geojson", ".geojson.gz")
OME_ZARR = ("zarr.json", ".zattrs", ".zgroup")


def get_reader(path: str | list[str]) -> Reader | None:
    """Return the reader of a path, or None for a folder that is not for us.

    napari offers every folder to every reader, so folders are looked into: OME-Zarr,
    DICOM, tiles, or named ``.zarr`` (then a missing content is an error worth showing).
    """
    if isinstance(path, list):
        return None if len(path) != 1 else get_reader(path[0])
    place = Path(path)
    if not place.is_dir():
        return read
    from ..io.tiles import recognises as holds_tiles

    ours = place.name.lower().endswith(".zarr") or is_zarr(place) or any(place.glob("*.dcm"))
    return read if ours or holds_tiles(place) else None


def read(path: str) -> list[LayerTuple]:
    """Return the layers of a slide, of what lies in or on it, of its stains, or of annotations.

    Raises
    ------
    CannotOpenError
        With the reason and the remedy.
    """
    from ..io import open_amounts, open_slide
    from ..io.amounts import stated_amounts
    from .stain_layers import stored_amount_layers

    place = Path(path)
    if place.name.lower().endswith(GEOJSON):
        return annotations_of(place)
    if stated_amounts(place) is not None:
        return stored_amount_layers(open_amounts(place))
    if is_zarr(place) and not holds_image(place) and (alone := labels_in(place)):
        return alone
    slide = open_slide(path)
    if slide.um_per_px is None:
        ask_or_warn(slide)
    return slide_layers(slide)


def slide_layers(slide: Slide) -> list[LayerTuple]:
    """Return the layers of an opened slide: the picture, and the labels that lie in it.

    Labels that cannot be opened are a warning: the slide can.
    """
    from napari.utils.notifications import show_warning

    from .layers import slide_layer

    made = [slide_layer(slide)]
    if is_zarr(Path(slide.path)):
        try:
            made += labels_in(Path(slide.path), slide)
        except CannotOpenError as error:
            show_warning(str(error))
    return made


def labels_in(folder: Path, slide: Slide | None = None) -> list[LayerTuple]:
    """Return the label images of a folder as layers: results of this program, and others.

    Probabilities that were stored with a result lie under it, as images.

    Raises
    ------
    CannotOpenError
        One of them is damaged.
    """
    from napari.utils.notifications import show_warning

    from ..io import open_labels, open_results
    from .layers import labels_layer, prediction_layer
    from .probability_layers import probability_layers

    ours = stored_results(folder)
    results = [open_results(folder, name, slide=slide) for name in ours]
    for unfinished in (one for one in results if not one.finished):
        show_warning(
            f"{folder.name}: the run of {unfinished.name!r} is not finished, so parts of the slide "
            f"are missing. Analyse the slide into the same folder again to complete it."
        )
    made = [layer for one in results for layer in (*probability_layers(one), prediction_layer(one))]
    others = [one for one in open_labels(folder) if one.name not in ours]
    return made + [labels_layer(one, slide) for one in others]


def annotations_of(file: Path) -> list[LayerTuple]:
    """Return annotations as layers that lie on the slide in the window, if one is open."""
    from napari.utils.notifications import show_info, show_warning

    from ..io import open_annotations
    from .annotation_layers import annotation_layers
    from .view import window_viewer

    annotations = open_annotations(file)
    image = slide_under(file, window_viewer())
    if image is None:
        show_info(f"{file.name} is shown in px of level 0: open its slide first to have it there.")
    if annotations.left_out:
        show_warning(f"{file.name}: left out " + " ".join(annotations.left_out[:3]))
    return annotation_layers(annotations, image)


def slide_under(file: Path, viewer: napari.Viewer | None) -> napari.layers.Image | None:
    """Return the slide layer that annotations belong to: of the same name, active, or on top."""
    slides = [one for one in (viewer.layers if viewer else ()) if "slide" in one.metadata]

    def fits(layer: napari.layers.Image) -> tuple[bool, bool]:
        same = file.name.startswith(Path(layer.metadata["slide"].path).name.partition(".")[0])
        return same, layer is viewer.layers.selection.active

    return max(reversed(slides), key=fits, default=None)


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


def is_zarr(path: Path) -> bool:
    """Say whether a path is a folder with the metadata of a zarr group."""
    return any((path / name).is_file() for name in OME_ZARR)


def holds_image(group: Path) -> bool:
    """Say whether a zarr group is an OME-Zarr image, besides what its labels are."""
    texts = [group / name for name in ("zarr.json", ".zattrs")]
    text = "".join(file.read_text("utf-8") for file in texts if file.is_file())
    image = '"multiscales"' in text and '"image-label"' not in text
    return image or '"bioformats2raw.layout"' in text
