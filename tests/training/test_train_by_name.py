"""Networks of the libraries, trained by names that say their parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_steatosis.core.errors import BadValueError, UnknownNameError
from napari_steatosis.models import load_model
from napari_steatosis.training.train import train
from training.trainings import QUICK, drawn, squares, trained


def test_a_network_of_a_library_is_trained_by_its_name(tmp_path: Path):
    """The specification holds the row and the arguments, whichever way they were given."""
    small = {"encoder_depth": 3, "decoder_channels": [32, 16, 8]}
    once = {**QUICK, "epochs": 1, "per_sample": 1}
    asked = {"architecture": "unet", "encoder": "resnet18"}
    named = trained("smp:unet/resnet18", drawn(2), out=tmp_path, **{**once, "parameters": small})
    plain = trained("smp", drawn(2), **{**once, "parameters": {**asked, **small}})
    assert named.model.spec.architecture == "smp"
    assert named.model.spec.parameters == plain.model.spec.parameters
    assert named.model.spec.parameters == {**asked, **small, "classes": 2}
    for key, values in named.model.state.items():
        assert torch.equal(values, plain.model.state[key])
    read = load_model(tmp_path, device="cpu", precision="fp32")
    tile = drawn(1, seed=3)[0].image()[None]
    assert np.array_equal(read.predict(tile), named.model.predict(tile))

    classes = trained("timm:convnext_atto", squares(3, classes=3), **{**once, "parameters": {}})
    assert classes.model.spec.architecture == "timm"
    assert classes.model.spec.parameters == {"name": "convnext_atto", "classes": 3}


def test_a_name_of_a_library_that_is_wrong_is_refused_before_the_first_row():
    for name, said in (
        ("smp:unett/resnet18", "Did you mean 'unet'"),
        ("smp:unet/resnet19", "Did you mean 'resnet18'"),
        ("timm:resnet19", "no network 'resnet19'. Did you mean"),
        ("smp:unet/resnet18/64", "Write smp:ARCHITECTURE/ENCODER"),
        ("droplet-nett", "Did you mean 'droplet-net'"),
    ):
        data = squares(2) if name.startswith("timm") else drawn(2)
        with pytest.raises(UnknownNameError, match=said):
            train(name, data, device="cpu")
    with pytest.raises(BadValueError, match="architecture 'unet', and architecture='fpn'"):
        train("smp:unet", drawn(2), parameters={"architecture": "fpn"})
