"""``napari-steatosis train``: a folder in, a model out, and plain words for what is wrong."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_steatosis.cli import app
from napari_steatosis.core.errors import BadValueError, UnknownNameError
from napari_steatosis.models import load_model
from napari_steatosis.training.tiles import drawn_tiles

SMALL = ["--set", 'parameters={"channels": [16], "down": [1], "up": []}', "--set", "crop-px=32"]
QUICK = [*SMALL, "--epochs", "1", "--batch", "2", "--device", "cpu", "--set", "per_sample=1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tiles")
    rows = []
    for number, tile in enumerate(drawn_tiles(6, seed=1, side_px=64)):
        Image.fromarray(tile.image).save(root / f"{number}.png")
        Image.fromarray(255 * tile.mask).save(root / f"{number}_mask.png")
        split = "val" if number > 3 else "train"
        paths = {"path": f"{number}.png", "mask_path": f"{number}_mask.png"}
        rows.append({**paths, "patient": f"p{number}", "split": split, "mpp": "0.5"})
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return root


def test_a_folder_becomes_a_model(folder: Path, tmp_path: Path):
    asked = ["train", "droplet-net", str(folder), "--out", str(tmp_path / "mine"), *QUICK]
    done = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "4 samples to train on, 2 to validate on" in done.output
    assert "jaccard" in done.output
    model = load_model(tmp_path / "mine", device="cpu")
    assert model.spec.name == "mine"
    assert model.digest[:12] in done.output


def test_a_network_of_a_library_is_named(folder: Path, tmp_path: Path):
    small = ["--set", 'parameters={"encoder_depth": 3, "decoder_channels": [32, 16, 8]}']
    asked = ["train", "smp:unet/resnet18", str(folder), "--out", str(tmp_path / "mine")]
    done = CliRunner().invoke(app, [*asked, *QUICK, *small], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    spec = load_model(tmp_path / "mine", device="cpu").spec
    assert (spec.architecture, spec.parameters["encoder"]) == ("smp", "resnet18")
    asked[1] = "smp:unet/resnet19"
    with pytest.raises(UnknownNameError, match="Did you mean 'resnet18'"):
        CliRunner().invoke(app, [*asked[:-1], str(tmp_path / "no"), *QUICK], catch_exceptions=False)
    assert not (tmp_path / "no").exists()


def test_a_setting_that_is_none_is_refused(folder: Path, tmp_path: Path):
    for wrong, said in (
        (["--set", "blurred"], "FIELD=VALUE"),
        (["--split", "random"], "--split is 'random'"),
    ):
        asked = ["train", "droplet-net", str(folder), "--out", str(tmp_path / "m"), *wrong]
        with pytest.raises(BadValueError, match=said):
            CliRunner().invoke(app, asked, catch_exceptions=False)
