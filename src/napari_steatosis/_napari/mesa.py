"""What keeps Python alive where Mesa draws the window: no second LLVM."""

from __future__ import annotations

import sys

import psutil


def keep_triton_out() -> bool:
    """Let ``import triton`` fail where Mesa has loaded its LLVM, and say whether it will.

    Mesa without a graphics card, and with some, brings an LLVM, triton another. Importing
    triton second ends the process with a segmentation fault, and much imports it unasked:
    torchvision, so timm, and ``torch.optim``. PyTorch does without, where the import fails.
    """
    if "triton" in sys.modules or sys.platform != "linux":
        return sys.modules.get("triton", ...) is None
    if not any("libLLVM" in loaded.path for loaded in psutil.Process().memory_maps()):
        return False
    sys.modules["triton"] = None  # what Python takes for "there is no such module"
    return True
