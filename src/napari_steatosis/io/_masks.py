"""A mask in other forms: labels, outlines, a picture; and such a picture read back."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.annotation import Annotation, Annotations, Ring
from ..core.errors import BadValueError, CannotOpenError
from ..core.geometry import Frame
from ..core.label_image import LabelImage
from ..core.mask import Mask
from ..core.replacing import replacing
from ..core.slide import Slide

NAME = "tissue"
COLOUR = (60, 140, 60)
NOTE = "napari-steatosis"
"""Name of the text in a PNG that says where the mask lies and how it was made."""

ONE_CHANNEL = ("1", "L", "P")


def labels_of_mask(mask: Mask) -> LabelImage:
    """Return a mask as labels: 1 is yes. How it was made goes along.

    Examples
    --------
    >>> labels_of_mask(Mask(np.ones((2, 3), bool), Frame((4.0, 4.0)))).properties[1]["class"]
    'tissue'
    """
    known = {"class": NAME, "made_by": dict(mask.provenance), "content": mask.content}
    return LabelImage(
        NAME,
        [mask.values.astype(np.uint8)],
        mask.frame,
        {0: (0, 0, 0, 0), 1: (*COLOUR, 255)},
        {0: {"class": "not tissue"}, 1: known},
    )


def annotations_of_mask(mask: Mask, what: str) -> Annotations:
    """Return the outline of every piece of a mask with its holes, in px of its slide.

    Outlines run halfway between the centres of pixels that are in and out.

    Raises
    ------
    BadValueError
        The mask does not say which slide it is of; `what` begins the message.

    Examples
    --------
    >>> of = {"slide": {"um_per_px": [1.0, 1.0], "origin_um": [0.0, 0.0]}}
    >>> square = Mask(np.ones((2, 2), bool), Frame((4.0, 4.0), (1.5, 1.5)), of)
    >>> annotations_of_mask(square, "square.geojson").items[0].box
    (-0.5, -0.5, 7.5, 7.5)
    """
    slide = mask.provenance.get("slide")
    if not isinstance(slide, dict) or "um_per_px" not in slide:
        raise BadValueError(
            f"{what}: this mask does not say which slide it is of, so outlines cannot be given in "
            f"that slide's pixels. Write one that find_tissue gave, or write it as .ome.zarr."
        )
    (y, x), (y0, x0) = slide["um_per_px"], slide.get("origin_um", (0.0, 0.0))
    level_0 = Frame((float(y), float(x)), (float(y0), float(x0)))
    items = []
    for rings in _pieces(mask.values):
        parts = (tuple(level_0.to_px(mask.frame.to_um(ring)) for ring in rings),)
        items.append(Annotation("polygon", parts, class_name="Tissue", colour=COLOUR))
    return Annotations(tuple(items))


def _pieces(values: NDArray[np.bool_]) -> list[list[Ring]]:
    """Return the rings of every piece, px: the outer one, then its holes."""
    from scipy.ndimage import label
    from skimage.measure import find_contours

    padded = np.pad(values, 1)
    numbers, _ = label(padded)
    rings: defaultdict[int, list[Ring]] = defaultdict(list)
    for contour in find_contours(padded.astype(np.float32), 0.5, fully_connected="low"):
        low, high = np.floor(contour[0]).astype(int), np.ceil(contour[0]).astype(int)
        number = max(numbers[tuple(low)], numbers[tuple(high)])
        rings[int(number)].append(_simple(contour - 1))
    return [sorted(own, key=lambda ring: -float(np.ptp(ring[:, 0]))) for own in rings.values()]


def _simple(ring: Ring) -> Ring:
    """Return a ring whose straight runs have two points."""
    from skimage.measure import approximate_polygon

    simple: Ring = approximate_polygon(ring, tolerance=0.0)
    return simple


def write_mask_picture(mask: Mask, path: Path, *, overwrite: bool) -> list[Path]:
    """Write a mask as PNG, white where it says yes; a text in it says where it lies."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    about = {
        "um_per_px": list(mask.frame.um_per_px),
        "origin_um": list(mask.frame.origin_um),
        "made_by": dict(mask.provenance),
        "content": mask.content,
    }
    note = PngInfo()
    note.add_text(NOTE, json.dumps(about), zip=True)
    with replacing(path, overwrite=overwrite) as part:
        Image.fromarray(mask.values.astype(np.uint8) * 255).save(part, format="PNG", pnginfo=note)
    return [path]


def open_mask_picture(path: Path, slide: Slide) -> LabelImage:
    """Open a PNG mask: at the place that it states, or spread over the whole slide.

    Raises
    ------
    CannotOpenError
        It is no PNG of one channel.
    MissingScaleError
        The slide has no pixel size.
    BadValueError
        It states no place, and has another shape than the slide.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.mode not in ONE_CHANNEL:
                raise CannotOpenError(
                    f"{path}: its pixels are {image.mode}; a mask has one channel of 8 bits or "
                    f"less, 0 where there is no tissue."
                )
            values = (np.asarray(image) != 0).astype(np.uint8)
            note = image.info.get(NOTE)
    except FileNotFoundError:
        raise CannotOpenError(f"{path}: there is no such file or folder.") from None
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        if isinstance(error, CannotOpenError):
            raise
        raise CannotOpenError(
            f"{path} cannot be read as a PNG ({error}). It may be damaged, or of another format."
        ) from error
    about = _about(note)
    if about is None:
        return LabelImage(path.name, [values], _spread(values, slide, path))
    frame = Frame(tuple(about["um_per_px"]), tuple(about["origin_um"]))
    known = {"class": NAME, "made_by": about["made_by"], "content": about["content"]}
    return LabelImage(path.name, [values], frame, properties={1: known})


def _about(note: Any) -> dict[str, Any] | None:
    try:
        about = json.loads(str(note))
        return about if {"um_per_px", "origin_um", "made_by", "content"} <= about.keys() else None
    except (ValueError, AttributeError):
        return None


def _spread(values: NDArray[np.uint8], slide: Slide, path: Path) -> Frame:
    (height, width), (rows, columns) = slide.shape, values.shape
    if abs(rows - columns * height / width) > 1 and abs(columns - rows * width / height) > 1:
        raise BadValueError(
            f"{path} has {rows} x {columns} px, and {slide.path} has {height} x {width}: these "
            f"are not the same shape, so where it lies is unknown. Give a mask of the whole slide, "
            f"at any resolution, or one that this program wrote."
        )
    return slide.frame().coarser((height / rows, width / columns))
