"""cnn-rnn: regions in order, background left out; cnn-fc."""

from __future__ import annotations

import pytest
import torch

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.models import PUBLISHED, build
from napari_steatosis.models._tokens import cell_means, scan_order
from napari_steatosis.models.cnn_rnn import CnnRnn, is_glass


@pytest.mark.parametrize("scan", ["raster", "snake", "hilbert"])
@pytest.mark.parametrize("side", [1, 2, 4, 8])
def test_a_scan_visits_every_place_once(scan: str, side: int):
    order = scan_order(side, side, scan)
    assert sorted(order.tolist()) == list(range(side * side))
    assert order[order.argsort()].tolist() == list(range(side * side))
    steps = torch.stack([order // side, order % side]).diff(dim=1).abs().sum(0)
    if scan != "raster":
        assert (steps == 1).all(), "what follows is a neighbour"


def test_the_scans_are_what_they_are_called():
    assert scan_order(3, 4, "raster").tolist() == list(range(12))
    assert scan_order(3, 4, "snake").tolist() == [0, 1, 2, 3, 7, 6, 5, 4, 8, 9, 10, 11]
    hilbert = scan_order(8, 8, "hilbert").tolist()
    quadrants = {
        tuple(sorted({(i // 8 // 4, i % 8 // 4) for i in hilbert[q : q + 16]}))
        for q in (0, 16, 32, 48)
    }
    assert all(len(quadrant) == 1 for quadrant in quadrants), "one quarter after another"
    with pytest.raises(BadValueError, match="3 x 3"):
        scan_order(3, 3, "hilbert")


@pytest.mark.parametrize(("rows", "columns"), [(3, 4), (5, 7), (9, 11), (12, 2)])
def test_means_of_cells_are_those_of_torch(rows: int, columns: int):
    x = torch.rand(2, 3, 9, 11)
    expected = torch.nn.functional.adaptive_avg_pool2d(x, (rows, columns))
    assert torch.allclose(cell_means(x, rows, columns), expected, atol=1e-6)


@torch.inference_mode()
def test_regions_come_in_order():
    network = build("cnn-rnn", grid=2, scan="snake")
    rgb = torch.zeros(1, 3, 64, 128)
    for value, (rows, columns) in enumerate(
        [
            (slice(32), slice(64)),
            (slice(32), slice(64, 128)),
            (slice(32, 64), slice(64)),
            (slice(32, 64), slice(64, 128)),
        ]
    ):
        rgb[:, :, rows, columns] = value
    regions = network.regions(rgb)
    assert regions.shape == (1, 4, 3, 32, 64)
    assert regions.amax((2, 3, 4)).tolist() == [[0, 1, 3, 2]]
    assert regions.amin((2, 3, 4)).tolist() == [[0, 1, 3, 2]]


def trained(network: torch.nn.Module) -> torch.nn.Module:
    """Return it with statistics as after training, so that images differ in their features."""
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(part.running_mean, 0.0, 0.2)
    return network.eval()


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("pooling", ["mean", "last", "attention"])
@torch.inference_mode()
def test_what_lies_on_glass_does_not_matter(cell: str, pooling: str):
    torch.manual_seed(0)
    network = trained(build("cnn-rnn", grid=2, cell=cell, pooling=pooling, classes=3))
    rgb = 200 * torch.rand(1, 3, 64, 64)
    rgb[..., :32, 32:] = 240
    other = rgb.clone()
    other[..., :32, 32:] = 250
    other[..., 0, 40] = 10  # a speck
    assert is_glass(network.regions(rgb)).tolist() == [[False, True, False, False]]
    assert network(rgb).shape == (1, 3)
    assert torch.equal(network(rgb), network(other))
    tissue = rgb.clone()
    tissue[..., :32, 32:] = 100
    assert (network(rgb) - network(tissue)).abs().max() > 1e-6
    assert network(torch.full_like(rgb, 255)).isfinite().all()


@pytest.mark.parametrize("pooling", ["mean", "attention"])
@torch.inference_mode()
def test_the_part_of_each_region_lies_where_the_region_lies(pooling: str):
    torch.manual_seed(0)
    network = trained(build("cnn-rnn", grid=4, pooling=pooling))
    rgb = 200 * torch.rand(2, 3, 128, 128)
    rgb[1, :, 32:64, 96:] = 255
    found = network.attention(rgb)
    assert found.shape == (2, 4, 4)
    assert torch.allclose(found.sum((1, 2)), torch.ones(2))
    assert (found == 0).nonzero().tolist() == [[1, 1, 3]]
    with pytest.raises(BadValueError, match="last"):
        build("cnn-rnn", pooling="last").attention(rgb)


@torch.inference_mode()
def test_any_number_of_regions_can_be_read():
    network: CnnRnn = build("cnn-rnn").eval()
    regions = 255 * torch.rand(1, 23, 3, 32, 32)
    none = torch.zeros(1, 23, dtype=torch.bool)
    assert network.classify(regions, none).shape == (1, 2)


def test_the_published_sizes():
    with torch.device("meta"):
        network = build("cnn-rnn", **PUBLISHED["cnn-rnn"])
        dense = build("cnn-fc", classes=4, **PUBLISHED["cnn-fc"])
    assert (network.rnn.input_size, network.rnn.hidden_size, network.rnn.bidirectional) == (
        2048,
        256,
        True,
    )
    assert (network.grid, network.stride_px) == (4, 128)
    widths = [(p.in_features, p.out_features) for p in dense.head if isinstance(p, torch.nn.Linear)]
    assert widths == [(2048, 1024), (1024, 512), (512, 256), (256, 4)]


@pytest.mark.parametrize(
    "wrong", [{"grid": 0}, {"classes": 1}, {"scan": "spiral"}, {"cell": "rnn"}, {"pooling": "max"}]
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]):
    with pytest.raises(BadValueError, match=str(next(iter(wrong.values())))):
        build("cnn-rnn", **wrong)
