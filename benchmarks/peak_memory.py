"""Peak resident memory of the whole analysis of a drawn slide, each size in its own process.

    python benchmarks/peak_memory.py --sizes 16384 32768 65536

The slide is drawn where it is read, so no file of its size is needed; `find_tissue`, all
tiles, the measurements and every output file are part of the run. "at start" is the memory
after the imports and one prediction of the model.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile

RUN = """
import json, sys, time
import numpy as np
import napari_steatosis as st
from napari_steatosis.cli import peak_memory_gb
size, model_name, out = int(sys.argv[1]), sys.argv[2], sys.argv[3]
model = st.load_model(model_name)
side = model.spec.tile_px + 2 * model.spec.halo_px
model.predict(np.zeros((1, side, side, 3), np.uint8))
base = peak_memory_gb()
slide = st.drawn_liver(size, size, seed=20)
began = time.perf_counter()
report = st.analyse(slide, out, model=model)
print(json.dumps({
    "size_px": size, "tissue_mm2": round(report["tissue_area"].value, 1),
    "fat": str(report["fat_area_fraction"]), "droplets": report["droplet_count"].value,
    "seconds": round(time.perf_counter() - began), "at_start_GB": round(base, 2),
    "peak_GB": round(peak_memory_gb(), 2),
}))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[16384, 32768, 65536])
    parser.add_argument("--model", default="steatosis-he")
    given = parser.parse_args()
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as out:
            command = [sys.executable, "-c", RUN, str(size), given.model, out]
            print(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


if __name__ == "__main__":
    main()
