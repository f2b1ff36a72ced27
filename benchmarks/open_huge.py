"""From a path to a slide of 100 000 px squared on screen: seconds and memory, in a real window.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/open_huge.py

The file is a BigTIFF pyramid whose tiles are all the same JPEG (``tests/huge_tiff.py``), and
the same as an OME-Zarr whose chunks are not stored, white; napari and its window are there
before the clock starts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import zarr

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

CHUNK_PX = 512


def blank_zarr(path: Path, side_px: int) -> Path:
    """Write the metadata of a white OME-Zarr 0.4 pyramid, and no chunk."""
    group = zarr.open_group(str(path), mode="w", zarr_format=2)
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
    datasets, side = [], side_px
    while True:
        level = len(datasets)
        group.create_array(
            str(level), shape=(3, side, side), chunks=(3, CHUNK_PX, CHUNK_PX), dtype="u1",
            fill_value=255, chunk_key_encoding={"name": "v2", "separator": "/"},
        )  # fmt: skip
        scale = [1.0, 0.25 * 2**level, 0.25 * 2**level]
        steps = [{"type": "scale", "scale": scale}]
        datasets.append({"path": str(level), "coordinateTransformations": steps})
        if side <= CHUNK_PX:
            break
        side = -(-side // 2)
    image = {"version": "0.4", "axes": axes, "datasets": datasets}
    group.attrs["multiscales"] = [image]
    return path


def once(path: str) -> dict[str, float]:
    """Open a path in a window that is there already, and draw it."""
    from qtpy.QtWidgets import QApplication

    import napari

    viewer = napari.Viewer()
    viewer.add_image(np.zeros((64, 64, 3), np.uint8), rgb=True)  # the first layer loads much
    for _ in range(20):
        QApplication.processEvents()
    viewer.layers.clear()
    memory = psutil.Process()
    before, start = memory.memory_info().rss, time.perf_counter()
    viewer.open(path, plugin="napari-steatosis")
    added = time.perf_counter() - start
    for _ in range(10):
        QApplication.processEvents()
    drawn = time.perf_counter() - start
    after = memory.memory_info().rss
    shot = viewer.screenshot(canvas_only=True, flash=False)
    (layer,) = viewer.layers
    assert layer.data[0].shape == (*layer.metadata["slide"].shape, 3)
    result = {"added_s": added, "drawn_s": drawn, "grown_mb": (after - before) / 1e6,
              "mean": float(shot[..., :3].mean())}  # fmt: skip
    viewer.close()
    return result


def main() -> None:
    """Print one row per file; each in a process of its own, twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--once")
    options = parser.parse_args()
    if options.once:
        print(json.dumps(once(options.once)))
        return
    from huge_tiff import huge_tiff

    print("| | to the layer | on screen | more memory |\n|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        made = {
            "BigTIFF, JPEG": huge_tiff(Path(folder) / "huge.ome.tif", options.side),
            "OME-Zarr 0.4": blank_zarr(Path(folder) / "huge.ome.zarr", options.side),
        }
        for name, path in made.items():
            rows = []
            for _ in range(options.rounds):
                command = [sys.executable, __file__, "--once", str(path)]
                said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                rows.append(json.loads(said.splitlines()[-1]))
            added, drawn, grown, mean = (
                float(np.median([row[key] for row in rows])) for key in rows[0]
            )
            assert mean > 20, "the canvas is black"
            print(f"| {name} | {added:.2f} s | {drawn:.2f} s | {grown:.0f} MB |", flush=True)


if __name__ == "__main__":
    main()
