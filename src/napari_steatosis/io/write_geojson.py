"""Droplets, tissue and annotations as GeoJSON that QuPath reads, streamed in batches."""

from __future__ import annotations

import gzip
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from ..core.annotation import Annotations
from ..core.mask import Mask
from ..core.replacing import replacing
from ..core.report import Report
from ._geojson.encode import FOOT, HEAD, SEPARATOR, encoded
from ._geojson.report_outlines import outlined
from ._masks import annotations_of_mask

BATCH = 1000
GZIP_LEVEL = 5
"""As small as level 6 for outlines, in two thirds of the time."""

BATCHES_WAITING = 8


def write_geojson(
    value: Report | Annotations | Mask,
    path: Path,
    *,
    overwrite: bool = False,
    on_feature: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Write droplets as detections and the analysed tissue as an annotation, for QuPath.

    Coordinates are (x, y) in pixels of the slide's level 0, whose pixel (0, 0) reaches from
    0 to 1, with two decimals. Outlines run along the sides of the pixels of the class map, so
    an outline holds exactly the area that was measured. Identities are UUIDs that depend on
    the result only. Regions of fat that are too large to be taken apart have no outline (the
    report's flags name them). A path that ends in ``.gz`` is compressed. Features are written
    as they are traced, so their number costs no memory; `geojson_size` tells the size before.

    Parameters
    ----------
    value : Report, Annotations or Mask
        Droplets and tissue, annotations as they are, or the pieces of a mask as annotations.
    path : Path
        What to write.
    overwrite : bool
        Replace what is there.
    on_feature : callable, optional
        Called with the number of features written and of all, after every thousand and at
        the end.

    Raises
    ------
    BadValueError
        The report has no outlines, the pixel size of the slide's level 0 is not known, or
        the mask does not say which slide it is of.
    """
    given = annotations_of_mask(value, str(path)) if isinstance(value, Mask) else value
    total, annotations = outlined(given, str(path))
    done = 0
    with replacing(path, overwrite=overwrite) as part, _sink(part, path) as put:
        put(HEAD)
        while batch := list(islice(annotations, BATCH)):
            put((SEPARATOR if done else b"") + SEPARATOR.join(encoded(batch, done)))
            done += len(batch)
            if on_feature is not None and len(batch) == BATCH:
                on_feature(done, total)
        put(FOOT)
    if on_feature is not None:
        on_feature(done, done)
    return [path]


@contextmanager
def _sink(part: Path, path: Path) -> Iterator[Callable[[bytes], object]]:
    """Give a function that writes; compression runs beside the tracing of what comes next."""
    if path.suffix.lower() != ".gz":
        with part.open("wb") as file:
            yield file.write
        return
    waiting: deque[Future[int]] = deque()
    with (  # no name and no time inside, so the same result gives the same file
        part.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=GZIP_LEVEL, fileobj=raw, mtime=0) as packed,
        ThreadPoolExecutor(1) as thread,
    ):

        def put(data: bytes) -> None:
            waiting.append(thread.submit(packed.write, data))
            if len(waiting) > BATCHES_WAITING:
                waiting.popleft().result()

        yield put
        while waiting:
            waiting.popleft().result()
