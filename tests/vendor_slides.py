"""Small slides as the scanners of several vendors write them, 0.5 um/px, with two levels.

The pixels of a maker's slide are `rgb`, which must be of shape `SHAPE`: where a format keeps
overlapping tiles, it takes 4 x 8 of them to cover it. Every maker but `hamamatsu` is lossless.
"""

from __future__ import annotations

import base64
import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

RGB = NDArray[np.uint8]

TILE, OVERLAP = 64, 8
STEP = TILE - OVERLAP
ROWS, COLUMNS = 4, 8
SHAPE = (TILE + (ROWS - 1) * STEP, TILE + (COLUMNS - 1) * STEP)

GREEN, RED, BLUE = (20, 200, 60), (200, 30, 30), (30, 40, 190)
"""Colours of the label, macro and thumbnail."""

LOSSLESS: dict[str, Any] = {
    "tile": (TILE, TILE),
    "compression": "zlib",
    "photometric": "rgb",
    "metadata": None,
}


def plain(colour: tuple[int, int, int], height: int = 64, width: int = 64) -> RGB:
    """A picture of one colour."""
    return np.full((height, width, 3), colour, np.uint8)


def jpeg(rgb: RGB) -> bytes:
    """The bytes of a JPEG."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=95, subsampling=0)
    return file.getvalue()


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


def tiles_of(rgb: RGB) -> Iterator[tuple[int, int, RGB]]:
    """Row, column and pixels of the overlapping tiles that cover a picture."""
    for row in range(ROWS):
        for column in range(COLUMNS):
            y, x = row * STEP, column * STEP
            yield row, column, rgb[y : y + TILE, x : x + TILE]


def mosaic(rgb: RGB) -> RGB:
    """The overlapping tiles side by side."""
    out = np.empty((ROWS * TILE, COLUMNS * TILE, 3), np.uint8)
    for row, column, tile in tiles_of(rgb):
        out[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE] = tile
    return out


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


def mirax(
    folder: Path,
    rgb: RGB,
    *,
    at: tuple[int, int] = (66, 100),
    jitter_px: int = 2,
    missing: tuple[tuple[int, int], ...] = (),
) -> Path:
    """A MIRAX slide: photos that the camera took not quite in rows, from `at` (y, x) px on.

    Those in the rows and columns `missing` were not taken. With an odd jitter the second level
    falls between pixels of the first.
    """
    data = folder / "slide"
    data.mkdir()
    rng = np.random.default_rng(1)
    across, down = COLUMNS + 4, ROWS + 4
    positions = np.zeros((down, across, 2), np.int32)
    photos: dict[int, RGB] = {}
    for row, column, _ in tiles_of(rgb):
        if (row, column) in missing:
            continue
        shift = rng.integers(-1, 2, 2) * jitter_px
        top = row * STEP + (shift[0] if 0 < row < ROWS - 1 else 0)
        left = column * STEP + (shift[1] if 0 < column < COLUMNS - 1 else 0)
        positions[row + 1, column + 1] = at[1] + left, at[0] + top
        photo = rgb[top : top + TILE, left : left + TILE]
        photos[(row + 1) * across + column + 1] = photo
    coarse: dict[int, RGB] = {}
    for index, photo in photos.items():
        row, column = divmod(index, across)
        whole = coarse.setdefault(row // 2 * 2 * across + column // 2 * 2, plain((0, 0, 0)))
        half = slice(row % 2 * 32, row % 2 * 32 + 32), slice(column % 2 * 32, column % 2 * 32 + 32)
        whole[half] = photo[::2, ::2]
    buffer = b"".join(struct.pack("<Bii", 1, *place) for place in positions.reshape(-1, 2).tolist())
    extras = [buffer, *(jpeg(plain(colour)) for colour in (RED, GREEN, BLUE))]
    levels = [{i: png(tile) for i, tile in level.items()} for level in (photos, coarse)]
    write_mirax_files(data, levels, extras)
    (data / "Slidedat.ini").write_text(slidedat(across, down))
    path = folder / "slide.mrxs"
    path.write_bytes(b"")
    return path


def png(rgb: RGB) -> bytes:
    """The bytes of a PNG."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "PNG", compress_level=1)
    return file.getvalue()


MIRAX_ID = "0123456789ABCDEF"


def write_mirax_files(data: Path, levels: list[dict[int, bytes]], extras: list[bytes]) -> None:
    """Write Data0000.dat, the images and records, and Index.dat, where in it they are."""
    blob = bytearray(b"01.02" + MIRAX_ID.encode())

    def store(content: bytes) -> tuple[int, int, int]:
        start = len(blob)
        blob.extend(content)
        return start, len(content), 0

    pages = [
        struct.pack("<ii", len(level), 0)
        + b"".join(struct.pack("<iiii", i, *store(image)) for i, image in level.items())
        for level in levels
    ]
    records = [struct.pack("<iiiiiii", 1, 0, 0, 0, *store(extra)) for extra in extras]
    index = bytearray(b"01.02" + MIRAX_ID.encode())
    roots = len(index)
    index.extend(bytes(8))
    for number, group in enumerate((pages, records)):
        struct.pack_into("<i", index, roots + 4 * number, len(index))
        table = len(index)
        index.extend(bytes(4 * len(group)))
        for entry, page in enumerate(group):
            struct.pack_into("<i", index, table + 4 * entry, len(index))
            index.extend(struct.pack("<ii", 0, len(index) + 8) + page)
    (data / "Data0000.dat").write_bytes(blob)
    (data / "Index.dat").write_bytes(index)


def slidedat(across: int, down: int) -> str:
    """The text of Slidedat.ini."""
    zoom = "".join(
        f"""
[LAYER_0_LEVEL_{n}_SECTION]
OVERLAP_X = {OVERLAP / 2**n}
OVERLAP_Y = {OVERLAP / 2**n}
MICROMETER_PER_PIXEL_X = {0.5 * 2**n}
MICROMETER_PER_PIXEL_Y = {0.5 * 2**n}
IMAGE_FORMAT = PNG
IMAGE_FILL_COLOR_BGR = {0xF2F1F0}
DIGITIZER_WIDTH = {TILE}
DIGITIZER_HEIGHT = {TILE}
IMAGE_CONCAT_FACTOR = {n}
"""
        for n in range(2)
    )
    kinds = {"SlideThumbnail": "THUMBNAIL", "SlideBarcode": "BARCODE", "SlidePreview": "PREVIEW"}
    named = "".join(
        f"NONHIER_1_VAL_{n} = ScanDataLayer_{name}\n"
        f"NONHIER_1_VAL_{n}_SECTION = NONHIERLAYER_1_LEVEL_{n}_SECTION\n"
        for n, (name, _) in enumerate(kinds.items())
    )
    formats = "".join(
        f"[NONHIERLAYER_1_LEVEL_{n}_SECTION]\n{key}_IMAGE_TYPE = JPEG\n"
        for n, (_, key) in enumerate(kinds.items())
    )
    return f"""[GENERAL]
SLIDE_VERSION = 01.02
SLIDE_ID = {MIRAX_ID}
IMAGENUMBER_X = {across}
IMAGENUMBER_Y = {down}
OBJECTIVE_MAGNIFICATION = 20
CameraImageDivisionsPerSide = 1
[HIERARCHICAL]
INDEXFILE = Index.dat
HIER_COUNT = 1
HIER_0_NAME = Slide zoom level
HIER_0_COUNT = 2
HIER_0_VAL_0 = ZoomLevel_0
HIER_0_VAL_0_SECTION = LAYER_0_LEVEL_0_SECTION
HIER_0_VAL_1 = ZoomLevel_1
HIER_0_VAL_1_SECTION = LAYER_0_LEVEL_1_SECTION
NONHIER_COUNT = 2
NONHIER_0_NAME = VIMSLIDE_POSITION_BUFFER
NONHIER_0_COUNT = 1
NONHIER_0_VAL_0 = default
NONHIER_0_VAL_0_SECTION = NONHIERLAYER_0_LEVEL_0_SECTION
NONHIER_1_NAME = Scan data layer
NONHIER_1_COUNT = 3
{named}[NONHIERLAYER_0_LEVEL_0_SECTION]
VIMSLIDE_POSITION_DATA_FORMAT_VERSION = 257
[DATAFILE]
FILE_COUNT = 1
FILE_0 = Data0000.dat
{formats}{zoom}"""


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
