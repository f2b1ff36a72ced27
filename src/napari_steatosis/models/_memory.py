"""How much memory there is, whether an error says that there is no more, and giving it back."""

from __future__ import annotations

import sys

import psutil  # not when it is needed: without memory nothing can be imported
import torch

from ._threads import trim_heap

LACKING = (
    "out of memory",  # CUDA, MPS
    "can't allocate memory",  # CPU, Linux and macOS
    "not enough memory",  # CPU, Windows
    "alloc_failed",  # cuDNN, cuBLAS
    "bad_alloc",
    "bad allocation",
)
"""What the messages of allocators have in common; only CUDA has an error of its own."""


UNSAID = "could not create a primitive"
"""oneDNN says this when it has no memory, and also of layers that it does not know."""

LITTLE = 2**30
"""Bytes; with less than this left on the CPU, memory is the cause."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of torch or numpy means that memory is short.

    Examples
    --------
    >>> is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"))
    True
    >>> is_out_of_memory(RuntimeError("shape '[2]' is invalid for input of size 3"))
    False
    """
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    if not isinstance(error, RuntimeError):
        return False
    said = str(error).lower()
    return any(words in said for words in LACKING) or (
        UNSAID in said and free_bytes("cpu") < LITTLE
    )


def free_bytes(device: str) -> int:
    """Return the memory that a pass could still take, the cache of torch's allocator included.

    Parameters
    ----------
    device : str
        ``"cpu"``, ``"mps"`` or ``"cuda:N"``.
    """
    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    free = int(psutil.virtual_memory().available)
    if sys.platform != "win32":
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)  # ulimit -v, as some clusters set it
        if limit != resource.RLIM_INFINITY:
            free = min(free, limit - int(psutil.Process().memory_info().vms))
    return max(0, free)


def empty_cache(device: str) -> None:
    """Give back what torch, or the C library, keeps for the next pass."""
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()
    else:
        trim_heap()
