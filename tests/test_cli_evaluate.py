"""``napari-steatosis evaluate``: models and a folder in; a table, files and plain words out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_steatosis.cli import app
from napari_steatosis.core.errors import BadValueError, MissingScaleError
from napari_steatosis.training.tiles import drawn_tiles


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tiles")
    rows = ["path,mask_path,patient,split"]
    for number, tile in enumerate(drawn_tiles(3, seed=1, side_px=64)):
        Image.fromarray(tile.image).save(root / f"{number}.png")
        Image.fromarray(255 * tile.mask).save(root / f"{number}_mask.png")
        rows.append(f"{number}.png,{number}_mask.png,p{number},{'val' if number else 'train'}")
    (root / "manifest.csv").write_text("\n".join(rows) + "\n")
    return root


def run(*asked: object):
    given = ["evaluate", *map(str, asked), "--device", "cpu", "--draws", "20"]
    return CliRunner().invoke(app, given, catch_exceptions=False)


def test_two_models_are_scored_and_compared(folder: Path, tmp_path: Path):
    models = ("steatosis-he", "steatosis-he-drawn")
    done = run(*models, folder, "--split", "val", "--mpp", "0.5", "--out", tmp_path, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert [one["model"] for one in said["models"]] == list(models)
    assert said["models"][0]["n"] == 2
    assert {row["score"] for row in said["differences"]} >= {"jaccard_pooled", "droplet_ap"}
    assert {path.name for path in tmp_path.iterdir()} == {
        *("evaluation.json", "evaluation.csv", "evaluation.html", "differences.csv"),
    }


def test_one_model_twice_keeps_two_names(folder: Path, tmp_path: Path):
    twice = ("steatosis-he-drawn", "steatosis-he-drawn")
    done = run(*twice, folder, "--mpp", "0.5", "--out", tmp_path, "--no-examples")
    assert "jaccard_mean" in done.output
    names = [m["model"] for m in json.loads((tmp_path / "evaluation.json").read_text())["models"]]
    assert len(set(names)) == 2


def test_what_is_missing_is_said(folder: Path, tmp_path: Path):
    with pytest.raises(BadValueError, match="at least one model"):
        run(folder, "--out", tmp_path)
    with pytest.raises(MissingScaleError, match="--mpp"):
        run("steatosis-he", folder, "--out", tmp_path)
    with pytest.raises(BadValueError, match="split 'test'"):
        run("steatosis-he", folder, "--mpp", "0.5", "--split", "test", "--out", tmp_path)
    assert not any(tmp_path.iterdir())
