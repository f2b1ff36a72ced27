"""Bands of rows through a network: what comes out is what the whole image gives."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from napari_steatosis.core.model import StreamingModel
from napari_steatosis.models import build, load_model
from napari_steatosis.models._steps import NotLocalError, Step, program_of
from napari_steatosis.models._stream import BandStream, stream_of


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def streamed(network: nn.Module, rgb: np.ndarray, bands: list[int]) -> np.ndarray:
    stream = stream_of(network, next(network.parameters()).dtype)
    assert stream is not None
    ends = np.cumsum([0, *bands])
    assert ends[-1] == len(rgb)
    parts = [stream.push(rgb[a:b], last=b == len(rgb)) for a, b in itertools.pairwise(ends)]
    return np.concatenate(parts, 1)


def whole(network: nn.Module, rgb: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        image = torch.from_numpy(rgb[None]).permute(0, 3, 1, 2).to(next(network.parameters()).dtype)
        logits = network(image).float()
    return logits[0, 0].sigmoid().numpy() if logits.shape[1] == 1 else logits[0].softmax(0).numpy()


def ready(network: nn.Module, dtype: torch.dtype = torch.float32) -> nn.Module:
    made = network.eval().requires_grad_(False).to(dtype)
    return made.to(memory_format=torch.channels_last)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("bands", [[304], [16, 32, 256], [160, 16, 16, 112], [7, 33, 1, 263]])
def test_the_shipped_model_gives_the_bits_of_predict(bands, precision):
    model = load_model("steatosis-he", device="cpu", precision=precision)
    assert isinstance(model, StreamingModel)
    rgb = noise(304, 208)
    stream, found, y = model.stream(), [], 0
    for rows in bands:
        found.append(stream.push(rgb[y : y + rows], last=y + rows == 304))
        y += rows
    expected = model.predict(rgb[None])[0]
    if precision == "bf16":
        assert np.array_equal(np.concatenate(found, 1), expected)
    else:  # oneDNN may sum in another order where the rows at a time are fewer
        np.testing.assert_allclose(np.concatenate(found, 1), expected, atol=2e-6)


def test_heavier_networks_get_fewer_rows_at_a_time():
    light, heavy = (stream_of(ready(build(name)), torch.float32) for name in ("droplet-net", "smp"))
    assert light.rows_at_a_time(1000) > heavy.rows_at_a_time(1000) >= 32
    assert light.rows_at_a_time(500) > light.rows_at_a_time(2000) > light.rows_at_a_time(10**6)
    assert light.rows_at_a_time(10**6) == 32


def test_rows_come_as_early_as_they_can():
    network = ready(build("droplet-net", channels=(16, 16), down=(1, 1), up=(1,)))
    stream = stream_of(network, torch.float32)
    rows = [stream.push(noise(64, 64), last=last).shape[1] for last in (False, False, True)]
    assert sum(rows) == 192
    assert 0 < 64 - rows[0] <= network.reach_px + network.stride_px
    assert rows[1] == 64


def test_what_waits_at_the_end_comes_in_portions_too():
    program = program_of(ready(build("smp", encoder="resnet18")))
    largest = []

    def seen(step: Step) -> Step:
        def run(inputs, place):
            made = step.run(inputs, place)
            largest[-1] = max(largest[-1], made.numel())
            return made

        return replace(step, run=run)

    stream = BandStream(replace(program, steps=[seen(s) for s in program.steps]), torch.float32)
    for n in range(24):
        largest.append(0)
        stream.push(noise(32, 32), last=n == 23)
    assert largest[-1] == max(largest[:-1])  # all at once: 9 times


@pytest.mark.parametrize("name", ["smp", "valid-unet"])
def test_other_networks_of_the_shelf_are_computed_in_bands(name):
    torch.manual_seed(1)
    network, rgb = ready(build(name)), noise(320, 192)
    for bands in ([320], [96, 32, 192], [31, 97, 192]):
        found = streamed(network, rgb, bands)
        np.testing.assert_allclose(found[1], whole(network, rgb), atol=1e-5)


class Pools(nn.Module):
    """Every kind of window: dilated, strided, grouped, overlapping pooling with padding."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 7, stride=2, padding=3)
        self.b = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=2)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.up = nn.Upsample(scale_factor=4, mode="nearest")
        self.head = nn.Conv2d(8, 3, (3, 1), padding=(1, 0))

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        x = F.silu(self.a(rgb / 255))
        x = self.pool(x - 1.0)  # all below 0: padding must not win
        return self.head(self.up(self.norm(self.b(x)) + x))


def test_windows_of_all_kinds():
    torch.manual_seed(2)
    network, rgb = ready(Pools()), noise(128, 96)
    for bands in ([128], [20, 44, 64], [5] * 24 + [8]):
        np.testing.assert_allclose(streamed(network, rgb, bands), whole(network, rgb), atol=1e-5)


def test_networks_run_while_others_are_traced():
    """Tracing replaces how all networks of the process are called."""
    model, rgb = load_model("steatosis-he", device="cpu", precision="fp32"), noise(64, 64)[None]
    expected, failed, stop = model.predict(rgb), [], threading.Event()

    def run():
        while not stop.is_set():
            try:
                assert np.array_equal(model.predict(rgb), expected)
            except Exception as error:
                failed.append(error)
                return

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        assert stream_of(ready(build("droplet-net")), torch.float32) is not None
    stop.set()
    for thread in threads:
        thread.join()
    assert not failed


class Squeeze(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return self.conv(rgb) * rgb.mean((2, 3), keepdim=True).mean(1, keepdim=True)


class Smooth(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 3, stride=2, padding=1)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return F.interpolate(self.conv(rgb), scale_factor=2, mode="bilinear")


@pytest.mark.parametrize(
    "network", [Squeeze(), Smooth(), nn.Sequential(nn.Conv2d(3, 1, 3), nn.Flatten())]
)
def test_what_is_not_local_is_refused(network):
    with pytest.raises(NotLocalError):
        program_of(network.eval())
    assert stream_of(network, torch.float32) is None
