"""Seam labelling: seconds and memory of finding all objects of a class map, with their properties.

    python benchmarks/seam_labelling.py --rounds 3

Objects are drawn on a shaken lattice, none touches another, so that their number is known: 317
squared on 8192 x 8192 px in memory, 872 squared on 22 528 px squared in a Zarr array with the
chunks of a results store. Each way runs in a process of its own; its memory is the highest
resident size less that just before, which holds the imports and the class map in memory.

"ours" is what `measure` and `white_regions` walk over, `components` and `shapes_of`: area, centre,
box, second moments, the border, and which tiles of 512 px it lies in. "droplets" is the whole of
`find_droplets` and `droplet_table`, where clumps are looked for and taken apart, too. "skimage" is
`label` and `regionprops_table` of the whole image. Ours works in one thread; with two, scipy and
the reading of chunks may use the other.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

UM_PER_PX = 0.5
TILE_PX = 512
STEP_PX = 25.84
SIZES = {"100 000": (317, 8192), "760 000": (872, 22528)}
WAYS = ("ours", "droplets", "skimage")


def drawn_rows(y, rows, count, side):
    """Return rows of a class map of tissue (1) with discs of fat (2) on a lattice."""
    random = np.random.default_rng(0)
    centre = (np.arange(count) + 0.5) * STEP_PX
    shaken = random.uniform(-1.2, 1.2, (2, count, count))
    radius = np.clip(random.lognormal(1.9, 0.4, (count, count)), 2.0, 11.0)
    cell = np.minimum((np.arange(side) / STEP_PX).astype(int), count - 1)
    own = cell[y : y + rows]
    down = np.arange(y, y + rows)[:, None] - centre[own][:, None]
    across = (np.arange(side) - centre[cell])[None]
    where = np.ix_(own, cell)
    inside = (down - shaken[0][where]) ** 2 + (across - shaken[1][where]) ** 2
    return 1 + (inside <= radius[where] ** 2).astype(np.uint8)


def draw(name, folder):
    """Write a class map, to be loaded or to be read in chunks."""
    import zarr

    count, side = SIZES[name]
    path = folder / f"{side}"
    if side < 10_000:
        rows = [drawn_rows(y, 1024, count, side) for y in range(0, side, 1024)]
        np.save(path, np.concatenate(rows))
        return path.with_suffix(".npy")
    stored = zarr.create_array(path, shape=(side, side), chunks=(512, 512), dtype=np.uint8)
    for y in range(0, side, 512):
        stored[y : y + 512] = drawn_rows(y, 512, count, side)
    return path


def load(path):
    if path.suffix == ".npy":
        return np.load(path)
    import zarr

    return zarr.open_array(path, mode="r")


def ours(classes):
    from napari_steatosis.quantify._seams import components
    from napari_steatosis.quantify._shapes import Shapes, shapes_of

    found = []
    for part in components(classes, 2, rows_px=512):
        shapes = part if isinstance(part, Shapes) else shapes_of(part)
        tiles = np.concatenate([part.boxes[:, :2], part.boxes[:, 2:] - 1], axis=1) // TILE_PX
        found.append((shapes, part.boxes.astype(np.int32), tiles.astype(np.int32)))
    shapes = Shapes.joined([one for one, _, _ in found])
    boxes, tiles = (np.concatenate([one[i] for one in found]) for i in (1, 2))
    centre = shapes.centres_px()
    seams = int(np.count_nonzero((tiles[:, :2] != tiles[:, 2:]).any(axis=1)))
    assert len(shapes) == len(centre) == len(boxes)
    return len(shapes), float(shapes.area.sum()), seams


def droplets(classes):
    from napari_steatosis.core.geometry import Frame
    from napari_steatosis.quantify._droplets import DropletRule, droplet_table, find_droplets
    from napari_steatosis.quantify._shapes import Shapes

    frame = Frame((UM_PER_PX, UM_PER_PX))
    found = [shapes for _, shapes in find_droplets(classes, 2, frame)]
    table = droplet_table(Shapes.joined(found), frame, DropletRule(smallest_um2=0.0))
    return len(table["id"]), float(table["area_um2"].sum() / UM_PER_PX**2), None


def skimage(classes):
    from skimage.measure import label, regionprops_table

    labels = label(classes[:] == 2, connectivity=1)
    table = regionprops_table(labels, properties=("label", "area", "centroid", "bbox"))
    box = np.stack([table[f"bbox-{i}"] for i in range(4)], axis=1)
    tiles = np.concatenate([box[:, :2], box[:, 2:] - 1], axis=1) // TILE_PX
    seams = int(np.count_nonzero((tiles[:, :2] != tiles[:, 2:]).any(axis=1)))
    return len(table["label"]), float(table["area"].sum()), seams


def highest_mb():
    """Return the highest resident size, MB; that of getrusage can be inherited from a parent."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM"))


def worker(way, path):
    function = {"ours": ours, "droplets": droplets, "skimage": skimage}[way]
    function(drawn_rows(0, 512, 10, 512))  # imports, and what is prepared on first use
    classes = load(path)
    before, began, processor = highest_mb(), time.perf_counter(), time.process_time()
    count, area, seams = function(classes)
    taken, own = time.perf_counter() - began, time.process_time() - processor
    print(json.dumps({"count": count, "area_px": area, "at_seams": seams, "seconds": taken,
                      "processor_s": own, "memory_mb": highest_mb() - before}))  # fmt: skip


def measured(way, path, threads):
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLOSC_NTHREADS")
    command = [sys.executable, __file__, "--worker", way, "--path", str(path)]
    environment = os.environ | dict.fromkeys(names, str(threads))
    found = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(found.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=SIZES)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="keep the class maps here")
    parser.add_argument("--worker", choices=WAYS, default=None)
    parser.add_argument("--path", type=Path, default=None)
    given = parser.parse_args()
    if given.worker:
        worker(given.worker, given.path)
        return
    with tempfile.TemporaryDirectory() as made:
        folder = given.folder or Path(made)
        for name in given.sizes:
            count, side = SIZES[name]
            known = folder / (f"{side}.npy" if side < 10_000 else f"{side}")
            path = known if known.exists() else draw(name, folder)
            print(f"{name}: {count * count} objects on {side} px squared")
            ways = [way for way in given.ways if way != "skimage" or side < 10_000]
            for way in ways:
                for threads in given.threads if way != "skimage" else given.threads[:1]:
                    rounds = given.rounds if way != "skimage" else 1
                    found = [measured(way, path, threads) for _ in range(rounds)]
                    if found[0]["count"] != count * count:
                        raise SystemExit(f"{way} found {found[0]['count']} of {count * count}")
                    clock = [one["seconds"] for one in found]
                    own = statistics.median(one["processor_s"] for one in found)
                    memory = max(one["memory_mb"] for one in found)
                    print(f"  {way:9s} {threads} thread(s): {statistics.median(clock):.2f} s "
                          f"({min(clock):.2f} to {max(clock):.2f}), processor {own:.2f} s, "
                          f"{memory:.0f} MB; {found[0]['at_seams']} at seams")  # fmt: skip


if __name__ == "__main__":
    main()
