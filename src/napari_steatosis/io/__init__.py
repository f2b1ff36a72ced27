"""Slides in, results out: two tables of formats, and the functions that use them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import CannotOpenError
from ..core.lazy import lazy_names
from ..core.table import Table

if TYPE_CHECKING:
    from ..core.explanation import Explanation
    from ..core.slide import Slide

READERS = Table(
    "reader",
    {
        "openslide": "napari_steatosis.io.openslide:open_slide",
        "tiff": "napari_steatosis.io.tiff:open_slide",
        "ome-zarr": "napari_steatosis.io.ome_zarr:open_slide",
        "picture": "napari_steatosis.io.picture:open_slide",
        "tiles": "napari_steatosis.io.tiles:open_slide",
    },
)
"""Slide formats in the order in which they are tried; each opens a path or says why not."""

REMEDY = (
    "If the file may be damaged or incomplete, copy it again from its origin; if it is of "
    "another format, save it as a pyramidal OME-TIFF of 8-bit RGB."
)

__getattr__ = lazy_names(
    __name__,
    {
        "WRITERS": "napari_steatosis.io.write:WRITERS",
        "remember_scale": "napari_steatosis.io._remembered:remember_scale",
        "forget_scale": "napari_steatosis.io._remembered:forget_scale",
        "open_results": "napari_steatosis.io._store:open_results",
        "open_annotations": "napari_steatosis.io.annotations:open_annotations",
        "geojson_size": "napari_steatosis.io._geojson.size:geojson_size",
        "open_amounts": "napari_steatosis.io.amounts:open_amounts",
        "open_labels": "napari_steatosis.io.labels:open_labels",
        "open_dataset": "napari_steatosis.io.datasets:open_dataset",
    },
)


def open_slide(
    path: str | os.PathLike[str],
    *,
    reader: str | None = None,
    um_per_px: float | tuple[float, float] | None = None,
    srgb: bool = False,
    swap_red_blue: bool = False,
) -> Slide:
    """Open a whole-slide image or picture; only its header is read.

    Parameters
    ----------
    path : str or path
        A file, or a folder for OME-Zarr and DICOM.
    reader : str, optional
        Row of `READERS` to use; by default each is tried in turn.
    um_per_px : float or (float, float), optional
        Size of a level 0 pixel, um, in place of what the file states. A pair is height, width.
        Without it, a size that `remember_scale` kept holds, else what the file states.
    srgb : bool
        Convert the pixels to sRGB as the file's ICC profile says. Results say which was used.
    swap_red_blue : bool
        Put right a file whose red and blue were swapped by whoever wrote it.

    Returns
    -------
    Slide

    Raises
    ------
    CannotOpenError
        With one line per reader that says why it refused.
    UnknownNameError
        Where `reader` is not a row of the table.
    BadValueError
        Where sRGB is asked of a slide without a usable ICC profile, or for a pixel size that
        is not positive.

    Examples
    --------
    >>> open_slide("no/such/file.svs")
    Traceback (most recent call last):
        ...
    napari_steatosis.core.errors.CannotOpenError: no/such/file.svs: there is no such file or folder.
    """
    refused = []
    for name, outcome in _attempts(path, reader):
        if not isinstance(outcome, CannotOpenError):
            return _as_asked(outcome, um_per_px=um_per_px, srgb=srgb, swap_red_blue=swap_red_blue)
        refused.append(f"  {name}: {outcome}")
    raise CannotOpenError("\n".join([f"{path} cannot be opened as a slide.", *refused, REMEDY]))


def _as_asked(
    slide: Slide,
    *,
    um_per_px: float | tuple[float, float] | None = None,
    srgb: bool = False,
    swap_red_blue: bool = False,
) -> Slide:
    from ._remembered import with_remembered_scale

    slide = with_remembered_scale(slide)
    if um_per_px is not None:
        slide = slide.with_scale(um_per_px)
    if not (srgb or swap_red_blue):
        return slide
    from ._colour import corrected

    return corrected(slide, srgb=srgb, swap_red_blue=swap_red_blue)


def explain_open(path: str | os.PathLike[str], **asked: Any) -> Explanation:
    """Say which reader opens a path and what it holds, or why each reader refused.

    Parameters
    ----------
    path : str or path
        A file, or a folder for OME-Zarr, DICOM and tiles.
    **asked
        As for `open_slide`: pixel size and colour corrections.

    Returns
    -------
    Explanation
        ``str(...)`` is a text, ``.to_json()`` plain values, ``.slide`` the opened slide.

    Examples
    --------
    >>> print(explain_open("no/such/file.svs"))
    no/such/file.svs: there is no such file or folder.
    """
    from ..core.explanation import Explanation

    opened, refused = [], []
    try:
        for name, outcome in _attempts(path, None):
            if isinstance(outcome, CannotOpenError):
                refused.append((name, str(outcome)))
            else:
                opened.append(outcome)
    except CannotOpenError as error:
        return Explanation(str(path), remedy=str(error).removeprefix(f"{path}: "))
    if not opened:
        return Explanation(str(path), refused=tuple(refused), remedy=REMEDY)
    others = tuple(slide.reader for slide in opened[1:])
    return Explanation(str(path), _as_asked(opened[0], **asked), tuple(refused), others)


def _attempts(
    path: str | os.PathLike[str], reader: str | None
) -> Iterator[tuple[str, Slide | CannotOpenError]]:
    place = Path(path)
    if not place.exists():
        raise CannotOpenError(f"{path}: there is no such file or folder.")
    for name in [reader] if reader is not None else READERS:
        opener = READERS[name]
        try:
            yield name, opener(place)
        except CannotOpenError as error:
            yield name, error
        except Exception as error:  # a damaged header can make a library raise anything
            said = f"its header cannot be read ({type(error).__name__}: {error}); "
            yield name, CannotOpenError(said + "it may be damaged or incomplete")
