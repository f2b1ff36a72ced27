"""Where and in which arithmetic a model computes: decided once, said, and never silently worse."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch

from ..core.errors import BadValueError, SteatosisWarning
from ._gpus import Gpu, Machine, this_machine

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

BF16_UNITS = ("avx512_bf16", "amx_tile")
"""Processor extensions with which bfloat16 takes half the time of float32; without them it
takes two to seven times as long (benchmarks/RESULTS.md)."""

FP16_FROM = (7, 0)
"""Compute capability from which half precision is computed in tensor cores."""


@dataclass(frozen=True)
class Compute:
    """Where and in which arithmetic a model computes, and why.

    Parameters
    ----------
    device : str
        ``"cpu"``, ``"mps"``, or ``"cuda:N"``.
    precision : {"fp32", "bf16", "fp16"}
    reason : str
        For the user: what decided it.
    warning : str
        For the user: a GPU is here that is not used, why, and what to do about it.
    """

    device: str
    precision: str
    reason: str
    warning: str = ""

    @property
    def kind(self) -> str:
        """``"cpu"``, ``"mps"`` or ``"cuda"``: what a result depends on, whichever card it is."""
        return self.device.partition(":")[0]

    def __str__(self) -> str:
        return f"{self.device}, {self.precision} ({self.reason})"


def choose_compute(
    device: str = "auto", precision: str = "auto", *, machine: Machine | None = None
) -> Compute:
    """Decide device and precision; on one machine always the same.

    Parameters
    ----------
    device : str
        ``"auto"`` is the newest CUDA device that torch has code for (of equal ones the one
        with the most memory), else MPS, else the CPU; ``"cuda"`` the first of these;
        ``"cuda:1"``, ``"mps"``, ``"cpu"``.
    precision : {"auto", "fp32", "bf16", "fp16"}
        ``"auto"``: see `docs/how-to/gpu.md`.
    machine : Machine, optional
        What there is; None looks.

    Raises
    ------
    BadValueError
        Where a name is unknown or the device is not there, with what can be done about it.

    Warns
    -----
    SteatosisWarning
        Where ``"auto"`` takes the CPU although there is a GPU: why, and what to do about it.

    Examples
    --------
    >>> print(choose_compute("cpu", "fp32"))
    cpu, fp32 (as asked)
    """
    if precision != "auto" and precision not in DTYPES:
        raise BadValueError(f"Precision {precision!r} is unknown; use auto, {', '.join(DTYPES)}.")
    if machine is None:  # for the CPU no driver is woken up
        machine = Machine("") if device == "cpu" else this_machine()
    chosen = _choose_device(device, machine)
    reasons = [_why(chosen, machine)] if device == "auto" else []
    if precision == "auto":
        precision, why = _choose_precision(chosen, machine)
        reasons.append(why)
    warning = _warning(machine) if device == "auto" and chosen == "cpu" else ""
    if warning:
        warnings.warn(warning, SteatosisWarning, stacklevel=2)
    return Compute(chosen, precision, "; ".join(reasons) or "as asked", warning)


def _choose_device(device: str, machine: Machine) -> str:
    present = [f"cuda:{gpu.index}" for gpu in machine.usable]
    present += ["mps"] * machine.mps + ["cpu"]
    if device == "auto":
        return present[0]
    if device == "cuda" and machine.usable:
        return present[0]
    if device in present:
        return device
    why = f" {machine.fault}" if device.startswith("cuda") or device == "mps" else ""
    raise BadValueError(
        f"Device {device!r} is not available here; there is {', '.join(present)}. "
        f"Use one of these or 'auto'.{why}"
    )


def _gpu(device: str, machine: Machine) -> Gpu:
    return next(gpu for gpu in machine.usable if device == f"cuda:{gpu.index}")


def _why(device: str, machine: Machine) -> str:
    if device == "cpu":
        if machine.fault:
            return "the GPU here cannot be used"
        return "CUDA_VISIBLE_DEVICES hides all GPUs" if machine.hidden else "no GPU was found"
    if device == "mps":
        return "the GPU of this Mac"
    gpu = _gpu(device, machine)
    of = f", first of {len(machine.usable)} GPUs" if len(machine.usable) > 1 else ""
    return f"{gpu.name}, {gpu.memory / 2**30:.0f} GiB{of}"


def _choose_precision(device: str, machine: Machine) -> tuple[str, str]:
    if device.startswith("cuda"):
        # Not bfloat16: as fast there, with an eighth of the digits.
        if _gpu(device, machine).capability >= FP16_FROM:
            return "fp16", "it computes half precision faster"
        return "fp32", "half precision is slow on it"
    if device == "mps":
        return "fp32", "lower precision is not validated on this device"
    if any(getattr(torch.cpu, f"_is_{unit}_supported", bool)() for unit in BF16_UNITS):
        return "bf16", "this processor computes bfloat16"
    return "fp32", "this processor has no bfloat16 arithmetic"


def _warning(machine: Machine) -> str:
    if not machine.fault:
        return ""
    return f"The GPU is not used. {machine.fault} Until then the CPU computes, which takes longer."
