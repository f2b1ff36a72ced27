"""What is computed on, why, and what is said of a GPU that cannot be used."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from napari_steatosis.core.errors import BadValueError, SteatosisWarning
from napari_steatosis.models._device import choose_compute
from napari_steatosis.models._gpus import Gpu, Machine, runs_on, this_machine

GIB = 2**30
ARCHS = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_120", "compute_120")
ADA = Gpu(0, "NVIDIA RTX 4090", (8, 9), 24 * GIB)
TURING = Gpu(1, "NVIDIA T4", (7, 5), 16 * GIB)
PASCAL = Gpu(0, "NVIDIA GTX 1080", (6, 1), 8 * GIB)
BLACKWELL = Gpu(2, "NVIDIA RTX 5090", (12, 0), 32 * GIB)


def with_gpus(*gpus: Gpu, archs: tuple[str, ...] = ARCHS) -> Machine:
    return Machine("PyTorch 2.9.0+cu130", cuda="13.0", archs=archs, gpus=gpus)


def with_a_fault(**facts) -> Machine:
    given = {"build": "PyTorch 2.9.0+cu130", "cuda": "13.0", "nvidia": ("NVIDIA RTX 5090",)}
    return Machine(**given | facts)


def test_the_newest_gpu_with_code_is_taken():
    chosen = choose_compute(machine=with_gpus(PASCAL, TURING, BLACKWELL))
    assert chosen.device == "cuda:2"
    assert chosen.kind == "cuda"
    assert chosen.precision == "fp16"
    assert str(chosen) == (
        "cuda:2, fp16 (NVIDIA RTX 5090, 32 GiB, first of 2 GPUs; it computes half precision faster)"
    )
    assert not chosen.warning


def test_of_equal_gpus_the_largest_and_then_the_first():
    small, large = Gpu(0, "A", (9, 0), 80 * GIB), Gpu(1, "B", (9, 0), 141 * GIB)
    assert choose_compute(machine=with_gpus(small, large)).device == "cuda:1"
    assert choose_compute(machine=with_gpus(small, Gpu(1, "A", (9, 0), 80 * GIB))).device == (
        "cuda:0"
    )


def test_one_of_several_gpus_can_be_asked_for():
    machine = with_gpus(ADA, TURING)
    assert str(choose_compute("cuda:1", "bf16", machine=machine)) == "cuda:1, bf16 (as asked)"
    assert choose_compute("cuda", machine=machine).device == "cuda:0"
    with pytest.raises(BadValueError, match=r"'cuda:7' is not available.*cuda:0, cuda:1, cpu"):
        choose_compute("cuda:7", machine=machine)


def test_an_old_gpu_computes_single_precision():
    chosen = choose_compute(machine=with_gpus(PASCAL, archs=("sm_61",)))
    assert (chosen.device, chosen.precision) == ("cuda:0", "fp32")


def test_a_mac_computes_on_its_gpu_in_single_precision():
    chosen = choose_compute(machine=Machine("PyTorch 2.9.0", mps=True, apple=True))
    assert (chosen.device, chosen.kind, chosen.precision) == ("mps", "mps", "fp32")
    assert "GPU of this Mac" in chosen.reason


@pytest.mark.parametrize(
    ("machine", "cause", "remedy"),
    [
        (with_a_fault(cuda=None, build="PyTorch 2.9.0+cpu"), "without CUDA", "Install one with"),
        (with_a_fault(driver=False), "driver is not loaded", "Install it"),
        (with_a_fault(passed_on=False), "not passed on to this container", "--gpus all"),
        (
            with_a_fault(error="The NVIDIA driver on your system is too old (found 11040)"),
            "too old (found 11040)",
            "update it",
        ),
        (with_gpus(PASCAL), "no code for it, only for sm_75", "Install a build of PyTorch"),
        (with_gpus(BLACKWELL, archs=("sm_80", "sm_90")), "12.0", "Install a build of PyTorch"),
        (Machine("PyTorch 2.9.0", apple=True), "GPU of this Mac", "Update macOS"),
    ],
)
def test_the_cpu_never_stands_in_silently(machine: Machine, cause: str, remedy: str):
    with pytest.warns(SteatosisWarning) as warned:
        chosen = choose_compute(machine=machine)
    assert [str(one.message) for one in warned] == [chosen.warning]
    assert chosen.device == "cpu"
    assert "the GPU here cannot be used" in chosen.reason
    assert cause in chosen.warning
    assert remedy in chosen.warning
    assert not choose_compute("cpu", machine=machine).warning
    with pytest.raises(BadValueError) as refused:
        choose_compute("mps" if machine.apple else "cuda", machine=machine)
    assert cause in str(refused.value)
    assert remedy in str(refused.value)


def test_the_name_of_the_gpu_is_in_the_warning():
    with pytest.warns(SteatosisWarning, match=r"NVIDIA GTX 1080 \(compute capability 6.1\)"):
        choose_compute(machine=with_gpus(PASCAL))
    with pytest.warns(SteatosisWarning, match="NVIDIA RTX 5090: "):
        choose_compute(machine=with_a_fault())


def test_without_a_gpu_nothing_is_warned_of():
    chosen = choose_compute(machine=Machine("PyTorch 2.9.0+cpu"))
    assert not chosen.warning
    assert "no GPU was found" in chosen.reason


def test_gpus_hidden_on_purpose_are_said_and_not_warned_of():
    chosen = choose_compute(machine=with_a_fault(hidden=True))
    assert not chosen.warning
    assert "CUDA_VISIBLE_DEVICES" in chosen.reason


@pytest.mark.parametrize(
    ("archs", "capability", "fits"),
    [
        (("sm_80",), (8, 6), True),
        (("sm_86",), (8, 0), False),
        (("sm_80", "sm_90"), (12, 0), False),
        (("sm_80", "compute_90"), (12, 0), True),
        (("sm_90a",), (9, 0), True),
        (("sm_100a",), (10, 3), False),
        (("sm_100f",), (10, 3), True),
        (("gfx90a",), (9, 0), False),
    ],
)
def test_code_fits_a_gpu_as_cuda_has_it(archs, capability, fits: bool):
    assert runs_on(archs, capability) is fits


def test_radeon_cards_have_no_list_of_architectures():
    radeon = Gpu(0, "AMD Instinct MI300X", (9, 4), 192 * GIB)
    assert choose_compute(machine=with_gpus(radeon, archs=())).device == "cuda:0"


def test_the_choice_for_the_cpu_is_that_of_the_processor():
    chosen = choose_compute("cpu")
    assert chosen.precision in ("fp32", "bf16")
    assert "processor" in chosen.reason
    assert choose_compute("cpu") == chosen


def test_unknown_names_are_refused():
    with pytest.raises(BadValueError, match=r"'tpu' is not available here.*cpu"):
        choose_compute("tpu")
    with pytest.raises(BadValueError, match="'int8' is unknown"):
        choose_compute("cpu", "int8")
    assert str(choose_compute("cpu", "fp32")) == "cpu, fp32 (as asked)"


def test_what_is_seen_here_agrees_with_torch():
    machine = this_machine()
    assert len(machine.gpus) == (torch.cuda.device_count() if torch.cuda.is_available() else 0)
    assert machine.mps == torch.backends.mps.is_available()
    assert choose_compute().kind in ("cpu", "cuda", "mps")


def test_asking_for_the_cpu_wakes_no_driver():
    code = (
        "import torch; from napari_steatosis.models._device import choose_compute;"
        "from napari_steatosis.models._gpus import this_machine;"
        "choose_compute('cpu'); assert not this_machine.cache_info().currsize;"
        "assert not torch.cuda.is_initialized()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
