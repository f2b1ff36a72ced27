"""Which GPUs this machine has, which of them torch can use, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

INSTALL = "https://pytorch.org/get-started/locally/"


@dataclass(frozen=True)
class Gpu:
    """A CUDA (or ROCm) device that torch sees.

    Parameters
    ----------
    index : int
        N of ``cuda:N``.
    name : str
        As the driver gives it.
    capability : (int, int)
        Compute capability, major and minor.
    memory : int
        All of its memory, bytes.
    """

    index: int
    name: str
    capability: tuple[int, int]
    memory: int


@dataclass(frozen=True)
class Machine:
    """What there is to compute on, as far as torch and the driver tell.

    Parameters
    ----------
    build : str
        The installed torch, for messages: ``"PyTorch 2.9.0+cpu"``.
    cuda : str, optional
        CUDA or ROCm version that torch is built for; None for a build without either.
    archs : tuple of str
        What this torch is compiled for, as ``"sm_90"`` or ``"compute_120"``; empty with ROCm.
    gpus : tuple of Gpu
        Devices that torch sees, usable or not.
    nvidia : tuple of str
        Where torch sees no device: NVIDIA GPUs that the system names.
    driver : bool
        The NVIDIA driver is loaded.
    passed_on : bool
        Its device files exist here, which in a container must be asked for.
    hidden : bool
        CUDA_VISIBLE_DEVICES hides all devices.
    error : str
        What torch says of devices that it cannot reach.
    mps, apple : bool
        torch can use the GPU of this Mac; this Mac has one.
    """

    build: str
    cuda: str | None = None
    archs: tuple[str, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    nvidia: tuple[str, ...] = ()
    driver: bool = True
    passed_on: bool = True
    hidden: bool = False
    error: str = ""
    mps: bool = False
    apple: bool = False

    @property
    def usable(self) -> tuple[Gpu, ...]:
        """GPUs with code in this torch: newest first, then the largest, then by number."""
        fit = [gpu for gpu in self.gpus if not self.archs or runs_on(self.archs, gpu.capability)]
        return tuple(sorted(fit, key=lambda g: (-g.capability[0], -g.capability[1], -g.memory)))

    @property
    def fault(self) -> str:
        """Why a GPU that is here cannot be used, and what to do; empty where none is amiss."""
        if self.usable or self.mps or self.hidden:
            return ""
        if self.gpus:
            return _too_new_or_old(self)
        if self.nvidia:
            return f"{', '.join(self.nvidia)}: {_unreachable(self)}"
        if self.apple:
            return (
                f"The GPU of this Mac: {self.build} cannot use it. Update macOS and install a "
                f"current PyTorch for Apple silicon ({INSTALL})."
            )
        return ""


def runs_on(archs: tuple[str, ...], capability: tuple[int, int]) -> bool:
    """Return whether code compiled for some architectures runs on a GPU.

    Machine code (``sm_86``) runs on the same major number from its minor on, and with the
    suffix ``a`` on exactly that; intermediate code (``compute_90``) on all that came later.
    See "Application Compatibility" in the CUDA C++ Programming Guide.

    Examples
    --------
    >>> runs_on(("sm_75", "sm_80"), (8, 6)), runs_on(("sm_75", "sm_80"), (9, 0))
    (True, False)
    """
    for arch in archs:
        found = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", arch)
        if found is None:
            continue
        kind, own, exact = found[1], (int(found[2]), int(found[3])), found[4] == "a"
        if exact:
            fits = capability == own
        else:
            fits = capability >= own and (kind == "compute" or capability[0] == own[0])
        if fits:
            return True
    return False


def _too_new_or_old(machine: Machine) -> str:
    named = ", ".join(
        f"{gpu.name} (compute capability {gpu.capability[0]}.{gpu.capability[1]})"
        for gpu in machine.gpus
    )
    return (
        f"{named}: {machine.build} has no code for it, only for {', '.join(machine.archs)}. "
        f"Install a build of PyTorch that has ({INSTALL})."
    )


def _unreachable(machine: Machine) -> str:
    if machine.cuda is None:
        return (
            f"{machine.build} was built without CUDA. Install one with CUDA into this "
            f"environment ({INSTALL})."
        )
    if not machine.driver:
        return "the NVIDIA driver is not loaded. Install it, and start the computer again."
    if not machine.passed_on:
        return (
            "it was not passed on to this container. Start the container with the GPU "
            "(docker run --gpus all, apptainer --nv)."
        )
    said = machine.error or "no CUDA device is available"
    return (
        f"{machine.build} for CUDA {machine.cuda} cannot reach it ({said}). If the driver is "
        f"too old, update it or install a PyTorch for an older CUDA ({INSTALL}); else see "
        f"whether `nvidia-smi` works."
    )


@lru_cache(maxsize=1)
def this_machine() -> Machine:
    """Look once per process what there is."""
    gpus, error = _seen()
    nvidia, driver = ((), True) if gpus else _named_by_the_system()
    return Machine(
        build=f"PyTorch {torch.__version__}",
        cuda=torch.version.cuda or torch.version.hip,
        archs=() if torch.version.hip else tuple(torch.cuda.get_arch_list() if gpus else ()),
        gpus=gpus,
        nvidia=nvidia,
        driver=driver,
        passed_on=not sys.platform.startswith("linux") or _device_files(),
        hidden=os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"),
        error=error if gpus or nvidia else "",
        mps=torch.backends.mps.is_available(),
        apple=sys.platform == "darwin" and platform.machine() == "arm64",
    )


def _seen() -> tuple[tuple[Gpu, ...], str]:
    """Return the devices that torch sees, and what it says where that fails."""
    gpus = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old drivers and unknown cards: see `fault`
            torch.cuda.init()
            for index in range(torch.cuda.device_count()):
                found = torch.cuda.get_device_properties(index)
                capability = (found.major, found.minor)
                gpus.append(Gpu(index, found.name, capability, found.total_memory))
    except (RuntimeError, AssertionError) as error:  # AssertionError: built without CUDA
        return (), str(error).strip().split("\n")[0].rstrip(".")
    return tuple(gpus), ""


def _named_by_the_system() -> tuple[tuple[str, ...], bool]:
    """Return the NVIDIA GPUs that driver or bus name, and whether the driver is loaded."""
    told = [path.read_text() for path in Path("/proc/driver/nvidia/gpus").glob("*/information")]
    names = [found[1] for text in told if (found := re.search(r"Model:\s*(.+)", text))]
    names = names or re.findall(r"^GPU \d+: (.+?) \(UUID", _nvidia_smi(), re.MULTILINE)
    if names:
        return tuple(names), True
    on_bus = []
    for device in Path("/sys/bus/pci/devices").glob("*"):
        try:
            vendor, kind = ((device / part).read_text() for part in ("vendor", "class"))
        except OSError:
            continue
        if vendor.strip() == "0x10de" and kind.startswith("0x03"):  # NVIDIA, display controller
            on_bus.append(f"NVIDIA GPU at {device.name}")
    return tuple(on_bus), False


def _nvidia_smi() -> str:
    no_window = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows would open a console
    command = ["nvidia-smi", "-L"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=10, creationflags=no_window
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _device_files() -> bool:
    """Return whether the driver can be spoken to: NVIDIA's file on Linux, or that of WSL."""
    return Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists()
