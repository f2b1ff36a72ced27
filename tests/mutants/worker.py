"""Open and read damaged copies, one per line of standard input; say what became of each.

Run in a process of its own, so that a crash, a hang or a flood of memory is seen from outside.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from made_slides import stained
from napari_steatosis.core.errors import CannotOpenError, UnreadableRegionError
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.label_image import LabelImage
from napari_steatosis.core.slide import Slide
from napari_steatosis.io import open_annotations, open_labels, open_slide
from napari_steatosis.io._handles import HANDLES

from . import SHAPE
from .same_pixels import stored_pixels

WINDOW_PX = 512
"""Larger levels are read in windows of this side: the corners and the middle."""


def windows(height: int, width: int) -> list[Region]:
    side = WINDOW_PX
    rows = sorted({0, max(0, (height - side) // 2), max(0, height - side)})
    columns = sorted({0, max(0, (width - side) // 2), max(0, width - side)})
    return [
        Region(y=y, x=x, height=min(side, height), width=min(side, width))
        for y in rows
        for x in columns
    ]


def judge(path: Path) -> str:
    """Open a copy and read it, and say in a word how that ended."""
    if path.suffix == ".geojson":
        return _judge_other(lambda: open_annotations(path))
    if (path / "labels").exists():
        return _judge_other(lambda: [_whole(one) for one in open_labels(path)])
    try:
        slide = open_slide(path)
    except CannotOpenError:
        return "refused"
    finally_read = []
    try:
        for level, size in enumerate(slide.levels):
            if size.shrink == 1 or size.height * size.width < 2**22:
                for window in windows(size.height, size.width):
                    finally_read.append((level, window, slide.read(window, level)))
        for name in slide.associated[:4]:
            slide.read_associated(name)
    except UnreadableRegionError:
        return "unreadable"
    return _compare(slide, finally_read)


def _judge_other(read: Callable[[], object]) -> str:
    try:
        read()
    except CannotOpenError:
        return "refused"
    except UnreadableRegionError:
        return "unreadable"
    return "as stored"


def _whole(labels: LabelImage) -> None:
    for level in labels.levels:
        _ = level[: 4 * WINDOW_PX, : 4 * WINDOW_PX]


def _compare(slide: Slide, read: list[tuple[int, Region, np.ndarray]]) -> str:
    expected = stained(*SHAPE)
    first = [pixels for level, window, pixels in read if level == 0]
    if slide.shape == SHAPE and np.array_equal(first[0], expected[windows(*SHAPE)[0].slices]):
        return "sound"
    for level, window, pixels in read:
        if slide.levels[level].shrink == 1:
            stored = stored_pixels(slide, level, window)
            if stored is not None and not np.array_equal(stored, pixels):
                return f"INVENTED: level {level}, {window}"
    return "as stored"


def main() -> None:
    """Judge one path per line until the input ends."""
    for line in sys.stdin:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            outcome = judge(Path(line.rstrip("\n")))
        except BaseException as error:  # the one thing that must not come out
            outcome = f"{type(error).__name__}: {error}"[:300]
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        HANDLES.close()
        print(json.dumps({"outcome": outcome, "grown_kb": after - before}), flush=True)


if __name__ == "__main__":
    main()
