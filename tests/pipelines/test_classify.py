"""A classification as a run: stored, resumed, refused, stopped, and on a cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from discs import disc_slide
from napari_steatosis.core.errors import (
    CannotOpenError,
    IncompleteRunError,
    StoreMismatchError,
)
from napari_steatosis.core.geometry import Region
from napari_steatosis.imaging import drawn_liver, find_tissue, fit_stain
from napari_steatosis.io import open_results
from napari_steatosis.pipelines._cells import plan_classification
from napari_steatosis.pipelines._run_cells import NAME, open_cells, run_cells
from napari_steatosis.pipelines.classify import classify
from window_classifier import WindowClassifier, box, level0, probabilities, spec

TESTS = str(Path(__file__).parents[1])


def test_it_is_reopened_with_its_probabilities(tmp_path):
    found = classify(disc_slide(), WindowClassifier(), step_px=16, store=tmp_path / "a.zarr")
    with pytest.raises(CannotOpenError, match="labels that are there: classes"):
        open_results(tmp_path / "a.zarr")
    again = open_results(tmp_path / "a.zarr", NAME)
    assert again.classes == found.classes
    assert again.frame == found.frame
    assert again.provenance == found.provenance
    for mine, other in ((again.levels, found.levels), (again.probabilities, found.probabilities)):
        assert len(mine) == len(other) > 0
        for one, two in zip(mine, other, strict=True):
            assert np.array_equal(np.asarray(one[:]), np.asarray(two[:]))


def test_every_level_is_a_stride_of_the_finest(tmp_path):
    model = WindowClassifier(spec(8))
    found = classify(disc_slide(), model, step_px=2, store=tmp_path / "a.zarr")
    assert found.shape == (650, 550)
    assert len(found.levels) == len(found.probabilities) == 2
    assert np.array_equal(np.asarray(found.levels[1][:]), level0(found)[::2, ::2])
    assert np.array_equal(np.asarray(found.probabilities[1][:]), probabilities(found)[:, ::2, ::2])


def test_a_finished_run_is_returned_without_computing(tmp_path):
    first = classify(disc_slide(), WindowClassifier(), store=tmp_path / "a.zarr")
    model, seen = WindowClassifier(), []
    again = classify(disc_slide(), model, store=tmp_path / "a.zarr", on_progress=seen.append)
    assert seen == model.calls == []
    assert again.provenance["content"] == first.provenance["content"]


@pytest.mark.parametrize("change", ["model", "slide", "step_px", "least_share", "within", "stain"])
def test_a_store_of_another_run_is_refused_by_name_and_kept(tmp_path, change):
    slide, model, within = disc_slide(), WindowClassifier(), box(0, 0, 1300, 1100)
    options = {"within": within, "store": tmp_path / "a.zarr"}
    before = level0(classify(slide, model, **options))
    if change == "model":
        model = WindowClassifier(width=9.0)
    elif change == "slide":
        slide = replace(slide, fingerprint="another")
    elif change == "stain":
        liver = drawn_liver(700, 700, seed=2, glass=False)
        options["stain"] = fit_stain(liver, method="reinhard")
    else:
        other = {"step_px": 32, "least_share": 0.25, "within": box(0, 0, 1300, 1000)}
        options[change] = other[change]
    with pytest.raises(StoreMismatchError, match=change):
        classify(slide, model, **options)
    assert np.array_equal(level0(open_results(tmp_path / "a.zarr", NAME)), before)
    assert not classify(slide, model, overwrite=True, **options).failed


def test_the_stain_is_applied():
    slide = drawn_liver(700, 700, seed=2, glass=False)
    stain = fit_stain(slide, method="reinhard")
    found = classify(slide, WindowClassifier(), stain=stain, step_px=32)
    pixels = stain.apply(slide.read(Region(y=64, x=64, height=64, width=64)))
    alone = classify(slide, WindowClassifier(), stain=stain)
    expected = WindowClassifier().predict(pixels[None])[0]
    assert np.array_equal(probabilities(alone)[:, 1, 1], np.rint(expected * 255))
    assert found.provenance["stain"] == stain.to_json()


def test_unreadable_pixels_fail_their_block_and_nothing_else(tmp_path):
    damaged = disc_slide(2400, 2000, damaged=Region(y=1700, x=500, height=9, width=9))
    options = {"step_px": 32, "store": tmp_path / "a.zarr"}
    with pytest.raises(IncompleteRunError, match="could not be read") as caught:
        classify(damaged, WindowClassifier(), **options)
    assert "truncated strip" in str(caught.value)
    partial = open_results(tmp_path / "a.zarr", NAME)
    assert partial.failed
    assert not level0(partial)[1700 // 32, 500 // 32]
    assert level0(partial)[:20].all()
    mended = classify(disc_slide(2400, 2000), WindowClassifier(), **options)
    straight = classify(disc_slide(2400, 2000), WindowClassifier(), step_px=32)
    assert np.array_equal(probabilities(mended), probabilities(straight))
    assert mended.provenance["content"] == straight.provenance["content"]


def test_stopping_leaves_a_store_that_can_be_resumed(tmp_path):
    slide, options = disc_slide(2400, 2000), {"step_px": 16}
    plan = plan_classification(slide, WindowClassifier(), **options)
    with open_cells(plan, tmp_path / "a.zarr") as results:
        taken = list(islice(run_cells(plan, results), 3))
        assert not results.complete
    assert [p.done for p in taken] == [1, 2, 3]
    resumed = []
    found = classify(
        slide,
        WindowClassifier(),
        store=tmp_path / "a.zarr",
        on_progress=resumed.append,
        **options,
    )
    assert resumed[0].done == 4
    straight = classify(slide, WindowClassifier(), **options)
    assert np.array_equal(probabilities(found), probabilities(straight))
    assert found.provenance["content"] == straight.provenance["content"]


def test_it_stops_within_a_batch():
    slide, model = disc_slide(2400, 2000), WindowClassifier()
    plan = replace(plan_classification(slide, model, step_px=16), batch=10)
    with open_cells(plan, None) as results:
        done = list(run_cells(plan, results, should_stop=lambda: len(model.calls) >= 5))
        assert done == []
        assert len(model.calls) == 5
        assert not results.complete


def test_cells_near_the_focus_come_first_and_follow_it():
    slide, model = disc_slide(2400, 2000), WindowClassifier()
    plan = plan_classification(slide, model, step_px=16)
    where, seen = [(2399.0, 1999.0)], []
    with open_cells(plan, None) as results:
        for progress in run_cells(plan, results, focus=lambda: where[0]):
            seen.append(progress.inner)
            if len(seen) == 2:
                where[0] = (5.0, 5.0)
    assert (seen[0].y_end, seen[0].x_end) == plan.analysed.shape
    assert any((box.y, box.x) == (0, 0) for box in seen[2:9])
    assert len(seen) == len(plan.tiles)


KILLED = """
import sys, time
sys.path.insert(0, {tests!r})
from discs import disc_slide
from napari_steatosis.pipelines.classify import classify
from window_classifier import WindowClassifier
classify(disc_slide(2400, 2000), WindowClassifier(), store=sys.argv[1], step_px=16,
         on_progress=lambda p: (print(p.done, flush=True), time.sleep(0.02)))
"""


def test_a_killed_run_resumes_to_the_same_bytes(tmp_path):
    script, store = KILLED.format(tests=TESTS), tmp_path / "killed.zarr"
    for after in (2, 11, 25):
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(store)], stdout=subprocess.PIPE, text=True
        )
        for line in process.stdout:
            if int(line) >= after:
                os.kill(process.pid, signal.SIGKILL)
                break
        process.wait()
        assert process.returncode == -signal.SIGKILL
    slide = disc_slide(2400, 2000)
    resumed = classify(slide, WindowClassifier(), store=store, step_px=16)
    straight = classify(slide, WindowClassifier(), store=tmp_path / "b.zarr", step_px=16)
    assert resumed.provenance["content"] == straight.provenance["content"]
    for name in ("labels/classes", "classes-probability"):
        mine, other = (
            {
                file.relative_to(root): file.read_bytes()
                for file in root.rglob("[0-9]*")
                if file.is_file()
            }
            for root in (store / name, tmp_path / "b.zarr" / name)
        )
        assert mine == other
        assert mine


def test_a_dask_cluster_gives_the_same_bytes(tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run(sys.path.append, TESTS)
        slide = disc_slide()
        there = classify(
            slide, WindowClassifier(), store=tmp_path / "a.zarr", step_px=16, client=client
        )
    here = classify(slide, WindowClassifier(), step_px=16)
    assert np.array_equal(probabilities(there), probabilities(here))
    assert there.provenance["content"] == here.provenance["content"]


def test_a_timm_classifier_runs_end_to_end(tmp_path):
    torch = pytest.importorskip("torch")
    timm = pytest.importorskip("timm")
    from napari_steatosis.models._torch import TorchModel

    torch.manual_seed(3)
    network = timm.create_model("resnet18", num_classes=3)
    slide = drawn_liver(512, 448, seed=4)
    model = TorchModel(
        network, replace(spec(), architecture="timm"), device="cpu", precision="fp32"
    )
    tissue = find_tissue(slide)
    found = classify(slide, model, within=tissue, step_px=32, store=tmp_path / "a.zarr")
    seen = level0(found) > 0
    assert seen.any()
    assert not seen.all()
    row, column = map(int, np.argwhere(seen)[len(np.argwhere(seen)) // 2])
    windows = [
        slide.read(Region(y=32 * (row - i), x=32 * (column - j), height=64, width=64))
        for i in (0, 1)
        for j in (0, 1)
    ]
    expected = model.predict(np.stack(windows)).mean(0)  # four windows of equal weight
    assert np.abs(probabilities(found)[:, row, column] / 255 - expected).max() < 0.5 / 255 + 1e-4
