"""The checkpoints that come with the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_steatosis.models import SHIPPED, WEIGHTS, build, load_model

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_is_complete_and_small(name: str):
    folder = WEIGHTS / name
    assert {file.name for file in folder.iterdir()} == {
        "card.md",
        "model.json",
        "model.safetensors",
    }
    assert sum(file.stat().st_size for file in folder.iterdir()) < 6e6
    spec = load_model(name, device="cpu").spec
    assert spec.name == name
    assert spec.classes == ("tissue", "fat")
    assert spec.licence
    assert spec.training_data
    network = build(spec.architecture, **spec.parameters)
    assert spec.multiple_px == network.stride_px
    assert spec.tile_px % spec.multiple_px == spec.halo_px % spec.multiple_px == 0
    assert network.reach_px <= spec.halo_px < network.reach_px + spec.multiple_px


@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_is_of_this_model_and_stands_in_the_documentation(name: str):
    card = (WEIGHTS / name / "card.md").read_text(encoding="utf-8")
    model = load_model(name, device="cpu")
    assert model.digest in card
    assert "research use only" in card.lower()
    assert f"{model.spec.scores['val']['jaccard'][0]:.3f}" in card
    assert (ROOT / "docs" / "models" / f"{name}.md").read_text(encoding="utf-8") == card


def test_white_glass_and_flat_pink_hold_no_fat():
    model = load_model("steatosis-he", device="cpu")
    for colour in ((245, 245, 245), (255, 255, 255), (220, 150, 200)):
        blank = np.full((1, 256, 256, 3), colour, np.uint8)
        assert (model.predict(blank)[0, 1, 64:192, 64:192] >= 0.5).mean() < 0.01
