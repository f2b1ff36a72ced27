"""The form *Train* in a viewer: a real training in its own process, paused, resumed, cancelled."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import psutil
import pytest
from napari.qt.threading import GeneratorWorker
from PIL import Image

from napari_steatosis._napari.curves import MOST_POINTS, Curves
from napari_steatosis._napari.model_field import ModelField
from napari_steatosis._napari.predicted_pictures import FOUND, TRUTH, drawn
from napari_steatosis._napari.recent import TRAINED
from napari_steatosis._napari.train import PUBLISHED, TrainForm
from napari_steatosis._napari.training_steps import NOTHING
from napari_steatosis.training.checkpoints import checkpoint_of
from napari_steatosis.training.rows import Predicted
from napari_steatosis.training.tiles import drawn_tiles

WAIT_MS = 240_000


@pytest.fixture
def form(make_napari_viewer_proxy, qtbot):
    made = TrainForm(make_napari_viewer_proxy())
    qtbot.addWidget(made.native)
    yield made
    made.stop()
    qtbot.waitUntil(lambda: not made.is_running, timeout=WAIT_MS)
    GeneratorWorker.await_workers(120_000)


@pytest.fixture
def tiles(tmp_path) -> Path:
    root, rows = tmp_path / "tiles", []
    root.mkdir()
    for number, tile in enumerate(drawn_tiles(3, seed=1, side_px=64)):
        Image.fromarray(tile.image).save(root / f"{number}.png")
        Image.fromarray(255 * tile.mask).save(root / f"{number}_mask.png")
        paths = {"path": f"{number}.png", "mask_path": f"{number}_mask.png"}
        rows.append({**paths, "patient": f"p{number}", "mpp": "0.5"})
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return root


def test_a_training_shows_how_it_goes_and_obeys(form, tiles, tmp_path, qtbot):
    form.data.value, form.folder.value = tiles, tmp_path / "mine"
    form.epochs.value, form.batch.value = 500, 2
    form.start()
    qtbot.waitUntil(lambda: bool(form.curves.scores and form.curves.losses), timeout=WAIT_MS)
    assert "2 samples to train on, 1 to judge on." in form.panel.plan.text()
    process = psutil.Process(form._process.pid)
    form.pause_or_go_on()
    assert form.pause.text == "Resume"
    qtbot.wait(1500)  # the step at work
    seen = len(form.curves.losses)
    qtbot.wait(500)
    assert len(form.curves.losses) == seen
    assert "Paused" in form.panel.status.text()
    form.pause_or_go_on()
    qtbot.waitUntil(lambda: len(form.curves.losses) > seen, timeout=WAIT_MS)
    assert not form.pictures.pictures[0].pixmap().isNull()
    form.stop()
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
    assert "Stopped" in form.panel.status.text()
    assert not process.is_running()
    assert checkpoint_of(tmp_path / "mine").is_file()
    assert form.run.enabled
    assert form.trained is None


def test_what_cannot_be_trained_is_said_in_the_form(form, tiles, tmp_path, qtbot):
    form.start()
    assert "Choose a folder under 'Data'" in form.panel.flags.text()
    text = (tiles / "manifest.csv").read_text().replace("p1", "p0").replace("p2", "p0")
    (tiles / "manifest.csv").write_text(text)
    form.data.value, form.folder.value = tiles, tmp_path / "mine"
    form.start()
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
    assert "under 'Judge on'" in form.panel.flags.text()
    assert form.run.enabled


def test_the_fields_become_arguments(form, tiles, tmp_path):
    form.data.value, form.folder.value = tiles, tmp_path / "mine"
    form.architecture.value, form.recipe.value = "valid-unet", PUBLISHED
    form.judged_on.value, form.rate.value, form.seed.value = NOTHING, 0.0005, 3
    asked = form.asked()
    assert (asked.architecture, asked.out) == ("valid-unet", str(tmp_path / "mine"))
    assert asked.how == {"preset": "valid-unet", "learning_rate": 0.0005, "seed": 3}
    training, held = asked.datasets()
    assert len(training) == 3
    assert held is None


def test_a_network_of_a_library_is_typed(form, tiles, tmp_path):
    form.data.value, form.folder.value = tiles, tmp_path / "mine"
    offered = {"classical", "smp:unet/resnet34", "timm:caformer_s18"}
    assert offered < set(form.architecture.choices)
    form.architecture.native.setEditText(" smp:fpn/tu-convnext_atto ")
    assert form.asked().architecture == "smp:fpn/tu-convnext_atto"
    form.architecture.native.setEditText("")
    assert form.asked().architecture == "smp:fpn/tu-convnext_atto"
    assert form.architecture.native.currentText() == "smp:fpn/tu-convnext_atto"


def test_a_name_that_no_library_has_is_said(form, tiles, tmp_path, qtbot):
    form.data.value, form.folder.value = tiles, tmp_path / "mine"
    form.architecture.native.setEditText("smp:unett/resnet34")
    form.start()
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
    assert "Did you mean 'unet'" in form.panel.flags.text()
    assert not (tmp_path / "mine" / "model.json").exists()


def test_a_trained_model_is_offered_by_fields_that_are_open(qtbot, monkeypatch, tmp_path):
    monkeypatch.setattr(TRAINED, "folders", [])
    field = ModelField(["steatosis-he"], label="Model")
    qtbot.addWidget(field.native)
    TRAINED.add(tmp_path / "mine")
    assert str(tmp_path / "mine") in field.choices
    assert field.value == "steatosis-he"
    other = ModelField(["steatosis-he"], label="Model")
    qtbot.addWidget(other.native)
    assert str(tmp_path / "mine") in other.choices


def test_curves_stay_short_and_pictures_show_both_outlines(qtbot):
    curves = Curves()
    qtbot.addWidget(curves)
    for number in range(5 * MOST_POINTS):
        curves.add_loss(1 / (1 + number))
    curves.add_score(0.5)
    assert len(curves.losses) <= 2 * MOST_POINTS
    assert curves.losses[-1][0] > 4.9 * MOST_POINTS
    curves.resize(300, 150)
    assert not curves.grab().isNull()
    truth = np.zeros((40, 40), np.uint8)
    truth[5:20, 5:20], truth[30:, 30:] = 1, 255
    chance = np.zeros((2, 40, 40), np.float32)
    chance[0], chance[1, 22:30, 5:20] = 0.5, 1
    rgb, said = drawn(Predicted(1, "a", np.full((40, 40, 3), 200, np.uint8), truth, chance))
    assert said == ""
    assert tuple(rgb[5, 10]) == TRUTH
    assert tuple(rgb[22, 10]) == FOUND
    assert tuple(rgb[12, 12]) == tuple(rgb[35, 35]) == (200, 200, 200)
