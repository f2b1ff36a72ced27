"""Names that say the parts of a network, and what is said of those that are wrong."""

from __future__ import annotations

import pytest
import torch

from napari_steatosis.core.errors import BadValueError, UnknownNameError
from napari_steatosis.models import MODELS, build
from napari_steatosis.models._names import EXAMPLES, PARTS, names_with, read_name


@pytest.mark.parametrize("name", [*MODELS, "C:\\models\\mine", "valid-unet:3", "models/mine"])
def test_what_says_no_parts_stays_as_it_is(name: str):
    assert read_name(name) == (name, {})


def test_parts_are_arguments_of_the_row():
    assert set(PARTS) <= set(MODELS)
    assert read_name("smp:fpn") == ("smp", {"architecture": "fpn"})
    named = {"architecture": "fpn", "encoder": "tu-caformer_s18"}
    assert read_name("smp:fpn/tu-caformer_s18", {"classes": 3, **named}) == ("smp", named)
    assert read_name("timm:resnet18.a1_in1k") == ("timm", {"name": "resnet18.a1_in1k"})


@pytest.mark.parametrize(
    "name", ["smp:", "smp:unet/", "smp:/resnet18", "smp:unet/resnet18/3", "timm:", "timm:a/b"]
)
def test_a_name_with_a_part_too_few_or_too_many_is_refused(name: str):
    with pytest.raises(UnknownNameError, match=f"{name!r}.*Write {name.partition(':')[0]}:"):
        read_name(name)


def test_a_name_and_an_argument_that_contradict_each_other_are_refused():
    with pytest.raises(BadValueError, match="encoder 'resnet34', and encoder='resnet18'"):
        read_name("smp:unet/resnet34", {"encoder": "resnet18"})


@pytest.mark.parametrize(
    ("name", "row", "arguments"),
    [
        ("smp:unet/resnet34", "smp", {"architecture": "unet", "encoder": "resnet34"}),
        ("timm:convnext_atto", "timm", {"name": "convnext_atto"}),
    ],
)
def test_a_network_by_name_is_that_of_its_arguments(name: str, row: str, arguments: dict[str, str]):
    networks = []
    for asked, how in ((name, {}), (row, arguments)):
        torch.manual_seed(0)
        networks.append(build(asked, classes=3, **how).state_dict())
    first, second = networks
    assert list(first) == list(second)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_the_examples_can_be_built():
    with torch.device("meta"):
        built = [type(build(name, classes=3)) for name in EXAMPLES]
    assert built == [MODELS[name.partition(":")[0]] for name in EXAMPLES]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("smp:unett/resnet34", "'unet'"),
        ("smp:DeepLab/resnet34", "'deeplabv3'"),
        ("smp:unet/resnet43", "'resnet34'"),
        ("smp:unet/convnext_tiny", "'tu-convnext_tiny'"),
        ("smp:unet/tu-convnext_tinny", "'tu-convnext_tiny'"),
        ("timm:caformer_s19", "'caformer_s18'"),
    ],
)
def test_what_is_spelled_alike_is_named(name: str, meant: str):
    with pytest.raises(UnknownNameError, match=f"Did you mean .*{meant}"):
        build(name)


@pytest.mark.parametrize("name", ["smp:dpt/resnet18", "smp:deeplabv3/tu-caformer_s18"])
def test_a_pair_that_the_library_cannot_build_is_named(name: str):
    architecture, encoder = name.removeprefix("smp:").split("/")
    with pytest.raises(BadValueError, match=f"cannot build {architecture} with encoder {encoder}:"):
        build(name)


def test_names_are_found_by_a_word():
    found = names_with("CAFormer_s18")
    assert "timm:caformer_s18" in found
    assert "smp:ARCHITECTURE/tu-caformer_s18" in found
    assert not [name for name in found if "caformer_s18" not in name]
    assert names_with("pan") == ["smp:pan/ENCODER"]
    assert "valid-unet" in names_with("unet")
    assert "hybrid-convformer" in names_with("convformer")
