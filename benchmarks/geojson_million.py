"""A million droplets to GeoJSON and back: time, memory and size, against geopandas.

    python benchmarks/geojson_million.py --droplets 1000000

The class map is a block of drawn discs, 3 to 40 um across at 0.5 um/px, that repeats to any size
and is made where it is read; `measure` makes a real report of it, and outlines are traced while
they are written, as in an analysis. Every step runs in a process of its own. geopandas gets the
same features (identities, classes with colours, measurements, coordinates rounded alike) from the
same tracing, writes GeoJSON with pyogrio and then gzip at level 6, the level of the gzip command.
On a busy machine compare the processor times: other work stretches the others unevenly.
"""

from __future__ import annotations

import argparse
import gzip
import json
import pickle
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import napari_steatosis as st
from napari_steatosis.core.geometry import Frame
from napari_steatosis.core.prediction import Prediction

UM_PER_PX = 0.5
BLOCK_PX = 2048
ATTEMPTS = 12_000


def drawn_block(seed=0):
    """Return a class map of one block, and draw no disc across its border."""
    rng = np.random.default_rng(seed)
    block = np.ones((BLOCK_PX, BLOCK_PX), np.uint8)
    taken = np.zeros_like(block, bool)
    for radius in np.clip(rng.lognormal(np.log(7), 0.6, ATTEMPTS), 3, 40):
        reach = int(radius) + 2
        y, x = rng.integers(reach, BLOCK_PX - reach, 2)
        window = slice(y - reach, y + reach + 1), slice(x - reach, x + reach + 1)
        rows, columns = np.ogrid[-reach : reach + 1, -reach : reach + 1]
        angle, lobes = np.arctan2(rows, columns), rng.uniform(0, 0.1)
        edge = radius * (1 + lobes * np.sin(3 * angle + rng.uniform(0, 6)))
        inside = rows**2 + columns**2 <= edge**2
        if not taken[window][rows**2 + columns**2 <= (radius + 1.5) ** 2].any():
            block[window][inside] = 2
            taken[window] |= inside
    return block


class Repeated:
    """A class map that repeats a block, made where it is read."""

    def __init__(self, block, rows, columns, stride=1):
        self.block, self.stride = block, stride
        self.full = block.shape[0] * rows, block.shape[1] * columns
        self.shape = tuple(-(-side // stride) for side in self.full)

    def __getitem__(self, key):
        rows, columns = (
            np.arange(length)[one] * self.stride
            for one, length in zip(key, self.shape, strict=True)
        )
        return self.block[rows[:, None] % BLOCK_PX, columns[None] % BLOCK_PX]


def report_of(droplets):
    from scipy import ndimage

    block = drawn_block()
    repeats = int(np.ceil(np.sqrt(droplets / ndimage.label(block == 2)[1])))
    levels = [Repeated(block, repeats, repeats, 2**level) for level in range(6)]
    stated = {"um_per_px": [UM_PER_PX / 2] * 2}
    frame = Frame((UM_PER_PX / 2,) * 2).coarser(2)
    return st.measure(
        Prediction("fat", levels, ("tissue", "fat"), frame, {"digest": "ab", "slide": stated})
    )


def trace(report, path):
    """Trace the outlines and throw them away: what any writer has to wait for."""
    return sum(len(ring) for outline in report.outlines(None) for ring in outline.rings)


def write(report, path):
    seen = []
    st.write(report, path, on_feature=lambda done, total: seen.append((done, total)))
    return seen[-1][0]


def estimate(report, path):
    return st.geojson_size(report)


def with_geopandas(report, path):
    import geopandas
    import orjson
    import shapely

    from napari_steatosis.io._geojson.encode import DECIMALS
    from napari_steatosis.io._geojson.report_outlines import outlined

    columns = {key: [] for key in ("id", "objectType", "classification", "measurements")}
    polygons = []
    for one in outlined(report, str(path))[1]:
        rings = [
            np.round(ring[:, ::-1] + 0.5, DECIMALS) for (part,) in [one.parts] for ring in part
        ]
        polygons.append(shapely.Polygon(rings[0], rings[1:]))
        columns["id"].append(one.identity)
        columns["objectType"].append(one.kind)
        look = {"name": one.class_name or one.name, "color": one.colour}
        columns["classification"].append(orjson.dumps(look).decode())
        columns["measurements"].append(orjson.dumps(dict(one.measurements)).decode())
    frame = geopandas.GeoDataFrame(columns, geometry=polygons)
    plain = path.with_suffix("")
    frame.to_file(plain, driver="GeoJSON", engine="pyogrio", ID_FIELD="id", COORDINATE_PRECISION=2)
    with plain.open("rb") as source, gzip.open(path, "wb", compresslevel=6) as target:
        shutil.copyfileobj(source, target, 2**20)
    return len(frame)


def read(report, path):
    return len(st.open_annotations(path))


def read_with_geopandas(report, path):
    import geopandas

    return len(geopandas.read_file(f"/vsigzip/{path}", engine="pyogrio"))


def labels(report, path):
    """Draw one screen of the finest level, and all of the coarsest."""
    annotations = st.open_annotations(path)
    began = time.perf_counter()
    drawn = st.labels_of(annotations, (100_000, 100_000))
    indexed = time.perf_counter()
    drawn.levels[0][40_000:41_024, 40_000:42_048]
    screen = time.perf_counter()
    drawn.levels[-1][:]
    coarsest = time.perf_counter()
    return [round(b - a, 2) for a, b in ((began, indexed), (indexed, screen), (screen, coarsest))]


STEPS = {
    "trace": trace,
    "write": write,
    "estimate": estimate,
    "with_geopandas": with_geopandas,
    "read": read,
    "read_with_geopandas": read_with_geopandas,
    "labels": labels,
}


def worker(step, folder):
    needs_report = step in ("trace", "write", "estimate", "with_geopandas")
    report = pickle.loads((folder / "report.pickle").read_bytes()) if needs_report else None
    name = "geopandas" if step == "with_geopandas" else "ours"
    path = folder / f"{name}.geojson.gz"
    began, processor = time.perf_counter(), time.process_time()
    result = STEPS[step](report, path)
    print(
        json.dumps(
            {
                "step": step,
                "seconds": round(time.perf_counter() - began, 1),
                "processor_s": round(time.process_time() - processor, 1),
                "peak_GB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 3),
                "result": result,
            }
        )
    )


def unpacked_bytes(path):
    count = 0
    with gzip.open(path) as file:
        while data := file.read(2**20):
            count += len(data)
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--droplets", type=int, default=1_000_000)
    parser.add_argument("--steps", nargs="+", default=list(STEPS), choices=STEPS)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--worker", choices=STEPS, default=None)
    given = parser.parse_args()
    if given.worker:
        worker(given.worker, given.folder)
        return
    with tempfile.TemporaryDirectory() as made:
        folder = given.folder or Path(made)
        if not (folder / "report.pickle").exists():
            report = report_of(given.droplets)
            (folder / "report.pickle").write_bytes(pickle.dumps(report))
            table = report.tables["droplets"]
            parts = np.percentile(table["diameter_um"], [0, 50, 100]).round(1).tolist()
            print(f"{len(table['id'])} droplets of {parts} um, map {report.prediction.shape} px")
        done = {}
        for step in given.steps:
            command = [sys.executable, __file__, "--worker", step, "--folder", str(folder)]
            found = subprocess.run(command, check=True, capture_output=True, text=True)
            done[step] = json.loads(found.stdout)
            print(done[step], flush=True)
        sizes = {path.name: path.stat().st_size for path in folder.glob("*.gz")}
        print({name: f"{size / 1e6:.1f} MB" for name, size in sizes.items()})
        if "ours.geojson.gz" in sizes:
            print(f"ours unpacked: {unpacked_bytes(folder / 'ours.geojson.gz') / 1e6:.1f} MB")
        if {"write", "with_geopandas"} <= done.keys():
            ours, theirs = done["write"], done["with_geopandas"]
            print(
                f"ours / geopandas: time {ours['seconds'] / theirs['seconds']:.2f}, "
                f"processor {ours['processor_s'] / theirs['processor_s']:.2f}, "
                f"memory {ours['peak_GB'] / theirs['peak_GB']:.2f}, "
                f"size {sizes['ours.geojson.gz'] / sizes['geopandas.geojson.gz']:.2f}"
            )


if __name__ == "__main__":
    main()
