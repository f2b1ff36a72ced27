"""The form *Evaluate*: numbers with intervals, examples with captions, and plain words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.qt.threading import GeneratorWorker
from PIL import Image

from napari_steatosis._napari.evaluate import EvaluateForm
from training.trainings import QUICK, squares, trained

WAIT_MS = 120_000


@pytest.fixture
def form(make_napari_viewer_proxy, qtbot):
    made = EvaluateForm(make_napari_viewer_proxy())
    qtbot.addWidget(made.native)
    yield made
    qtbot.waitUntil(lambda: not made.is_running, timeout=WAIT_MS)
    GeneratorWorker.await_workers(WAIT_MS)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("m") / "squares"
    quick = {**QUICK, "parameters": {}, "epochs": 1, "per_sample": 1}
    return trained("cnn-fc", squares(6), out=out, **quick).folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("set")
    rows = ["path,label,patient,split,mpp"]
    for number, one in enumerate(squares(8, seed=3)):
        Image.fromarray(one.image()).save(root / f"{number}.png")
        rows.append(f"{number}.png,{one.label},p{number},{'val' if number < 4 else 'test'},1.0")
    (root / "manifest.csv").write_text("\n".join(rows) + "\n")
    return root


def evaluated(form, qtbot):
    form.start()
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
    return form.evaluation


def test_a_classifier_is_scored_and_its_examples_are_shown(
    form, qtbot, classifier, folder, tmp_path
):
    form.model.offer(classifier)
    form.data.value, form.split.value = folder, "test"
    form.recall.value, form.recall_on.value = 0.75, "val"
    form.folder.value = tmp_path / "report"
    found = evaluated(form, qtbot)
    assert found is not None, form.panel.flags.text()
    assert found.models[0].n == 4
    captions = [one.caption for one in next(iter(found.examples.values()))]
    assert all(text.startswith(("Correct: true", "Wrong: true")) for text in captions)
    assert form.examples.whole.width() > 1000
    table = form.panel.table
    names = [table.item(row, 0).text() for row in range(table.rowCount())]
    assert "Accuracy" in names
    assert any(name.startswith("Threshold, b, wanted recall") for name in names)
    assert "set val" in found.points[0].chosen_on
    assert {"evaluation.html", "examples_squares.png"} <= {
        path.name for path in (tmp_path / "report").iterdir()
    }


def test_what_is_missing_is_asked_for(form, qtbot, folder):
    form.start()
    assert "labelled images" in form.panel.flags.text()
    form.data.value = folder
    assert evaluated(form, qtbot) is None  # a segmenter, and no masks
    assert "has no mask" in form.panel.flags.text()
    assert np.all([form.run.enabled, form._rows.isEnabled()])
