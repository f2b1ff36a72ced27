"""The range test finds where learning is, the grid search which setting is best."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.models import load_model
from napari_steatosis.training.rows import Epoch
from napari_steatosis.training.search import Trial, grid_search, learning_rate_range
from training.trainings import QUICK, drawn


def test_the_suggested_rate_lies_where_the_loss_falls():
    how = {key: value for key, value in QUICK.items() if key != "epochs"}
    rows = list(learning_rate_range("droplet-net", drawn(), steps=60, rates=(1e-6, 30.0), **how))
    rates = [row.learning_rate for row in rows]
    assert rates == sorted(rates)
    assert [row.suggested for row in rows[:-1]] == [None] * (len(rows) - 1)
    assert 1e-5 < rows[-1].suggested < 1.0
    assert len(rows) <= 60
    with pytest.raises(BadValueError, match="must rise"):
        next(learning_rate_range("droplet-net", drawn(), rates=(1.0, 0.1)))


def test_a_rate_of_nothing_loses_the_grid_search(tmp_path: Path):
    grid = {"learning_rate": (1e-9, 5e-3)}
    how = {**QUICK, "epochs": 6, "patience": 0}
    data = drawn(4, seed=1), drawn(2, seed=2)
    rows = list(grid_search("droplet-net", *data, grid, out=tmp_path, **how))
    trials = [row for row in rows if isinstance(row, Trial)]
    assert [trial.settings for trial in trials] == [{"learning_rate": r} for r in (1e-9, 5e-3)]
    assert [(trial.number, trial.count) for trial in trials] == [(1, 2), (2, 2)]
    losses = [row.loss for row in rows if isinstance(row, Epoch)]
    assert losses[11] < losses[5]
    assert load_model(tmp_path / "trial-2", device="cpu").spec.task == "segmentation"
    with pytest.raises(BadValueError, match="needs settings"):
        next(grid_search("droplet-net", *data, {}))
