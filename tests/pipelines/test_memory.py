"""Peak memory of a run above imports and model: little, and not more for a taller slide."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import psutil
import pytest
import tifffile

import napari_steatosis as st
from napari_steatosis.core.geometry import Region
from napari_steatosis.models._threads import trim_heap

pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")

RUN = """
import json, sys
from pathlib import Path
import numpy as np
import napari_steatosis as st
def peak():  # not ru_maxrss, which begins with that of the parent
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024 / 1e6
model = st.load_model("steatosis-he", device="cpu", precision=sys.argv[2])
model.predict(np.zeros((1, 512, 512, 3), np.uint8))
slide = st.open_slide(sys.argv[1], um_per_px=0.5)
before = peak()
fat = st.segment(slide, model, store=sys.argv[3])
print(json.dumps({"above_start_MB": peak() - before, "shape": fat.shape}))
"""


def test_what_is_free_goes_back_to_the_system():
    def resident_mb():
        return psutil.Process().memory_info().rss / 1e6

    pieces = [bytes(3000) for _ in range(60_000)]
    last = pieces.pop()  # on top of the heap, so that nothing is given back by itself
    del pieces
    before = resident_mb()
    trim_heap()
    assert resident_mb() < before - 100
    assert len(last) == 3000


def slide_of(path, rows, columns):
    """Write a tiled TIFF that repeats a drawn block of 512 px."""
    liver = st.drawn_liver(512, 512, seed=2, glass=False)
    block = liver.read(Region(y=0, x=0, height=512, width=512), 0)
    tifffile.imwrite(
        path,
        np.tile(block, (rows, columns, 1)),
        tile=(512, 512),
        photometric="rgb",
        compression="zlib",
    )
    return path


def above_start(tmp_path, name, rows, columns, precision="bf16"):
    path = slide_of(tmp_path / f"{name}.tif", rows, columns)
    command = [sys.executable, "-c", RUN, str(path), precision, str(tmp_path / f"{name}.zarr")]
    environment = {"OMP_NUM_THREADS": "2", "PATH": ""}
    found = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    said = json.loads(found.stdout.splitlines()[-1])
    assert said["shape"] == [512 * rows, 512 * columns]
    return said["above_start_MB"]


def test_wide_blocks_in_two_threads_take_little_and_height_takes_none(tmp_path):
    low = above_start(tmp_path, "low", 2, 16)
    high = above_start(tmp_path, "high", 6, 16)
    assert 0 < low < 400  # 280 and 340; what threads leave behind depends on their timing
    assert high < 400
    assert high < low + 100
