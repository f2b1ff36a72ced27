"""A small MIRAX slide: a text, an index and a data file with photos at measured places."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image

from overlapping_tiles import BLUE, COLUMNS, GREEN, OVERLAP, RED, RGB, ROWS, STEP, TILE, jpeg, plain


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
    for row, column in np.ndindex(ROWS, COLUMNS):
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
