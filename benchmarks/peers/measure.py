"""What every driver shares: what it is asked, the clock, the line it prints. Standard library."""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any


def asked() -> argparse.Namespace:
    """Read what a driver is asked; the runner has set the number of threads for its process."""
    ask = argparse.ArgumentParser()
    ask.add_argument("slide", type=Path)
    ask.add_argument("model", type=Path, help="model folder that train.py wrote")
    ask.add_argument("--tile", type=int, default=512, help="what the network sees, px")
    ask.add_argument("--step", type=int, default=384, help="distance of tiles, px")
    ask.add_argument("--precision", default="fp32", choices=["fp32", "bf16", "auto"])
    ask.add_argument("--merge", default="", help="rule for overlaps, the tool's default if empty")
    ask.add_argument("--threads", type=int, default=2)
    ask.add_argument("--constant", action="store_true", help="a network that says 1 everywhere")
    ask.add_argument("--keep", type=Path, help="where the probability of fat goes, as .npy")
    ask.add_argument("--out", type=Path, required=True, help="folder that the tool may write to")
    return ask.parse_args()


class Measured:
    """One timed run of a tool, its imports and its model being loaded before.

    Parameters
    ----------
    tool : str
        Distribution whose version is reported.
    """

    def __init__(self, tool: str) -> None:
        self.values: dict[str, Any] = {
            "tool": tool,
            "version": version(tool),
            "torch": version("torch"),
            "loaded_GB": peak_gb(),
        }

    @contextmanager
    def run(self) -> Iterator[None]:
        """Time what stands in the block, and take the peak of memory at its end."""
        began, used = time.perf_counter(), _cpu_seconds()
        yield
        self.values["seconds"] = time.perf_counter() - began
        self.values["cpu_seconds"] = _cpu_seconds() - used
        self.values["peak_GB"] = peak_gb()
        self.values["load"] = os.getloadavg()[0]

    def tell(self, **more: Any) -> None:
        """Print the line that the runner reads."""
        print(json.dumps(self.values | more), flush=True)


def peak_gb() -> float:
    """Return the largest resident memory of this process so far, GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def _cpu_seconds() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
