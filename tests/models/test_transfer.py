"""Weights from elsewhere, parts that stay, and rates of learning."""

from __future__ import annotations

import copy
import pickle
import socket
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from napari_steatosis.core.errors import BadValueError, ModelFileError
from napari_steatosis.models import build
from napari_steatosis.models.transfer import (
    FREEZING,
    TWO_PHASES,
    freeze,
    load_backbone,
    parameter_groups,
)


@pytest.fixture(scope="module")
def learnt() -> nn.Module:
    torch.manual_seed(7)
    network = timm.create_model("resnet18", num_classes=1000)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean)
    return network


@pytest.fixture(scope="module")
def file(learnt: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    save_file(learnt.state_dict(), path)
    return path


def equal(network: nn.Module, learnt: nn.Module) -> bool:
    theirs = learnt.state_dict()
    own = {key: values for key, values in network.state_dict().items() if key in theirs}
    shared = [key for key in own if not key.startswith("fc.")]
    return len(shared) == 120 and all(torch.equal(own[key], theirs[key]) for key in shared)


@pytest.mark.parametrize("row", ["cnn-fc", "cnn-rnn", "hybrid-convformer"])
def test_weights_go_into_the_backbone(row: str, learnt: nn.Module, file: Path):
    network = build(row, backbone="resnet18")
    before = copy.deepcopy(network.head.state_dict())
    told = load_backbone(network, file)
    assert equal(network.get_submodule(network.backbone_names[0]), learnt)
    assert told.loaded == 120
    assert told.unused == ("fc.bias (1000,)", "fc.weight (1000, 512)")
    assert "fc.weight (1000, 512)" in str(told)
    after = network.head.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)


@pytest.mark.parametrize("classes", [3, 1000])
def test_a_head_of_other_classes_is_told_and_never_taken_over(
    classes: int, learnt: nn.Module, file: Path
):
    network = build("timm", name="resnet18", classes=classes)
    told = load_backbone(network, file)
    assert equal(network.network, learnt)
    assert not torch.equal(network.network.fc.weight[:3], learnt.fc.weight[:3])
    assert f"To be learnt: fc.bias ({classes},), fc.weight ({classes}, 512)" in str(told)


def test_a_part_of_two_is_named(learnt: nn.Module, file: Path):
    network = build("resnet-vgg")
    with pytest.raises(BadValueError, match="resnet, vgg"):
        load_backbone(network, file)
    load_backbone(network, file, part="resnet")
    assert equal(network.resnet.network, learnt)
    with pytest.raises(ModelFileError, match="Missing"):
        load_backbone(network, file, part="vgg")


def test_encoders_of_the_library_and_other_names_before(learnt: nn.Module, tmp_path: Path):
    state = {f"module.encoder.{key}": values for key, values in learnt.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "a.pth")
    network = build("smp", encoder="resnet18")
    load_backbone(network, tmp_path / "a.pth")
    assert equal(network.network.encoder, learnt)


def test_levels_that_timm_renames(tmp_path: Path):
    """A pyramid of timm has stages_0 where the network has stages.0."""
    plain = timm.create_model("convnext_atto", num_classes=10)
    save_file(plain.state_dict(), tmp_path / "a.safetensors")
    network = build("hybrid-convformer", backbone="convnext_atto", dim=32, depth=1)
    told = load_backbone(network, tmp_path / "a.safetensors")
    own, theirs = network.backbone.network.state_dict(), plain.state_dict()
    assert torch.equal(
        own["stages_2.blocks.1.conv_dw.weight"], theirs["stages.2.blocks.1.conv_dw.weight"]
    )
    assert all(name.startswith("head.") for name in told.unused)


def test_dense_layers_of_vgg_as_torchvision_names_them(tmp_path: Path):
    """With 8 of the 4096 numbers in between, so that the test is quick."""
    network = build("resnet-vgg", vgg="vgg11")
    network.vgg.network.pre_logits = timm.create_model("vgg11", mlp_ratio=1 / 512).pre_logits
    own = network.vgg.network.state_dict()
    file = {k: torch.rand_like(v) for k, v in own.items() if k.startswith("features.")}
    file |= {
        "classifier.0.weight": torch.rand(8, 512 * 49),
        "classifier.0.bias": torch.rand(8),
        "classifier.3.weight": torch.rand(4096, 8),
        "classifier.3.bias": torch.rand(4096),
        "classifier.6.weight": torch.rand(1000, 4096),
        "classifier.6.bias": torch.rand(1000),
    }
    torch.save(file, tmp_path / "vgg11.pth")
    told = load_backbone(network, tmp_path / "vgg11.pth", part="vgg")
    found = network.vgg.network.state_dict()["pre_logits.fc1.weight"]
    assert torch.equal(found, file["classifier.0.weight"].view(8, 512, 7, 7))
    assert [name.split(" ")[0] for name in told.unused] == [
        "classifier.6.bias",
        "classifier.6.weight",
    ]


def test_our_own_model_folders_are_sources_too(learnt: nn.Module, file: Path, tmp_path: Path):
    first = build("cnn-fc")
    load_backbone(first, file)
    save_file(first.state_dict(), tmp_path / "model.safetensors")
    second = build("cnn-rnn")
    load_backbone(second, tmp_path / "model.safetensors")
    assert equal(second.encoder.network, learnt)


class Stranger:
    def __reduce__(self):
        return print, ("this must not run",)


def test_what_is_no_file_of_weights_is_refused_and_nothing_changes(
    learnt: nn.Module, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    network = build("cnn-fc")
    before = copy.deepcopy(network.state_dict())
    state = learnt.state_dict()
    (tmp_path / "damaged.safetensors").write_bytes(file.read_bytes()[:5000])
    (tmp_path / "text.pth").write_text("hello")
    (tmp_path / "pickle.pth").write_bytes(pickle.dumps(Stranger(), protocol=2))
    torch.save({"model": Stranger()}, tmp_path / "object.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    save_file({k: v for k, v in state.items() if "layer3" not in k}, tmp_path / "part.safetensors")
    save_file({"x.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    wide = {
        k: torch.zeros(65, 64, 3, 3) if k == "layer1.0.conv1.weight" else v
        for k, v in state.items()
    }
    save_file(wide, tmp_path / "wide.safetensors")
    for name, said in {
        "nothing.safetensors": "no file of weights",
        "damaged.safetensors": "damaged",
        "text.pth": "not opened",
        "pickle.pth": "not opened",
        "object.pth": "not opened",
        "list.pth": "no weights by name",
        "part.safetensors": "Missing: layer3.*and 21 more",
        "other.safetensors": "Unknown: x.weight",
        "wide.safetensors": r"\(65, 64, 3, 3\) in place of \(64, 64, 3, 3\)",
    }.items():
        with pytest.raises(ModelFileError, match=said) as caught:
            load_backbone(network, tmp_path / name)
        assert name in str(caught.value)
    assert "must not run" not in capsys.readouterr().out
    assert all(torch.equal(values, before[key]) for key, values in network.state_dict().items())


def test_nothing_is_downloaded(file: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for row in ("hybrid-convformer", "resnet-vgg", "cnn-rnn", "cnn-fc", "resnet50", "vgg16"):
        network = build(row)
        part = "resnet" if row == "resnet-vgg" else None
        if row in ("resnet50", "vgg16"):
            with pytest.raises(ModelFileError):
                load_backbone(network, file, part=part)
        else:
            load_backbone(network, file, part=part)


def learning(network: nn.Module) -> set[str]:
    return {name for name, values in network.named_parameters() if values.requires_grad}


def test_what_learns_in_each_way():
    network = build("cnn-rnn")
    everything = {name for name, _ in network.named_parameters()}
    backbone = {name for name in everything if name.startswith("encoder.")}
    found = {}
    for freezing in FREEZING:
        freeze(network, freezing)
        found[freezing] = learning(network)
    assert found["none"] == everything
    assert found["backbone"] == everything - backbone
    assert found["last_block"] - found["backbone"] == {n for n in backbone if ".layer4." in n}
    assert found["all"] == {"head.weight", "head.bias"}
    freeze(network, "none")
    assert learning(network) == everything, "each call begins anew"
    with pytest.raises(BadValueError, match="some"):
        freeze(network, "some")


@pytest.mark.parametrize(
    ("row", "parameters", "within"),
    [
        ("timm", {"name": "resnet18"}, ("network.layer4.", "network.fc.")),
        (
            "timm",
            {"name": "efficientnet_b0"},
            (
                "network.blocks.5.",
                "network.blocks.6.",
                "network.conv_head.",
                "network.bn2.",
                "network.classifier.",
            ),
        ),
        (
            "timm",
            {"name": "convnext_atto"},
            ("network.stages.3.", "network.norm_pre.", "network.head."),
        ),
        (
            "smp",
            {"encoder": "resnet18"},
            ("network.encoder.layer4.", "network.decoder.", "network.segmentation_head."),
        ),
        (
            "smp",
            {"encoder": "tu-convnext_atto"},
            ("network.encoder.model.stages_3.", "network.decoder.", "network.segmentation_head."),
        ),
        ("vgg16", {}, (*(f"body.network.features.{n}." for n in (24, 26, 28)), "head.")),
        ("droplet-net", {}, ("down.3.", "up.", "head.")),
        ("valid-unet", {}, ("down.3.", "bottom.", "up.", "head.")),
        (
            "cnn-lstm-attention",
            {"backbone": "resnet18"},
            ("backbone.network.layer3.", "lstm.", "inner.", "score.", "head."),
        ),
    ],
)
def test_the_last_block_of_many_backbones(
    row: str, parameters: dict[str, str], within: tuple[str, ...]
):
    network = build(row, **parameters)
    freeze(network, "last_block")
    names = {name for name, _ in network.named_parameters()}
    assert learning(network) == {name for name in names if name.startswith(within)}


def statistics(network: nn.Module) -> dict[str, torch.Tensor]:
    return {
        k: v.clone() for k, v in network.state_dict().items() if "running" in k or "batches" in k
    }


@pytest.mark.parametrize("freezing", ["last_block", "backbone", "all"])
def test_frozen_normalisation_stays_what_it_is_in_training(freezing: str):
    torch.manual_seed(0)
    network = copy.deepcopy(build("hybrid-convformer", dim=32, depth=1))
    freeze(network, freezing)
    network = pickle.loads(pickle.dumps(copy.deepcopy(network)))
    before, weights = statistics(network), copy.deepcopy(network.state_dict())
    optimizer = torch.optim.AdamW(parameter_groups(network, 1e-2, backbone_factor=1.0))
    for _ in range(2):
        network.train()
        network(255 * torch.rand(2, 3, 64, 64)).square().mean().backward()
        optimizer.step()
    after = statistics(network)
    still = {key for key in before if torch.equal(before[key], after[key])}
    backbone = {key for key in before if key.startswith("backbone.")}
    last = {key for key in backbone if ".layer4." in key}
    expected = {"last_block": backbone - last, "backbone": backbone, "all": set(before)}
    assert still == expected[freezing]
    for key, values in network.state_dict().items():
        if key in dict(network.named_parameters()):
            learns = key in learning(network)
            assert torch.equal(values, weights[key]) != learns, key


def test_after_thawing_statistics_are_learnt_again():
    network = build("cnn-fc")
    freeze(network, "backbone")
    network.train()(torch.rand(2, 3, 32, 32))
    before = statistics(network)
    freeze(network, "none")
    network(255 * torch.rand(2, 3, 64, 64))
    assert all(not torch.equal(v, before[k]) for k, v in statistics(network).items())


def test_two_phases_have_the_rates_that_are_stated():
    network = build("cnn-rnn")
    rates = []
    for phase in TWO_PHASES:
        freeze(network, phase.freezing)
        groups = parameter_groups(
            network, phase.learning_rate, backbone_factor=phase.backbone_factor
        )
        rates.append({group["name"].split(",")[0]: group["lr"] for group in groups})
        grouped = [id(p) for group in groups for p in group["params"]]
        assert sorted(grouped) == sorted(id(p) for p in network.parameters() if p.requires_grad)
        torch.optim.AdamW(groups)
    assert rates == [{"rest": 1e-3}, {"backbone": pytest.approx(1e-5), "rest": 1e-4}]
    assert sum(phase.share for phase in TWO_PHASES) == pytest.approx(1)


def test_biases_and_normalisations_are_not_made_smaller():
    for group in parameter_groups(build("timm"), 1e-3, weight_decay=0.05):
        decayed = group["weight_decay"] == 0.05
        assert all((values.ndim > 1) == decayed for values in group["params"])
        assert group["factor"] == (0.1 if group["name"].startswith("backbone") else 1.0)


def test_a_network_that_does_not_name_its_parts_is_told_so():
    freeze(nn.Sequential(nn.Linear(1, 1)), "none")
    with pytest.raises(BadValueError, match="Sequential does not say its backbone_names"):
        freeze(nn.Sequential(nn.Linear(1, 1)), "backbone")
