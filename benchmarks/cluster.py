"""Two dask workers of one thread each against one, on the same slide and the same computer.

    python benchmarks/cluster.py --size 6144 --rounds 3

Draws the slide first (not timed). Each round runs `segment` into a store with one worker
process, then with two; the workers are started and have loaded the model before. Beside the
wall time it prints the processor time (user and system) that the workers used, and how much
of a processor each had while it worked: where that is far below 1, other programs held the
processors, and the ratio of wall times says nothing. The ratio of the workers' useful rates
then bounds what a quiet machine would show.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import psutil

import napari_steatosis as st
from napari_steatosis.pipelines._cluster_workers import local_cluster
from napari_steatosis.pipelines._plan import plan_segmentation
from napari_steatosis.pipelines.segment import open_store, run


def processor_s(pids):
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(one.user + one.system for one in times)


def timed(client, plan, folder):
    pids = list(client.run(os.getpid).values())
    before, own = processor_s(pids), processor_s([os.getpid()])
    began = time.perf_counter()
    with open_store(plan, folder) as results:
        for _ in run(plan, results, client=client):
            pass
        content = results.ledger.content()
    wall = time.perf_counter() - began
    return wall, processor_s(pids) - before, processor_s([os.getpid()]) - own, content


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=6144)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="steatosis-he")
    parser.add_argument("--precision", default="auto")
    given = parser.parse_args()
    model = st.load_model(given.model, device="cpu", precision=given.precision)
    with tempfile.TemporaryDirectory() as folder:
        drawn = st.drawn_liver(given.size, given.size, seed=20)
        slide = st.open_slide(*st.write(drawn, Path(folder) / "liver.ome.zarr"))
        plan = plan_segmentation(slide, model, within=st.find_tissue(slide))
        print(f"{model}; {len(plan.tiles)} tiles, {plan.pixels / 1e6:.1f} Mpx of slide")
        rows, contents = [], set()
        with local_cluster(1) as one, local_cluster(2) as two:
            for client in (one, two):
                warm = plan_segmentation(slide, model, tile_px=256)
                for index, _ in enumerate(run(warm, open_store(warm, None), client=client)):
                    if index == 3:
                        break
            for i in range(given.rounds):
                alone = timed(one, plan, Path(folder) / f"one-{i}.zarr")
                both = timed(two, plan, Path(folder) / f"two-{i}.zarr")
                contents |= {alone[3], both[3]}
                rows.append((alone, both))
                print(
                    json.dumps(
                        {
                            "round": i,
                            "one_s": round(alone[0], 2),
                            "two_s": round(both[0], 2),
                            "ratio": round(alone[0] / both[0], 3),
                            "workers_processor_s": [round(alone[1], 1), round(both[1], 1)],
                            "caller_processor_s": [round(alone[2], 1), round(both[2], 1)],
                            "processor_each": [
                                round(alone[1] / alone[0], 2),
                                round(both[1] / both[0] / 2, 2),
                            ],
                        }
                    )
                )
    assert len(contents) == 1, "the results differ"
    ratios = [alone[0] / both[0] for alone, both in rows]
    print(f"wall time, one over two: {statistics.median(ratios):.2f} (median)")
    work = [alone[1] / both[1] for alone, both in rows]
    print(
        f"processor time of the workers, one over two: {statistics.median(work):.2f} (1 is ideal)"
    )


if __name__ == "__main__":
    main()
