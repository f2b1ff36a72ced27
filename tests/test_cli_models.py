"""``napari-steatosis models``: the list, and exports."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_steatosis.cli import app
from napari_steatosis.core.errors import BadValueError, UnknownNameError
from napari_steatosis.models import MODELS, WITHOUT_NETWORK, load_model

pytest.importorskip("torch")


def run(*words: object) -> str:
    done = CliRunner().invoke(app, ["models", *map(str, words)], catch_exceptions=True)
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_without_a_word_the_shipped_models_are_listed() -> None:
    assert "steatosis-he " in run()


def test_names_to_train_are_listed_and_found_by_a_word() -> None:
    told = run("names").splitlines()
    assert [line.partition(":")[0] for line in told] == [*MODELS, *WITHOUT_NETWORK]
    assert "smp:ARCHITECTURE/ENCODER  as smp:unet/resnet34, smp:deeplabv3plus/tu-" in "\n".join(
        told
    )
    assert run("names", "deeplab") == "smp:deeplabv3/ENCODER\nsmp:deeplabv3plus/ENCODER\n"
    with pytest.raises(UnknownNameError, match="No network has 'nosuch'"):
        run("names", "nosuch")


def test_an_exported_model_runs_in_another_process_and_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("export", "steatosis-he-drawn", "--to", "torchscript", "he.pt") == "he.pt\n"
    model = load_model("he.pt", device="cpu")
    tiles = np.random.default_rng(0).integers(0, 256, (1, 64, 48, 3), dtype=np.uint8)
    shipped = load_model("steatosis-he-drawn", device="cpu", precision="fp32")
    assert np.abs(model.predict(tiles) - shipped.predict(tiles)).max() < 1e-3

    (tmp_path / "sent").write_bytes(pickle.dumps((model, tiles)))
    (tmp_path / "worker").mkdir()
    code = (
        "import pickle, numpy; from pathlib import Path;"
        "model, tiles = pickle.loads(Path('../sent').read_bytes());"
        "numpy.save('found.npy', model.predict(tiles))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path / "worker")
    assert np.array_equal(np.load(tmp_path / "worker" / "found.npy"), model.predict(tiles))


def test_a_taken_name_is_refused_unless_it_may_be_replaced(tmp_path: Path) -> None:
    out = tmp_path / "he.pt"
    out.write_text("mine")
    with pytest.raises(BadValueError, match="exists already"):
        run("export", "steatosis-he-drawn", out, "--to", "torchscript")
    assert out.read_text() == "mine"
    run("export", "steatosis-he-drawn", out, "--to", "torchscript", "--overwrite")
    assert load_model(out, device="cpu").spec.name == "steatosis-he-drawn"


def test_authors_are_for_formats_that_hold_them(tmp_path: Path) -> None:
    with pytest.raises(BadValueError, match="for bioimageio"):
        run("export", "steatosis-he", tmp_path / "he.pt", "--to", "torchscript", "--author", "A")
