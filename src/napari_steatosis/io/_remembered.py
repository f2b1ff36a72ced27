"""Pixel sizes that a user gave once: in a small file beside the slide, or in the user's data."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from platformdirs import user_data_path

from ..core.errors import CannotOpenError
from ..core.replacing import replacing
from ..core.slide import Slide

SUFFIX = ".scale.json"


def remember_scale(slide: Slide, um_per_px: float | tuple[float, float]) -> Path:
    """Keep the pixel size of a slide, so that it is known whenever the slide is opened.

    It is written beside the slide (``liver.svs.scale.json``), where others find it, too; in
    a folder that cannot be written it goes to the data folder of the user. It holds for
    this content only: a replaced slide is asked for anew.

    Parameters
    ----------
    slide : Slide
        As `open_slide` gave it.
    um_per_px : float or (float, float)
        Size of a level 0 pixel, um. A pair is height, width.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    BadValueError
        Where the size is not positive.
    CannotOpenError
        Where neither place can be written.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from PIL import Image
    >>> import napari_steatosis as st
    >>> path = Path(tempfile.mkdtemp()) / "tile.png"
    >>> Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(path)
    >>> remember_scale(st.open_slide(path), 0.5).name
    'tile.png.scale.json'
    >>> st.open_slide(path).um_per_px
    (0.5, 0.5)
    """
    y, x = slide.with_scale(um_per_px).um_per_px or (0.0, 0.0)
    text = json.dumps(
        {
            "um_per_px": [y, x],
            "fingerprint": slide.fingerprint,
            "given_on": datetime.now(UTC).date().isoformat(),
            "note": "Size (height, width) of a full-resolution pixel, as a user stated it.",
        },
        indent=2,
    )
    refused = []
    for file in _places(slide):
        try:
            with replacing(file, overwrite=True) as part:
                part.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            refused.append(f"{file} ({error})")
        else:
            return file
    raise CannotOpenError(
        f"{slide.path}: the pixel size cannot be kept in {' nor in '.join(refused)}. Give it "
        f"each time (um_per_px=, --mpp), or make room there."
    )


def forget_scale(slide: Slide) -> list[Path]:
    """Delete what `remember_scale` kept, and return the files that were deleted.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> forget_scale(st.drawn_liver(64, 64, seed=1))
    []
    """
    there = [file for file in _places(slide) if os.path.isfile(file)]
    for file in there:
        file.unlink()
    return there


def with_remembered_scale(slide: Slide) -> Slide:
    """Return the slide with the pixel size that a user once gave it, if one did.

    It takes precedence over what the file states, and `Slide.scale_source` shows both.
    """
    for file in _places(slide):
        if not os.path.isfile(file):  # which takes a name that is too long for no file
            continue
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            if kept["fingerprint"] != slide.fingerprint:
                continue
            y, x = kept["um_per_px"]
            return slide.with_scale((float(y), float(x)), f"given on {kept['given_on']}, {file}")
        except (OSError, ValueError, TypeError, KeyError) as error:
            unusable = f"{slide.scale_source}; {file} cannot be used ({error!r}), delete it"
            return replace(slide, scale_source=unusable)
    return slide


def _places(slide: Slide) -> Iterator[Path]:
    path = Path(os.path.abspath(slide.path))
    yield path.with_name(path.name + SUFFIX)
    yield user_data_path("napari-steatosis") / "scales" / f"{slide.fingerprint}.json"
