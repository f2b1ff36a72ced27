"""Small slides as the scanners of several vendors write them, 0.5 um/px, with two levels.

The pixels of a maker's slide are `rgb`, which must be of shape `SHAPE`: where a format keeps
overlapping tiles, it takes 4 x 8 of them to cover it. Every maker but `hamamatsu` is lossless.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from mirax_slide import mirax
from overlapping_tiles import (
    BLUE,
    COLUMNS,
    GREEN,
    OVERLAP,
    RED,
    RGB,
    ROWS,
    TILE,
    jpeg,
    mosaic,
    plain,
)

LOSSLESS: dict[str, Any] = {
    "tile": (TILE, TILE),
    "compression": "zlib",
    "photometric": "rgb",
    "metadata": None,
}


def svs(
    folder: Path,
    rgb: RGB,
    *,
    mpp: str | None = "0.5",
    per_cm: float | None = None,
    per_inch: float | None = None,
    icc: bytes | None = None,
) -> Path:
    """An Aperio slide; its label and macro in strips, and a resolution tag where wanted."""
    path = folder / "slide.svs"
    head = f"Aperio Image Library v11\n{rgb.shape[1]}x{rgb.shape[0]} (64x64) "
    text = head + "|AppMag = 20" + (f"|MPP = {mpp}" if mpp else "")
    kind = {**LOSSLESS, "description": text, "iccprofile": icc}
    strips = {**LOSSLESS, "tile": None, "rowsperstrip": 16}
    resolution = per_cm or per_inch
    if resolution:
        kind["resolution"] = (resolution, resolution)
        kind["resolutionunit"] = "CENTIMETER" if per_cm else "INCH"
    with tifffile.TiffWriter(path) as file:
        file.write(rgb, **kind)
        file.write(plain(BLUE), **{**strips, "description": text})
        file.write(rgb[::2, ::2], **{**LOSSLESS, "description": text})
        for name, colour, bits in (("label", GREEN, 1), ("macro", RED, 9)):
            file.write(plain(colour), **strips, description=head + f"\n{name}", subfiletype=bits)
    return path


def scn(
    folder: Path,
    rgb: RGB,
    *,
    offsets: tuple[tuple[int, int], ...] = ((60, 90),),
    extent: tuple[int, int] = (700, 1400),
) -> Path:
    """A Leica slide of some extent, px, with `rgb` at each of some offsets (y, x) px."""
    path, nm = folder / "slide.scn", 500
    height, width = rgb.shape[:2]
    half = rgb[::2, ::2]

    def image(y: int, x: int, sizes: list[tuple[int, int, int]], side: tuple[int, int]) -> str:
        ifds = "".join(f'<dimension sizeX="{w}" sizeY="{h}" r="0" ifd="{i}"/>' for i, h, w in sizes)
        view = f'sizeX="{side[1] * nm}" sizeY="{side[0] * nm}"'
        return (
            f"<image><device model='Leica SCN400'/><pixels>{ifds}</pixels>"
            f'<view {view} offsetX="{x * nm}" offsetY="{y * nm}"/><scanSettings>'
            f"<objectiveSettings><objective>20</objective></objectiveSettings>"
            f"<illuminationSettings><illuminationSource>brightfield</illuminationSource>"
            f"</illuminationSettings></scanSettings></image>"
        )

    images = image(0, 0, [(0, 64, 128)], extent)
    for number, (y, x) in enumerate(offsets):
        sizes = [(1 + 2 * number, height, width), (2 + 2 * number, *half.shape[:2])]
        images += image(y, x, sizes, (height, width))
    xml = (
        '<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">'
        f'<collection sizeX="{extent[1] * nm}" sizeY="{extent[0] * nm}">{images}</collection></scn>'
    )
    scale = {"resolution": (20000, 20000), "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        file.write(plain(RED, 64, 128), **LOSSLESS, description=xml)
        for _ in offsets:
            file.write(rgb, **LOSSLESS, **scale)
            file.write(half, **LOSSLESS, subfiletype=1)
    return path


def bif(folder: Path, rgb: RGB, *, x: int = 0) -> Path:
    """A Ventana slide of overlapping tiles, scanned from `x` px on."""
    path = folder / "slide.bif"

    def number(row: int, column: int) -> int:
        """Tiles are numbered from the bottom, there and back."""
        upwards = ROWS - 1 - row
        return upwards * COLUMNS + (COLUMNS - 1 - column if upwards % 2 else column) + 1

    joints = ""
    for row in range(ROWS):
        for column in range(COLUMNS):
            if column + 1 < COLUMNS:
                joints += joint("RIGHT", number(row, column), number(row, column + 1), OVERLAP, 0)
            if row > 0:
                joints += joint("UP", number(row, column), number(row - 1, column), 0, OVERLAP)
    iscan = "<iScan Magnification='20' ScanRes='0.5' UnitNumber='1'/>"
    encoded = (
        f"<EncodeInfo><SlideStitchInfo><ImageInfo AOIScanned='1' Width='{TILE}' Height='{TILE}' "
        f"NumRows='{ROWS}' NumCols='{COLUMNS}' Pos-X='{x}' Pos-Y='0'>{joints}</ImageInfo>"
        f"</SlideStitchInfo><AoiOrigin><AOI0 OriginX='{x // TILE * TILE}' OriginY='0'/>"
        f"</AoiOrigin></EncodeInfo>"
    )

    def packet(xml: str) -> list[tuple[int, str, int, bytes, bool]]:
        data = xml.encode() + b"\0"
        return [(700, "B", len(data), data, True)]

    # Tiles of both levels are addressed from the left edge of the slide on.
    level = np.pad(mosaic(rgb), ((0, 0), (x // TILE * TILE, 0), (0, 0)), constant_values=255)
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        file.write(plain(RED), **LOSSLESS, description="Label Image", extratags=packet(iscan))
        file.write(plain(BLUE), **LOSSLESS, description="Thumbnail")
        for n, tags in ((0, packet(encoded)), (1, [])):
            text = f"level={n} mag={20 / 2**n:g} quality=95"
            pixels = level[:: 2**n, :: 2**n]
            file.write(pixels, **LOSSLESS, description=text, extratags=tags)
    return path


def joint(direction: str, first: int, second: int, x: int, y: int) -> str:
    """How two tiles of a Ventana slide overlap."""
    return (
        f"<TileJointInfo FlagJoined='1' Confidence='100' Direction='{direction}' "
        f"Tile1='{first}' Tile2='{second}' OverlapX='{x}' OverlapY='{y}'/>"
    )


def trestle(folder: Path, rgb: RGB) -> Path:
    """A Trestle slide of overlapping tiles; its resolution tags are in um per px."""
    path = folder / "slide.tif"
    text = f"Objective Power=20;OverlapsXY= {OVERLAP} {OVERLAP} 0 0;Background Color=F0F1F2"
    kind = {**LOSSLESS, "software": "MedScan"}
    with tifffile.TiffWriter(path) as file:
        file.write(mosaic(rgb), **kind, description=text, resolution=(0.5, 0.5))
        file.write(rgb[::2, ::2], **kind, subfiletype=1)
    (folder / "slide.Full").write_bytes(jpeg(plain(RED)))
    return path


def philips(folder: Path, rgb: RGB, *, scale_of_image: bool = True) -> Path:
    """A Philips slide: everything but the pixels is in its XML, some of it twice."""
    path = folder / "slide.tiff"

    def attribute(name: str, value: str) -> str:
        return f'<Attribute Name="{name}" Group="0x0" Element="0x0">{value}</Attribute>'

    def image(kind: str, content: str) -> str:
        inner = attribute("PIM_DP_IMAGE_TYPE", kind) + content
        return f'<DataObject ObjectType="DPScannedImage">{inner}</DataObject>'

    def spacing(um: float) -> str:
        return attribute("DICOM_PIXEL_SPACING", f'"{um / 1000}" "{um / 1000}"')

    levels = "".join(
        f'<DataObject ObjectType="PixelDataRepresentation">{spacing(um)}</DataObject>'
        for um in (0.5, 1.0)
    )
    sequence = attribute("PIIM_PIXEL_DATA_REPRESENTATION_SEQUENCE", f"<Array>{levels}</Array>")
    images = image("WSI", spacing(0.5) * scale_of_image + sequence)
    for kind, colour in (("LABELIMAGE", GREEN), ("MACROIMAGE", RED)):
        data = base64.b64encode(jpeg(plain(colour))).decode()
        images += image(kind, attribute("PIM_DP_IMAGE_DATA", data))
    xml = (
        '<?xml version="1.0"?><DataObject ObjectType="DPUfsImport">'
        f"{attribute('PIM_DP_SCANNED_IMAGES', f'<Array>{images}</Array>')}</DataObject>"
    )
    kind = {**LOSSLESS, "software": "Philips DP v1.0"}
    with tifffile.TiffWriter(path) as file:
        file.write(rgb, **kind, description=xml)
        file.write(rgb[::2, ::2], **kind, subfiletype=1)
    return path


def hamamatsu(folder: Path, rgb: RGB) -> Path:
    """A Hamamatsu NDPI: each level one JPEG, known by tags of its own."""
    path = folder / "slide.ndpi"

    def tags(lens: float) -> list[tuple[int, int, int, Any, bool]]:
        return [(65420, 4, 1, 1, True), (65421, 11, 1, lens, True), (65424, 9, 1, 0, True)]

    with tifffile.TiffWriter(path) as file:
        for lens, pixels in ((20.0, rgb), (10.0, rgb[::2, ::2]), (-1.0, plain(RED))):
            file.write(
                pixels,
                rowsperstrip=len(pixels),
                compression="jpeg",
                compressionargs={"level": 98},
                subsampling=(1, 1),
                photometric="rgb",
                metadata=None,
                resolution=(abs(lens) * 1000, abs(lens) * 1000),
                resolutionunit="CENTIMETER",
                extratags=tags(lens),
            )
    return path


MAKERS = {
    "aperio": svs,
    "leica": scn,
    "ventana": bif,
    "trestle": trestle,
    "philips": philips,
    "hamamatsu": hamamatsu,
    "mirax": mirax,
}
"""One maker per vendor, under OpenSlide's name for it."""
