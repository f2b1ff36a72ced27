"""``napari-steatosis evaluate``: models and a folder in; a table, files and plain words out."""

from __future__ import annotations

import csv
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
    for number, tile in enumerate(drawn_tiles(4, seed=1, side_px=64)):
        Image.fromarray(tile.image).save(root / f"{number}.png")
        Image.fromarray(255 * tile.mask).save(root / f"{number}_mask.png")
        rows.append(f"{number}.png,{number}_mask.png,p{number},{'val' if number > 1 else 'train'}")
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
        *(f"examples_{model}.png" for model in models),
    }


def test_one_model_twice_keeps_two_names(folder: Path, tmp_path: Path):
    twice = ("steatosis-he-drawn", "steatosis-he-drawn")
    done = run(*twice, folder, "--mpp", "0.5", "--out", tmp_path, "--no-examples")
    assert "jaccard_mean" in done.output
    names = [m["model"] for m in json.loads((tmp_path / "evaluation.json").read_text())["models"]]
    assert len(set(names)) == 2


def test_a_threshold_for_a_recall_is_chosen_on_another_set(folder: Path, tmp_path: Path):
    asked = ["steatosis-he-drawn", folder, "--split", "val", "--mpp", "0.5", "--recall", "0.9"]
    done = run(*asked, "--recall-on", "train", "--out", tmp_path / "a", "--json")
    assert done.exit_code == 0, done.output
    (point,) = json.loads(done.stdout)["working_points"]
    assert (point["class"], point["wanted_recall"], point["note"]) == ("fat", 0.9, "")
    assert "set train: 2 samples" in point["chosen_on"]
    assert 0 <= point["threshold"]["value"] < 1
    assert set(point["scores"]) == {"recall", "specificity", "precision"}
    rows = list(csv.DictReader((tmp_path / "a" / "evaluation.csv").open()))
    assert [row["chosen_on"] for row in rows if row["score"] == "threshold"] == [point["chosen_on"]]
    assert "Thresholds for a wanted recall" in (tmp_path / "a" / "evaluation.html").read_text()
    assert (tmp_path / "a" / "examples_steatosis-he-drawn.png").stat().st_size > 10_000

    same = run(*asked, "--out", tmp_path / "b", "--no-examples")
    assert "chosen on the samples that are scored" in " ".join(same.stderr.split())
    assert "Threshold for a recall of 0.9" in same.stdout


def test_the_analysis_of_variance_is_labelled(folder: Path, tmp_path: Path):
    models = ("steatosis-he", "steatosis-he-drawn")
    asked = [*models, folder, "--mpp", "0.5", "--anova", "tile", "--no-examples"]
    done = run(*asked, "--out", tmp_path)
    assert "as in a published study" in " ".join(done.stdout.split())
    assert "no independent units" in " ".join(done.stdout.split())
    page = (tmp_path / "evaluation.html").read_text()
    assert "Analysis of variance, as published" in page
    assert page.index("Differences") < page.index("Analysis of variance")
    rows = list(csv.DictReader((tmp_path / "anova.csv").open()))
    assert rows[0]["over"] == "tile"
    assert rows[0]["values_per_model"] == "4"


def test_what_is_missing_is_said(folder: Path, tmp_path: Path):
    with pytest.raises(BadValueError, match="at least one model"):
        run(folder, "--out", tmp_path)
    with pytest.raises(MissingScaleError, match="--mpp"):
        run("steatosis-he", folder, "--out", tmp_path)
    with pytest.raises(BadValueError, match="split 'test'"):
        run("steatosis-he", folder, "--mpp", "0.5", "--split", "test", "--out", tmp_path)
    for asked, said in (
        (["--recall", "95"], "more than 0 and at most 1"),
        (["--recall-on", "val"], "--recall"),
        (["--recall", "0.9", "--recall-on", "test"], "split 'test'"),
        (["--anova", "tile"], "there is 'steatosis-he' only"),
    ):
        with pytest.raises(BadValueError, match=said):
            run("steatosis-he", folder, "--mpp", "0.5", *asked, "--out", tmp_path)
    assert not any(tmp_path.iterdir())
