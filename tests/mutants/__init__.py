"""Damaged and hostile copies of small slides, made from a seed, and what becomes of each.

``mutant(number, folder)`` makes the copy; `mutants.worker` opens and reads it in a process of
its own. The same number gives the same copy on every machine.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

import vendor_slides
from made_slides import MAKERS, ome_zarr, stained
from mirax_slide import mirax
from napari_steatosis.core.annotation import Annotation, Annotations
from napari_steatosis.core.geometry import Frame
from napari_steatosis.core.label_image import LabelImage
from napari_steatosis.io.write import write
from overlapping_tiles import SHAPE

from .file_bytes import BYTE_CHANGES
from .json_values import JSON_CHANGES
from .pictures import PICTURE_CHANGES
from .tiff_tags import TIFF_CHANGES
from .zarr_trees import ZARR_CHANGES


def tiff(folder: Path, rgb: NDArray[np.uint8], **kind: Any) -> Path:
    """Write a plain TIFF of two levels."""
    path = folder / "plain.tif"
    writer = {key: kind.pop(key) for key in ("bigtiff", "byteorder") if key in kind}
    if kind.get("planarconfig") == "separate":
        rgb = np.moveaxis(rgb, -1, 0)
    with tifffile.TiffWriter(path, **writer) as file:
        for level in (rgb, rgb[..., ::2, ::2] if len(rgb) == 3 else rgb[::2, ::2]):
            file.write(level, photometric="rgb", metadata=None, **kind)
    return path


def picture(folder: Path, rgb: NDArray[np.uint8], suffix: str) -> Path:
    """Write a picture as Pillow does."""
    path = folder / f"picture{suffix}"
    Image.fromarray(rgb).save(path)
    return path


def nuclei(folder: Path, rgb: NDArray[np.uint8]) -> Path:
    """Write label images of a program, without a slide."""
    values = {value: {"class": f"kind {value}"} for value in (1, 2)}
    labels = LabelImage("nuclei", [rgb[..., 0] % 3], Frame((0.5, 0.5)), properties=values)
    write(labels, folder / "nuclei.ome.zarr")
    return folder / "nuclei.ome.zarr"


def drawn(folder: Path, rgb: NDArray[np.uint8]) -> Path:
    """Write annotations as QuPath does."""
    rings = [np.array([(n, n), (n, n + 9), (n + 9, n + 9), (n, n)], float) for n in range(40)]
    items = (Annotation("polygon", ((ring,),), class_name="A", measurements={"Area": 1.5})
             for ring in rings)  # fmt: skip
    write(Annotations(tuple(items)), folder / "drawn.geojson")
    return folder / "drawn.geojson"


Maker = Callable[[Path, NDArray[np.uint8]], Path]

BASES: dict[str, Maker] = {
    **MAKERS,
    "ome-zarr-0.4": partial(ome_zarr, version="0.4"),
    "ome-zarr-sharded": partial(ome_zarr, shards=True),
    "mirax": mirax,
    "leica": lambda folder, rgb: vendor_slides.scn(folder, rgb),
    "ventana": vendor_slides.bif,
    "trestle": vendor_slides.trestle,
    "philips": vendor_slides.philips,
    "hamamatsu": vendor_slides.hamamatsu,
    "tiff-jpeg": partial(tiff, compression="jpeg", tile=(64, 64)),
    "tiff-planar": partial(tiff, compression="lzw", planarconfig="separate", tile=(64, 64)),
    "tiff-strips": partial(tiff, compression="zstd", rowsperstrip=16, byteorder=">"),
    "tiff-raw": partial(tiff, bigtiff=True),
    "jpeg": partial(picture, suffix=".jpg"),
    "webp": partial(picture, suffix=".webp"),
    "bmp": partial(picture, suffix=".bmp"),
    "labels": nuclei,
    "geojson": drawn,
}
"""One sound slide of each kind."""


@dataclass(frozen=True)
class Mutant:
    """One damaged copy.

    Parameters
    ----------
    number : int
        The seed that made it.
    base : str
        What it was copied from.
    change : str
        What was done to it.
    path : Path
        Where it lies.
    """

    number: int
    base: str
    change: str
    path: Path


def bases(folder: Path) -> dict[str, Path]:
    """Make one sound slide of each kind in `folder`."""
    made = {}
    for name, maker in BASES.items():
        own = folder / name
        own.mkdir(parents=True)
        made[name] = maker(own, stained(*SHAPE))
    return made


def mutant(number: int, sound: dict[str, Path], folder: Path) -> Mutant:
    """Make the damaged copy of this number in `folder`."""
    rng = np.random.default_rng(number)
    base = str(rng.choice(sorted(sound)))
    source = sound[base]
    path = folder / f"{number}{''.join(source.suffixes)}"
    if source.is_dir():
        shutil.copytree(source, path)
        target = path
        metadata = any((path / name).is_file() for name in ("zarr.json", ".zattrs", ".zgroup"))
        changes = ZARR_CHANGES if metadata else BYTE_CHANGES
    else:
        # What lies beside a slide belongs to it (the folder of an mrxs).
        shutil.copy(source, path)
        beside, target = source.with_suffix(""), path
        if beside.is_dir():
            target = Path(shutil.copytree(beside, path.with_name(str(number))))
        head = path.read_bytes()[:4]
        changes = dict(BYTE_CHANGES)
        if path.suffix == ".geojson":
            changes |= JSON_CHANGES
        elif head[:2] in (b"II", b"MM"):
            changes |= TIFF_CHANGES
        elif head in PICTURE_CHANGES:
            changes |= PICTURE_CHANGES[head]
    change = str(rng.choice(sorted(changes)))
    changes[change](target, rng)
    return Mutant(number, base, change, path)
