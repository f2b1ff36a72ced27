"""Peak resident memory of an analysis of a drawn slide, each size in its own process.

    python benchmarks/peak_memory.py --sizes 16384 65536 131072 --precision bf16

The slide is an OME-Zarr with a disc of tissue on glass (see repeated_slide.py). "start" is the
memory after the imports and a pass of the model; then the peak, in MB above the start, when the
tissue is found, when the class map is stored, when it is measured and when all is written.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from repeated_slide import repeated_slide

RUN = """
import json, sys, time
from pathlib import Path
import numpy as np
import napari_steatosis as st
from napari_steatosis.pipelines.analyse import write_all

def peak_memory_gb():  # of this process; ru_maxrss begins with that of the parent
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024 / 1e9

size, model_name, precision, out = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
model = st.load_model(model_name, precision=precision)
model.predict(np.zeros((1, 512, 512, 3), np.uint8))
slide = st.open_slide(sys.argv[6])
start, began, peaks = peak_memory_gb(), time.perf_counter(), {}

def mark(name):
    peaks[name + "_MB"] = round(1000 * (peak_memory_gb() - start))
    peaks[name + "_s"] = round(time.perf_counter() - began)

tissue = st.find_tissue(slide)
mark("tissue")
fat = st.segment(slide, model, within=tissue, store=Path(out) / "fat.zarr")
mark("segment")
if sys.argv[5] == "whole":
    report = st.measure(fat)
    mark("measure")
    write_all(report, out)
    mark("write")
print(json.dumps({"size_px": size, "tissue_mm2": round(tissue.area_mm2, 1),
                  "start_GB": round(start, 2), **peaks}))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[16384, 65536])
    parser.add_argument("--model", default="steatosis-he")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--disc", type=int, default=12288, help="diameter of the tissue, px")
    parser.add_argument("--slides", default=None, help="folder in which slides are kept")
    parser.add_argument("--until", default="whole", choices=("segment", "whole"))
    given = parser.parse_args()
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as out:
            slide = repeated_slide(Path(given.slides or out), size, given.disc)
            command = [sys.executable, "-c", RUN, str(size), given.model, given.precision, out]
            command += [given.until, str(slide)]
            print(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


if __name__ == "__main__":
    main()
