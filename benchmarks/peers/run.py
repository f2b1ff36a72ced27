"""All tools on the same slide with the same weights, in turn, each in a process of its own.

    tox -e peers-tools,peers-tiatoolbox,peers

or, with environments made in another way,

    python benchmarks/peers/run.py --out build/peers --tools PYTHON --tiatoolbox PYTHON

Trains the network and draws the slides first, where they are not there yet.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import report
from slide import draw

HERE = Path(__file__).parent
ERRORS_PX = 2560
"""Side of the slide on which the errors are measured, px."""

CONSTANT_PX = 1280
LIMIT_S = 900


@dataclass(frozen=True)
class Row:
    """One tool with one setting.

    Parameters
    ----------
    name : str
        As the table shows it.
    script : str
        Its driver.
    python : str
        Which environment runs it.
    options : str
        Of the driver.
    large : bool
        Whether it is run on the larger slides, too.
    """

    name: str
    script: str
    python: str
    options: str = ""
    model: str = "equal"
    large: bool = False


EQUAL = (
    Row("MONAI", "with_monai.py", "tools", large=True),
    Row("LazySlide", "with_lazyslide.py", "tools", large=True),
    Row("TIAToolbox", "with_tiatoolbox.py", "tiatoolbox", large=True),
    Row("dask map_overlap", "with_dask.py", "tools", large=True),
    Row("ours, tile by tile", "with_ours.py", "ours", "--precision fp32 --merge tiles", large=True),
    Row("ours", "with_ours.py", "ours", "--precision fp32", large=True),
)
OTHER = (
    Row("MONAI, Gaussian, bf16", "with_monai.py", "tools", "--merge gaussian --precision bf16"),
    Row("LazySlide, bf16", "with_lazyslide.py", "tools", "--precision bf16"),
    Row("TIAToolbox, no overlap", "with_tiatoolbox.py", "tiatoolbox", "--step 512"),
    Row("dask map_overlap, bf16", "with_dask.py", "tools", "--precision bf16"),
    Row("ours, exact, fp32", "with_ours.py", "ours", "--precision fp32", model="exact"),
    Row("ours, exact, bf16", "with_ours.py", "ours", "--precision bf16", model="exact"),
    Row("ours, own choice", "with_ours.py", "ours", "--precision auto", model="own", large=True),
)
CONSTANT = (
    Row("MONAI, Gaussian", "with_monai.py", "tools", "--merge gaussian"),
    Row("LazySlide, Gaussian", "with_lazyslide.py", "tools", "--merge gaussian"),
    Row("TIAToolbox, mean", "with_tiatoolbox.py", "tiatoolbox"),
    Row("ours, Gaussian", "with_ours.py", "ours", "--precision fp32", model="blended"),
)
BARE = (
    Row("bare network", "whole.py", "tools"),
    Row("bare network, torch of TIAToolbox", "whole.py", "tiatoolbox"),
)


class Bench:
    """Runs rows and remembers what they said.

    Parameters
    ----------
    given : Namespace
        What the command line asked.
    """

    def __init__(self, given: argparse.Namespace) -> None:
        self.given, self.out = given, given.out
        self.pythons = {
            "tools": given.tools,
            "tiatoolbox": given.tiatoolbox,
            "ours": sys.executable,
        }
        self.results: list[dict[str, Any]] = []

    def slide(self, side_px: int) -> Path:
        """Return the slide of a size."""
        path = self.out / f"liver-{side_px}.svs"
        draw(path, side_px)
        return path

    def run(
        self, row: Row, side_px: int, *, keep: Path | None = None, more: str = ""
    ) -> dict[str, Any]:
        """Run one row, and return the line that its driver printed."""
        scratch = self.out / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        threads = str(self.given.threads)
        python = self.pythons.get(row.python, sys.executable)
        command = [python, str(HERE / row.script), str(self.slide(side_px))]
        command += [str(self.out / row.model), "--out", str(scratch), "--threads", threads]
        command += [*row.options.split(), *more.split()]
        command += ["--keep", str(keep)] if keep else []
        env = os.environ | {"OMP_NUM_THREADS": threads, "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=LIMIT_S)
        shutil.rmtree(scratch, ignore_errors=True)
        if done.returncode:
            sys.exit(f"{row.name} failed:\n{done.stderr[-3000:]}")
        values = json.loads(done.stdout.strip().splitlines()[-1])
        return values | {"row": row.name, "side_px": side_px}

    def timed(self, row: Row, side_px: int, round_number: int) -> None:
        """Run one row, compare what it says with the whole image, and remember."""
        keep = self.out / "kept.npy" if side_px == ERRORS_PX and not round_number else None
        values = self.run(row, side_px, keep=keep) | {"round": round_number}
        if keep is not None:
            values |= report.compared(np.load(keep), np.load(self.whole))
        self.results.append(values)
        self.save()
        print(report.line(values), flush=True)

    def save(self) -> None:
        """Write everything that was measured so far."""
        (self.out / "results.json").write_text(json.dumps(self.results, indent=1) + "\n")

    @property
    def whole(self) -> Path:
        """Return what the network says of the whole image at once, computed where it lacks."""
        path = self.out / "whole.npy"
        if not path.exists():
            self.run(BARE[0], ERRORS_PX, keep=path)
        return path


def main() -> None:
    """Measure, and print the tables."""
    given = _asked()
    given.out.mkdir(parents=True, exist_ok=True)
    if not (given.out / "exact" / "model.json").is_file():
        subprocess.run([sys.executable, str(HERE / "train.py"), str(given.out)], check=True)
    bench, order = Bench(given), random.Random(0)
    for number in range(given.rounds):
        rows = [row for row in (*EQUAL, *OTHER, *BARE) if given.only in row.name]
        for row in order.sample(rows, len(rows)):
            bench.timed(row, ERRORS_PX, number) if row not in BARE else _bare(bench, row, number)
    for number in range(given.large_rounds):
        rows = [row for row in (*EQUAL, *OTHER) if row.large and given.only in row.name]
        for row in order.sample(rows, len(rows)):
            bench.timed(row, given.large, number)
    for row in CONSTANT if not given.only else ():
        keep = given.out / "kept.npy"
        values = bench.run(row, CONSTANT_PX, keep=keep, more="--constant")
        found = np.load(keep)
        values |= {"constant": [float(found.min()), float(found.max())]}
        bench.results.append(values)
        bench.save()
    print(report.tables(bench.results))


def _bare(bench: Bench, row: Row, number: int) -> None:
    values = bench.run(row, ERRORS_PX) | {"round": number, "bare": True}
    bench.results.append(values)
    bench.save()
    print(report.line(values), flush=True)


def _asked() -> argparse.Namespace:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--out", type=Path, required=True, help="weights, slides and results")
    ask.add_argument("--tools", required=True, help="python with MONAI, LazySlide and dask")
    ask.add_argument("--tiatoolbox", required=True, help="python with TIAToolbox")
    ask.add_argument("--rounds", type=int, default=2)
    ask.add_argument("--large", type=int, default=4096, help="side of the larger slide, px")
    ask.add_argument("--large-rounds", type=int, default=1)
    ask.add_argument("--threads", type=int, default=2)
    ask.add_argument("--only", default="", help="only rows whose name holds this")
    return ask.parse_args()


if __name__ == "__main__":
    main()
