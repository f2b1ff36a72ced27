"""How many threads a network may use, where several processes or tasks share the processors."""

from __future__ import annotations

import os
import sys


def use_threads(count: int) -> None:
    """Let networks of the calling thread compute with so many threads.

    It does not import torch: where that has yet to be loaded, it will find the number in the
    environment.

    Parameters
    ----------
    count : int
        At least 1.

    Examples
    --------
    >>> use_threads(1)
    """
    torch = sys.modules.get("torch")
    if torch is None:
        os.environ["OMP_NUM_THREADS"] = str(count)
    else:
        torch.set_num_threads(count)
