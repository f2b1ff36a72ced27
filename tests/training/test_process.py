"""A training in a process of its own: its rows come back, it obeys, and it is gone afterwards."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from napari_steatosis.core.errors import BadValueError, SteatosisError
from napari_steatosis.models import load_model
from napari_steatosis.training.checkpoints import checkpoint_of
from napari_steatosis.training.process import TrainingProcess
from napari_steatosis.training.rows import Epoch, Notice, Step, Trained
from training.trainings import QUICK, drawn, rows_of, squares

LONG = {**QUICK, "epochs": 120, "patience": 0}


def test_pause_cancel_resume_and_the_result_of_one_process(tmp_path: Path):
    with TrainingProcess("droplet-net", drawn(), out=tmp_path / "m", **LONG) as training:
        rows = training.rows()
        while not isinstance(next(rows), Epoch):
            pass
        training.pause()
        time.sleep(0.5)
        process = psutil.Process(training.pid)
        before = process.cpu_times().user
        time.sleep(0.5)
        assert process.cpu_times().user - before < 0.3
        training.resume()
        assert any(isinstance(row, Step) for row, _ in zip(rows, range(9), strict=False))
        training.cancel()
        rest = list(rows)
        assert not any(isinstance(row, Trained) for row in rest)
    assert not psutil.pid_exists(training.pid)
    assert checkpoint_of(tmp_path / "m").is_file()
    rows = rows_of("droplet-net", drawn(), out=tmp_path / "m", resume=True, **LONG)
    assert any(isinstance(row, Notice) and "Going on after" in row.text for row in rows)
    whole = rows_of("droplet-net", drawn(), **LONG)[-1].model
    assert all((rows[-1].model.state[key] == value).all() for key, value in whole.state.items())


def test_errors_and_sudden_ends_come_back(tmp_path: Path):
    one = TrainingProcess("cnn-fc", squares(2).only(lambda s: s.label == "a"), out=tmp_path / "a")
    with pytest.raises(BadValueError, match="nothing to tell apart"):
        list(one.rows())
    other = TrainingProcess("droplet-net", drawn(), out=tmp_path / "m", **LONG)
    rows = other.rows()
    next(rows)
    psutil.Process(other.pid).kill()
    with pytest.raises(SteatosisError, match="ended without a word"):
        list(rows)


def test_the_model_comes_back_as_its_folder(tmp_path: Path):
    with TrainingProcess(
        "droplet-net", drawn(), drawn(2, seed=2), out=tmp_path / "m", **QUICK
    ) as training:
        last = list(training.rows())[-1]
    assert isinstance(last, Trained)
    assert last.model is None
    assert load_model(last.folder, device="cpu").digest == last.digest
