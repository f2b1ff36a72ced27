"""A slide, a class map or labels as a pyramidal OME-TIFF, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from itertools import count
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import numpy as np
import tifffile
from numpy.typing import NDArray

from .. import __version__
from ..core.errors import BadValueError
from ..core.geometry import Frame, Region
from ..core.label_image import LabelImage
from ..core.prediction import Prediction
from ..core.replacing import replacing
from ..core.slide import Slide
from ._finest import Finest, label_type
from ._tiff.pyramid import level_shapes, raw_bytes, tile_count, write_levels

CLASSIC_BYTES = 2**32 - 2**26
"""A file that could become larger is written as BigTIFF."""

NAMESPACE = "napari-steatosis"
JPEG_QUALITY = 90

MOST_NAMED = 500
"""More labels than this are not listed one by one; their classes are."""

COMPRESSIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "deflate": {"compression": "zlib", "compressionargs": {"level": 6}, "predictor": 2},
    "lzw": {"compression": "lzw", "predictor": 2},
    "zstd": {"compression": "zstd", "compressionargs": {"level": 3}, "predictor": 2},
    "jpeg": {
        "compression": "jpeg",
        "compressionargs": {"level": JPEG_QUALITY},
        "subsampling": (1, 1),  # stains are told apart by their colour
    },
    "jpeg2000": {"compression": "jpeg2000", "compressionargs": {"reversible": True}},
}
"""Name of a compression to what tifffile calls it. All but JPEG keep every pixel as it is."""

LABEL_TYPES = {"b": "uint8", "i1": "uint8", "u1": "uint8", "i2": "uint16", "u2": "uint16"}
"""Stored type to written type; wider ones become uint32, the widest that OME knows."""


def write_ome_tiff(
    value: Slide | Prediction | LabelImage,
    path: Path,
    *,
    overwrite: bool = False,
    compression: str = "deflate",
    on_block: Callable[[int, int], None] = lambda done, total: None,
) -> list[Path]:
    """Write level 0 and a pyramid of halved levels in SubIFDs, in tiles of 512 px.

    A slide is written as RGB, with its coarse levels averaged and its ICC profile, unless
    the pixels were converted to sRGB. Labels keep their values at every level, as uint8,
    uint16 or uint32. The size of a pixel is left out where it is unknown. Names of classes
    (``0``, ``1`` ...) and the place of the first pixel stand in a MapAnnotation of the
    OME-XML and, in words, in the description of the image.

    Parameters
    ----------
    value : Slide, Prediction or LabelImage
        What to write. Each of its pixels is read once.
    path : Path
        ``slide.ome.tif`` or ``.ome.tiff``.
    overwrite : bool
        Replace what is there.
    compression : str
        ``"deflate"``, ``"zstd"``, ``"lzw"``, ``"jpeg2000"``, ``"none"``: without loss.
        ``"jpeg"``, at quality 90, is smaller and changes the pixels; not for labels.
    on_block : callable
        Called with (tiles done, tiles in all).

    Raises
    ------
    BadValueError
        An unknown compression, one that labels cannot have, or labels that are no numbers
        from 0 to 4 294 967 295.
    UnreadableRegionError
        Part of the slide cannot be read.
    CannotOpenError
        Something stands at `path` and `overwrite` is False.
    """
    if compression not in COMPRESSIONS:
        known = ", ".join(COMPRESSIONS)
        raise BadValueError(f"{path}: no compression {compression!r}; there are: {known}.")
    is_slide = isinstance(value, Slide)
    if compression.startswith("jpeg") and not is_slide:
        raise BadValueError(
            f"{path}: {compression} is for pictures and could change the values of labels. "
            f"Choose deflate, zstd, lzw or none."
        )
    pixels = Finest.of_slide(value) if isinstance(value, Slide) else _labels(value, path)
    done, total = count(1), sum(tile_count(shape) for shape in level_shapes(pixels.shape))
    with (
        replacing(path, overwrite=overwrite) as part,
        TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as scratch,
        tifffile.TiffWriter(part, ome=True, bigtiff=raw_bytes(pixels) > CLASSIC_BYTES) as file,
    ):
        write_levels(
            file,
            pixels,
            Path(scratch),
            lambda level: _tags(value, level, compression),
            lambda: on_block(next(done), total),
        )
    return [path]


def _labels(value: Prediction | LabelImage, path: Path) -> Finest:
    stored, finest = label_type(value, path), value.levels[0]
    kind = stored.kind if stored.kind == "b" else f"{stored.kind}{stored.itemsize}"
    dtype = np.dtype(LABEL_TYPES.get(kind, "uint32"))
    largest = np.iinfo(dtype).max

    def read(region: Region) -> NDArray[Any]:
        block = np.asarray(finest[region.slices])
        for seen in (block.min(), block.max()):
            if not 0 <= int(seen) <= largest:
                raise BadValueError(
                    f"{path}: the labels {value.name!r} hold {seen}; OME-TIFF holds labels from "
                    f"0 to {np.iinfo(np.uint32).max}. Number them anew, from 1."
                )
        return block.astype(dtype, copy=False)

    return Finest(value.shape, dtype, 1, read)


def _tags(value: Slide | Prediction | LabelImage, level: int, compression: str) -> dict[str, Any]:
    """Return what `TiffWriter.write` must know of a level."""
    um_per_px = value.um_per_px if isinstance(value, Slide) else _size(value.frame)
    tags: dict[str, Any] = {
        "photometric": "minisblack",
        "software": f"{NAMESPACE} {__version__}",
        "metadata": _ome(value, um_per_px) if level == 0 else None,
        **deepcopy(COMPRESSIONS[compression]),  # tifffile adds to it
    }
    if isinstance(value, Slide):
        tags |= {"photometric": "rgb", "planarconfig": "contig"}
        if value.profile is not None and "srgb" not in value.colour:
            tags["iccprofile"] = value.profile.data
    elif compression != "none":
        tags["predictor"] = 1  # differences of labels compress worse than labels
    if um_per_px is not None:
        y, x = um_per_px
        tags["resolution"] = (1e4 / x / 2**level, 1e4 / y / 2**level)
        tags["resolutionunit"] = "CENTIMETER"
    return tags


def _size(frame: Frame | None) -> tuple[float, float] | None:
    return None if frame is None else frame.um_per_px


def _ome(
    value: Slide | Prediction | LabelImage, um_per_px: tuple[float, float] | None
) -> dict[str, Any]:
    if isinstance(value, Slide):
        name, known, axes = PurePath(value.path).name, _known_of_slide(value), "YXS"
    else:
        name, known, axes = value.name, _known_of_labels(value), "YX"
    known = {_printable(key): _printable(text) for key, text in known.items()}
    ome: dict[str, Any] = {
        "axes": axes,
        "Name": _printable(name),
        "Description": "; ".join(f"{key}: {text}" for key, text in known.items()),
        "MapAnnotation": {"Namespace": NAMESPACE, "Value": known},
        "Creator": f"{NAMESPACE} {__version__}",
        "UUID": str(uuid4()),  # tifffile's own holds the address of this machine's network card
    }
    if um_per_px is not None:
        y, x = um_per_px
        ome |= {"PhysicalSizeX": x, "PhysicalSizeXUnit": "µm"}
        ome |= {"PhysicalSizeY": y, "PhysicalSizeYUnit": "µm"}
    return ome


def _known_of_slide(slide: Slide) -> dict[str, str]:
    known = {"written from": slide.fingerprint, "pixel size from": slide.scale_source}
    if slide.colour:
        known["colour"] = ", ".join(slide.colour)
    return known


def _known_of_labels(value: Prediction | LabelImage) -> dict[str, str]:
    if isinstance(value, Prediction):
        known = {"0": "not analysed"}
        known |= {str(n): name for n, name in enumerate(value.classes, start=1)}
    else:
        known = {"0": "background"}
        named = {n: str(one["class"]) for n, one in value.properties.items() if "class" in one}
        if len(named) <= MOST_NAMED:
            known |= {str(label): name for label, name in named.items()}
        else:
            known["classes"] = ", ".join(list(dict.fromkeys(named.values()))[:MOST_NAMED])
    if value.frame is not None:
        y, x = value.frame.origin_um
        known |= {"first pixel y_um": f"{y:.6g}", "first pixel x_um": f"{x:.6g}"}
    return known


def _printable(text: str) -> str:
    """XML has no control characters."""
    return "".join(one if one.isprintable() else " " for one in text)
